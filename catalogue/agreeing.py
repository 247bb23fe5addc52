"""Agreements and impact analyses: one person writes the next numbered text, another one approves it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, TypeVar

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.template.loader import render_to_string

from catalogue import duties, telling
from catalogue.models import Agreement, AgreementVersion, ImpactAnalysis, Service, ServiceVersion
from catalogue.models.agreements import Approved
from catalogue.refusing import NotAllowed, NotReady, WrongState, problems_of
from itsm_backup.common import outbox
from itsm_backup.common.models import because
from itsm_backup.common.time import local_day

Row = TypeVar("Row", bound=Approved)
State = Approved.State


def draft_agreement(
    *, agreement: Agreement, content: Mapping[str, Any], by: Any, at: dt.datetime, reason: str, announce: bool = True
) -> AgreementVersion:
    """The next version of the agreement as a draft, of which approvers are mailed (`announce`), or its open draft with this content.

    Raises NotReady with every problem.
    """
    with transaction.atomic():
        Agreement.objects.select_for_update().get(pk=agreement.pk)
        row, is_new = _written(AgreementVersion, {"agreement": agreement}, content, by, at, reason)
        if announce and is_new:
            _ask_approvers(row, by, at, reason)
        return row


def draft_analysis(
    *, service: Service, content: Mapping[str, Any], by: Any, at: dt.datetime, reason: str, announce: bool = True
) -> ImpactAnalysis:
    """The next impact analysis of the service as a draft, of which approvers are mailed (`announce`), or its open draft with this content.

    Raises NotReady with every problem.
    """
    review = content.get("review_due_on")
    if review and review < local_day(at, "UTC"):
        raise NotReady([f"{review:%d %b %Y} is over already: choose a day for the next review that is still to come."])
    with transaction.atomic():
        Service.objects.select_for_update().get(pk=service.pk)
        row, is_new = _written(ImpactAnalysis, {"service": service}, content, by, at, reason)
        if announce and is_new:
            _ask_approvers(row, by, at, reason)
        return row


def _written(
    model: type[Row], owner: Mapping[str, Any], content: Mapping[str, Any], by: Any, at: dt.datetime, reason: str
) -> tuple[Row, bool]:
    """The row, and whether it is new."""
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


def approve(*, row: Row, by: Any, at: dt.datetime, reason: str, announce: bool = True) -> Row:
    """Make the draft count from now on; its author and stewards whom it concerns are mailed (`announce`).

    Raises NotAllowed for its author and for who is no approver; WrongState.
    """
    with transaction.atomic(), because(reason.strip() or "Approved.", by=by):
        held = _open(row)
        check_approver(held, by, at)
        held.state, held.approver, held.approved_at = State.APPROVED, by, at
        held.save()
        if announce:
            _tell_author(held, by, "approved", reason, at)
            if isinstance(held, AgreementVersion):
                telling.of_newer_agreement(newer=held, by=by, at=at)
    return held


def cancel(*, row: Row, by: Any, at: dt.datetime, reason: str) -> Row:
    """Give the draft up; it stays readable. Raises WrongState."""
    with transaction.atomic(), because(reason, by=by):
        held = _open(row)
        held.state = State.CANCELLED
        held.save()
        _tell_author(held, by, "cancelled", reason, at)
    return held


def _tell_author(row: Approved, by: Any, did: str, reason: str, at: dt.datetime) -> None:
    kind = row._meta.model_name
    telling.tell(people=[row.author], by=by, what=f"{kind}/{row.pk}/{did}", subject=f"{row}: {did}", said=f"{did} {row}.",
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
    that stand behind a version of an entry that they may read.
    """
    rows = AgreementVersion.objects.visible_to(user)
    if not user.has_perm("catalogue.view_agreementversion"):
        entries = ServiceVersion.objects.filter(service__in=Service.objects.visible_to(user)).read_by(user, at=at, past=past)
        read = Q(pk__in=rows.values("pk")) | Q(author=user)
        for kind in Agreement.Kind.values:
            read |= Q(pk__in=entries.filter(**{f"{kind}__isnull": False}).values(kind))
        rows = AgreementVersion.objects.filter(read)
    return rows.filter(_told(user, Q(author=user), at, past))


def _told(user: Any, theirs: Q, at: dt.datetime, past: bool) -> Q:
    """Texts that were approved by then; at present also those that are not, for whoever they are theirs and for the administration."""
    approved = Q(state=State.APPROVED, approved_at__lte=at)
    if past:
        return approved
    unapproved = ~Q(state=State.APPROVED)
    return approved | (unapproved if user.is_superuser or user.is_staff else unapproved & theirs)


def _open(row: Row) -> Row:
    held: Any = type(row)._default_manager.select_for_update(of=("self",)).get(pk=row.pk)
    if held.state != State.DRAFT:
        raise WrongState(f"{held} is already {held.get_state_display()}. Nothing was changed; look at it again.")
    return held  # type: ignore[no-any-return]
