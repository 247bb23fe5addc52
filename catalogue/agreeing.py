"""Agreements and impact analyses: one person writes the next numbered text, another one approves it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, TypeVar

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.template.loader import render_to_string

from catalogue import checking, comparing, duties, telling
from catalogue.models import Agreement, AgreementVersion, ImpactAnalysis, Service, ServiceVersion
from catalogue.models.agreements import Approved
from catalogue.refusing import NotAllowed, NotReady, Refused, WrongState, problems_of
from itsm_backup.common import outbox
from itsm_backup.common.admin.fields import label_of, value_words
from itsm_backup.common.models import because
from itsm_backup.common.time import local_day

Row = TypeVar("Row", bound=Approved)
State = Approved.State
_DAYS = ("from_on", "until_on", "review_due_on")  # of each text its own
_WRITTEN = frozenset({
    "from_on", "until_on", "rpo_s", "rto_s", "retention_days", "success_rate", "text",
    "mtpd_s", "tolerated_loss_s", "wrt_s", "mbco", "review_due_on",
})  # fmt: skip


class Outdated(Refused):
    """The text is no longer the one that was read: it says what became of it since."""

    def __init__(self, row: Approved, seen: str) -> None:
        newest = row.history.select_related("history_user").first()
        who = f"{duties.names([newest.history_user])} changed it" if newest and newest.history_user else "Somebody changed it"
        earlier = next((each for each in row.history.all() if hash_of(each) == seen), None)
        told = "; ".join(_change(field, earlier, row) for field in _fields(row) if earlier and _change(field, earlier, row))
        super().__init__(f"{row} is not what you read any more. {who}{f': {told}' if told else ''}. Nothing was changed; look at it again.")


def _fields(row: Any) -> list[Any]:
    """What people write of a text."""
    return [field for field in row._meta.fields if field.name in _WRITTEN]


def _change(field: Any, earlier: Any, row: Any) -> str:
    before, after = (value_words(field, getattr(each, field.name)) for each in (earlier, row))
    return f"{label_of(field)} {before} → {after}" if before != after else ""


def hash_of(row: Any) -> str:
    """SHA-256 of what the text says, of itself or as its history kept it."""
    return comparing.hash_of({field.name: comparing.as_json(getattr(row, field.name)) for field in _fields(row)})


def begun_with(rows: QuerySet[Any]) -> dict[str, Any]:
    """What the next text begins with: what the newest approved one of these says, but its days."""
    newest = rows.filter(state=State.APPROVED).order_by("-number").first()
    return {each.name: getattr(newest, each.name) for each in _fields(newest) if each.name not in _DAYS} if newest else {}


def make_agreement(*, kind: str, name: str, party: str, by: Any, at: dt.datetime, reason: str) -> Agreement:
    """A new agreement, without a text yet. Raises NotAllowed where a duty of the person excludes it, NotReady with every problem."""
    if barred := duties.objection(by, Agreement, at):
        raise NotAllowed(barred)
    row = Agreement(kind=kind, name=name.strip(), party=party.strip())
    if problems := problems_of(row):
        raise NotReady(problems)
    with because(reason, by=by):
        row.save()
    return row


def draft_agreement(
    *, agreement: Agreement, content: Mapping[str, Any], by: Any, at: dt.datetime, reason: str, announce: bool = True,
    seen: str | None = None,
) -> AgreementVersion:  # fmt: skip
    """The next version of the agreement as a draft, of which approvers are mailed (`announce`), or its open draft with this content.

    `seen` is the hash of the draft that the writer read, or empty where a new one is meant. Raises NotReady with every problem,
    Outdated when the draft is another one by now, WrongState when there is one although a new one is meant, or none any more.
    """
    with transaction.atomic():
        Agreement.objects.select_for_update().get(pk=agreement.pk)
        _is_meant(agreement.versions.filter(state=State.DRAFT).first(), f"version of {agreement}", seen)
        row, is_new = _written(AgreementVersion, {"agreement": agreement}, content, by, at, reason)
        if announce and is_new:
            _ask_approvers(row, by, at, reason)
        return row


def _is_meant(draft: Approved | None, what: str, seen: str | None) -> None:
    if seen and draft is None:
        raise WrongState(f"No {what} is a draft any more. Nothing was changed; look at it again.")
    if seen and draft is not None and hash_of(draft) != seen:
        raise Outdated(draft, seen)
    if seen == "" and draft is not None:
        told = str(draft)
        raise WrongState(
            f"{told[:1].upper()}{told[1:]} is a draft already: {duties.names([draft.author])} changes it, or it is cancelled first."
        )


def draft_analysis(
    *, service: Service, content: Mapping[str, Any], by: Any, at: dt.datetime, reason: str, announce: bool = True,
    seen: str | None = None,
) -> ImpactAnalysis:  # fmt: skip
    """The next impact analysis of the service as a draft, of which approvers are mailed (`announce`), or its open draft with this content.

    `seen` is as of an agreement. Raises NotReady with every problem, Outdated and WrongState as with one.
    """
    review = content.get("review_due_on")
    if review and review <= (today := local_day(at, "UTC")):
        over = "is today" if review == today else "is over already"
        raise NotReady([f"{review:%d %b %Y} {over}: choose a day for the next review that is still to come."])
    with transaction.atomic():
        Service.objects.select_for_update().get(pk=service.pk)
        _is_meant(service.analyses.filter(state=State.DRAFT).first(), f"impact analysis of {service}", seen)
        row, is_new = _written(ImpactAnalysis, {"service": service}, content, by, at, reason)
        if announce and is_new:
            _ask_approvers(row, by, at, reason)
        return row


def _written(
    model: type[Row], owner: Mapping[str, Any], content: Mapping[str, Any], by: Any, at: dt.datetime, reason: str
) -> tuple[Row, bool]:
    """The row, and whether it is new. Raises NotAllowed where a duty of the writer excludes it, NotReady."""
    duties.check_duty(by=by, duty="steward", doing=f"write {model._meta.verbose_name_plural}", at=at)
    rows = model._default_manager.filter(**owner)
    newest = rows.order_by("-number").values_list("number", flat=True).first()
    row: Any = rows.filter(state=State.DRAFT).first()
    if row is None:
        row = model(**owner, number=(newest or 0) + 1, author=by)
    elif row.author_id != by.pk:  # one author, so that nobody approves words of their own
        raise NotReady([f"{duties.names([row.author])} writes {row}: let them change it, or cancel it and write the next one."])
    for name, value in content.items():
        setattr(row, name, value)
    problems = problems_of(row)
    if problems:
        raise NotReady(problems)
    is_new = row._state.adding
    with because(reason, by=by):
        row.save()
    return row, is_new


def _ask_approvers(row: Approved, by: Any, at: dt.datetime, reason: str) -> None:
    """Mail everybody who may decide on the new text, once."""
    kind = row._meta.model_name
    context = {"row": row, "by": duties.names([by]), "reason": reason, "organisation": settings.ORGANISATION,
               "address": f"{settings.BASE_URL}/admin/catalogue/{kind}/{row.pk}/change/"}  # fmt: skip
    for person in approvers_of(row):
        if person.email and person.pk != row.author_id:
            outbox.write(
                key=f"{kind}/{row.pk}/drafted/{person.pk}", thread=f"{kind}/{row.pk}/{person.pk}", recipient=person.email,
                subject=f"For approval: {row}", body=render_to_string("catalogue/email/text_drafted.txt", context), at=at,
            )  # fmt: skip


def approve(*, row: Row, by: Any, at: dt.datetime, reason: str, announce: bool = True, seen: str = "") -> Row:
    """Make the draft count from now on; its author and stewards whom it concerns are mailed (`announce`), and what an analysis breaks.

    Raises NotAllowed for its author and for who is no approver; NotReady for an analysis of which the review is over; WrongState;
    Outdated when it says something else than what was `seen`.
    """
    with transaction.atomic(), because(reason.strip() or "Approved.", by=by):
        held = _open(row, seen)
        check_approver(held, by, at)
        if isinstance(held, ImpactAnalysis) and held.review_due_on < local_day(at, "UTC"):
            over = f"{held.review_due_on:%d %b %Y}"
            raise NotReady([f"Its review was due on {over} already: let its author set a day that is still to come."])
        held.state, held.approver, held.approved_at = State.APPROVED, by, at
        held.save()
        if announce:
            if isinstance(held, ImpactAnalysis):
                _tell_of_analysis(held, by, reason, at)
            else:
                _tell(held, [held.author], by, "approved", f"approved {held}.", reason, at)
            if isinstance(held, AgreementVersion):
                telling.of_newer_agreement(newer=held, by=by, at=at)
    return held


def cancel(*, row: Row, by: Any, at: dt.datetime, reason: str, seen: str = "") -> Row:
    """Give the draft up; it stays readable. Raises WrongState; Outdated as approving does."""
    with transaction.atomic(), because(reason, by=by):
        held = _open(row, seen)
        held.state = State.CANCELLED
        held.save()
        _tell(held, [held.author], by, "cancelled", f"cancelled {held}.", reason, at)
    return held


def _tell_of_analysis(row: ImpactAnalysis, by: Any, reason: str, at: dt.datetime) -> None:
    """Its author and the steward of the entry read which promises cannot hold with it."""
    live = row.service.version_at(at)
    said = f"approved {row}."
    if broken := checking.broken_by(analysis=row, measured=checking.UNMEASURED, at=at):
        said += f" With it these promises of the entry cannot hold: {' '.join(broken)} Change them, or have a deviation granted."
    _tell(row, [row.author, live.steward if live else None], by, "approved", said, reason, at)


def _tell(row: Approved, people: list[Any], by: Any, did: str, said: str, reason: str, at: dt.datetime) -> None:
    kind = row._meta.model_name
    telling.tell(people=people, by=by, what=f"{kind}/{row.pk}/{did}", subject=f"{row}: {did}", said=said,
                 reason=reason, address=f"/admin/catalogue/{kind}/{row.pk}/change/", at=at)  # fmt: skip


def check_approver(row: Approved, by: Any, at: dt.datetime) -> None:
    """Raises NotAllowed, naming the rule or who can, unless `by` may approve this text."""
    able = approvers_of(row)
    others = duties.names(person for person in able if person.pk not in (row.author_id, by.pk)) or "Nobody yet"
    if row.author_id == by.pk:
        raise NotAllowed(f"You wrote {row}, so somebody else must approve it. {others} can.")
    if isinstance(row, ImpactAnalysis):
        duties.check(by=by, act="analyse", on=row.service, at=at)
        return
    duties.check(by=by, act="agree", on=row, at=at)
    if not by.is_active or not by.has_perm("catalogue.approve_service"):  # agreements belong to the whole estate
        raise NotAllowed(f"You may not approve {row}. {others} can.")


def approvers_of(row: Approved) -> list[Any]:
    """Active people who may approve it: of the service for an analysis, of the whole estate for an agreement."""
    return duties.who_may("approve", getattr(row, "service", None) or Service())


def analyses_read_by(user: Any, *, at: dt.datetime, past: bool) -> QuerySet[ImpactAnalysis]:
    """Impact analyses that the person may read as of an instant: what was approved by then of services in sight, and at present what is
    being written, as with versions of entries.
    """
    theirs = Q(author=user)
    for right in ("change", "approve"):
        theirs |= Q(service__in=Service.objects.visible_to(user, right))
    return ImpactAnalysis.objects.visible_to(user).filter(_told(user, theirs, at, past))


def agreements_read_by(user: Any, *, at: dt.datetime, past: bool) -> QuerySet[AgreementVersion]:
    """Versions of agreements that the person may read as of an instant: all for who reads agreements, for others their own and those
    that stand behind a version of an entry that they may read. What is being written is read by its author, writers and approvers.
    """
    rows = AgreementVersion.objects.visible_to(user)
    if not user.has_perm("catalogue.view_agreementversion"):
        entries = ServiceVersion.objects.filter(service__in=Service.objects.visible_to(user)).read_by(user, at=at, past=past)
        read = Q(pk__in=rows.values("pk")) | Q(author=user)
        for kind in Agreement.Kind.values:
            read |= Q(pk__in=entries.filter(**{f"{kind}__isnull": False}).values(kind))
        rows = AgreementVersion.objects.filter(read)
    decides = any(user.has_perm(right) for right in ("catalogue.approve_service", "catalogue.change_agreementversion"))
    return rows.filter(_told(user, Q() if decides else Q(author=user), at, past))


def _told(user: Any, theirs: Q, at: dt.datetime, past: bool) -> Q:
    """Texts that were approved by then; at present also those that are not, for whoever they are theirs and for the administration."""
    approved = Q(state=State.APPROVED, approved_at__lte=at)
    if past:
        return approved
    unapproved = ~Q(state=State.APPROVED)
    return approved | (unapproved if user.is_superuser or user.is_staff else unapproved & theirs)


def _open(row: Row, seen: str = "") -> Row:
    held: Any = type(row)._default_manager.select_for_update(of=("self",)).get(pk=row.pk)
    if held.state != State.DRAFT:
        raise WrongState(f"{held} is already {held.get_state_display()}. Nothing was changed; look at it again.")
    if seen and hash_of(held) != seen:
        raise Outdated(held, seen)
    return held  # type: ignore[no-any-return]
