"""How an entry gets its content: drafts, reviews and approved versions. Approved content never changes; a change is a new version."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.utils.text import capfirst

from catalogue import duties, status
from catalogue.duties import NotAllowed, Refused
from catalogue.models import Commitment, Service, ServiceVersion
from catalogue.models.status import OperationalStatus, ServiceStatus
from itsm_backup.common.models import because
from itsm_backup.common.time import UTC

State = ServiceVersion.State
CONTENT_FIELDS = (
    "name", "short_name", "summary", "department", "application_type", "labels", "tier", "zone", "commissioned_at",
    "owner", "steward", "operations_team",
)  # fmt: skip
COMMITMENT_FIELDS = (
    "rpo_s", "rto_s", "retention_days", "success_rate", "on_time_rate", "window_opens", "window_closes", "restore_test_days",
)  # fmt: skip
RESERVED_CODES = ("graph", "matrix", "relations")  # pages below /services/


class WrongState(Refused):
    """The version is no longer (or not yet) in a state that allows it: somebody else was faster."""


class NotReady(Refused):
    """Something is missing or contradictory; `problems` holds one sentence for each, all at once."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Transition:
    """One allowed move of a version. An empty `reason` must be given by the person; otherwise it stands in for theirs."""

    act: str
    sources: tuple[str, ...]
    target: str
    guard: str
    reason: str = ""


TRANSITIONS = {
    transition.act: transition
    for transition in (
        Transition("edit", (State.DRAFT, State.IN_REVIEW), State.DRAFT, "every editor becomes an author; a review starts again"),
        Transition("submit", (State.DRAFT,), State.IN_REVIEW, "all mandatory content is there and valid", "Submitted for review."),
        Transition("approve", (State.IN_REVIEW,), State.APPROVED, "an approver who is no author; ranges do not overlap", "Approved."),
        Transition("return to draft", (State.IN_REVIEW,), State.DRAFT, "–"),
        Transition("cancel", (State.DRAFT, State.IN_REVIEW), State.CANCELLED, "–"),
    )
}


def create_service(*, code: str, by: Any, at: dt.datetime, reason: str) -> Service:
    """A new entry in the pipeline, without content. Raises NotReady when the code is taken or not usable."""
    service = Service(code=code, created_at=at)
    problems = problems_of(service)
    if code.lower() in RESERVED_CODES:
        problems.append(f"The code {code} is the address of another page. Choose another one.")
    if problems:
        raise NotReady(problems)
    with transaction.atomic(), because(reason, by=by):
        service.save()
    return service


def draft_version(
    *, service: Service, content: Mapping[str, Any], commitment: Mapping[str, Any], by: Any, at: dt.datetime, reason: str
) -> ServiceVersion:
    """The next numbered draft: the newest approved content with `content` and `commitment` on top; `by` is its author.

    Keys are CONTENT_FIELDS and COMMITMENT_FIELDS. Raises NotReady when an open version exists, the entry is retired, or the
    first draft lacks a name, tier or date; TypeError for a key that is no field.
    """
    _only(content, CONTENT_FIELDS)
    _only(commitment, COMMITMENT_FIELDS)
    duties.keep_apart(by=by, act="change", on=service, at=at)
    with transaction.atomic(), because(reason, by=by):
        service = Service.objects.select_for_update().get(pk=service.pk)
        _may_be_drafted(service)
        newest = service.versions.approved().order_by("-number").first()
        version = ServiceVersion(service=service, number=_next_number(service), author_ids=[by.pk], reason=reason)
        promise = Commitment(version=version)
        if newest is not None:
            _put(version, {name: getattr(newest, name) for name in CONTENT_FIELDS})
            earlier = Commitment.objects.filter(version=newest).first()
            _put(promise, {name: getattr(earlier, name) for name in COMMITMENT_FIELDS} if earlier else {})
        _put(version, content)
        _put(promise, commitment)
        _can_be_stored(version)
        version.save()
        promise.version = version
        promise.save()
    return version


def edit_draft(
    *, version: ServiceVersion, content: Mapping[str, Any], commitment: Mapping[str, Any], by: Any, at: dt.datetime, reason: str
) -> ServiceVersion:
    """The open version with the new content; `by` joins its authors, and a version in review goes back to draft.

    Without a real difference nothing is written. Raises WrongState for an approved or cancelled version.
    """
    _only(content, CONTENT_FIELDS)
    _only(commitment, COMMITMENT_FIELDS)
    duties.keep_apart(by=by, act="change", on=version, at=at)
    with transaction.atomic(), because(reason, by=by):
        version = _locked(version, "edit")
        promise = Commitment.objects.filter(version=version).first() or Commitment(version=version)
        if not promise._state.adding and not _differs(version, content) and not _differs(promise, commitment):
            return version
        _put(version, content)
        _put(promise, commitment)
        _can_be_stored(version)
        version.author_ids = sorted({*version.author_ids, by.pk})
        version.state, version.submitted_at = TRANSITIONS["edit"].target, None
        version.save()
        promise.save()
    return version


def submit(*, version: ServiceVersion, by: Any, at: dt.datetime, reason: str = "") -> ServiceVersion:
    """Hand the draft to the approvers. Raises NotReady with one sentence for everything that is missing."""
    with transaction.atomic(), because(_reason("submit", reason), by=by):
        version = _locked(version, "submit")
        problems = missing(version)
        if problems:
            raise NotReady(problems)
        version.state, version.submitted_at = TRANSITIONS["submit"].target, at
        version.save()
    return version


def approve(
    *, version: ServiceVersion, by: Any, at: dt.datetime, reason: str = "", effective_from: dt.datetime | None = None
) -> ServiceVersion:
    """Put the version in force from `effective_from` (default: at once) and end the one before it, in one transaction.

    The first approval moves the entry from the pipeline into the catalogue. Raises NotAllowed for an author (whoever it
    is) and for people who are no approver of this service; NotReady for a time that cannot be; WrongState.
    """
    start = effective_from or at
    with transaction.atomic():
        version = _locked(version, "approve")
        check_approver(version, by, at)
        problems = missing(version) + _range_problems(version, start, at)
        if problems:
            raise NotReady(problems)
        _end_previous(version, start, by)
        with because(_reason("approve", reason), by=by):
            version.state, version.approver, version.approved_at = TRANSITIONS["approve"].target, by, at
            version.effective = DateTimeTZRange(start, None)
            version.save()
            _enter_catalogue(version.service)
        if not ServiceStatus.objects.filter(service=version.service).exists():
            first = "Approved for the first time; nothing was measured yet."
            status.change(service=version.service, to=OperationalStatus.UNKNOWN, reason=first, evaluation=None, at=at)
    return version


def return_to_draft(*, version: ServiceVersion, by: Any, at: dt.datetime, reason: str) -> ServiceVersion:
    """End the review without approval; the reason tells the authors what to change."""
    with transaction.atomic(), because(_reason("return to draft", reason), by=by):
        version = _locked(version, "return to draft")
        version.state, version.submitted_at = TRANSITIONS["return to draft"].target, None
        version.save()
    return version


def cancel(*, version: ServiceVersion, by: Any, at: dt.datetime, reason: str) -> ServiceVersion:
    """Give the open version up; it stays readable in the history of the entry."""
    with transaction.atomic(), because(_reason("cancel", reason), by=by):
        version = _locked(version, "cancel")
        version.state = TRANSITIONS["cancel"].target
        version.save()
    return version


def missing(version: ServiceVersion) -> list[str]:
    """One sentence for everything that still keeps the version from being approved; empty when it is complete."""
    needed = {"owner": "one accountable owner", "steward": "one responsible steward", "operations_team": "one operations team"}
    problems = [f"It needs {what}." for field, what in needed.items() if getattr(version, f"{field}_id") is None]
    for field in ("owner", "steward"):
        person = getattr(version, field)
        if person is not None and not person.is_active:
            problems.append(f"Its {field}, {duties.names([person])}, has left: name somebody with a live account.")
    promise = Commitment.objects.filter(version=version).first()
    if promise is None:
        problems.append("It has no commitment yet: say what it promises.")
    return problems + problems_of(version) + (problems_of(promise) if promise else [])


def _locked(version: ServiceVersion, act: str) -> ServiceVersion:
    """The version as it stands now, held until the transaction ends; raises WrongState when the act does not fit its state."""
    Service.objects.select_for_update().get(pk=version.service_id)
    held: ServiceVersion = ServiceVersion.objects.select_for_update(of=("self",)).select_related("service").get(pk=version.pk)
    if held.state in TRANSITIONS[act].sources:
        return held
    done = f"{held} is already {held.get_state_display()}"
    if held.state == State.APPROVED and held.approver and held.approved_at:
        done += f": {duties.names([held.approver])} approved it on {held.approved_at:%d %b %Y at %H:%M} UTC"
    elif held.state == State.DRAFT:
        done = f"{held} is a draft: submit it for review first"
    raise WrongState(f"{done}. Nothing was changed; look at it again.")


def _reason(act: str, given: str) -> str:
    return given.strip() or TRANSITIONS[act].reason  # still empty: because() refuses it


def _only(values: Mapping[str, Any], allowed: tuple[str, ...]) -> None:
    unknown = sorted(values.keys() - set(allowed))
    if unknown:
        raise TypeError(f"{', '.join(unknown)} is no field of a version. Fields: {', '.join(allowed)}.")


def _put(row: Any, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(row, name, value)


def _differs(row: Any, values: Mapping[str, Any]) -> bool:
    return any(getattr(row, name) != value for name, value in values.items())


def _may_be_drafted(service: Service) -> None:
    if service.lifecycle == Service.Lifecycle.RETIRED:
        raise NotReady([f"{service.code} is retired for good. Make a new entry that supersedes it."])
    open_one = service.versions.filter(state__in=[State.DRAFT, State.IN_REVIEW]).first()
    if open_one is not None:
        raise NotReady([f"{service.code} has an open version already: number {open_one.number}, {open_one.get_state_display()}. "
                        "Finish or cancel that one first."])  # fmt: skip


def _next_number(service: Service) -> int:
    newest = service.versions.order_by("-number").values_list("number", flat=True).first()
    return (newest or 0) + 1


def _can_be_stored(version: ServiceVersion) -> None:
    """A draft may be incomplete, but a few fields have no empty value."""
    words = {"name": "a name", "short_name": "a short name of at most 22 characters", "tier": "a tier from 1 to 4",
             "commissioned_at": "the date from which its data exists"}  # fmt: skip
    problems = [f"A draft needs {what}." for field, what in words.items() if getattr(version, field) in (None, "")]
    if problems:
        raise NotReady(problems)


def problems_of(row: Any, *, only: Collection[str] | None = None) -> list[str]:
    """One sentence for everything that keeps a row from being stored, field by field; empty when it is valid.

    `only` names the fields that people give, where the machine fills in the others.
    """
    written_by_acts = [field.name for field in row._meta.fields if not field.editable or (only is not None and field.name not in only)]
    try:
        row.full_clean(exclude=written_by_acts)
    except ValidationError as error:
        return [
            text if field == NON_FIELD_ERRORS else f"{capfirst(row._meta.get_field(field).verbose_name)}: {text}"
            for field, texts in error.message_dict.items()
            for text in texts
        ]
    return []


def check_approver(version: ServiceVersion, by: Any, at: dt.datetime) -> None:
    """Raises NotAllowed, naming the rule or who can, unless `by` may approve this version: an approver of the service who is no author."""
    if by.pk in version.author_ids:
        raise NotAllowed(f"You wrote part of {version}, so somebody else must approve it. {_who_can(version, by)}")
    duties.check(by=by, act="approve", on=version, at=at)


def _who_can(version: ServiceVersion, by: Any) -> str:
    others = duties.names(duties.who_may("approve", version.service, except_ids=[*version.author_ids, by.pk]))
    return f"{others} can." if others else "Nobody else holds that duty for this service yet: an administrator can grant the role approver."


def _range_problems(version: ServiceVersion, start: dt.datetime, at: dt.datetime) -> list[str]:
    if start < at:
        return [f"It cannot take effect on {_words(start)}, before its approval: what was promised then is history."]
    previous = _newest_approved(version)
    if previous is not None and previous.effective.lower >= start:
        return [f"Version {previous.number} takes effect on {_words(previous.effective.lower)}; choose a later time for this one."]
    return []


def _newest_approved(version: ServiceVersion) -> ServiceVersion | None:
    return version.service.versions.approved().filter(effective__endswith__isnull=True).first()


def _end_previous(version: ServiceVersion, start: dt.datetime, by: Any) -> None:
    previous = _newest_approved(version)
    if previous is None:
        return
    with because(f"Superseded by version {version.number}.", by=by):
        previous.effective = DateTimeTZRange(previous.effective.lower, start)
        previous.save()


def _enter_catalogue(service: Service) -> None:
    if service.lifecycle == Service.Lifecycle.PIPELINE:
        service.lifecycle = Service.Lifecycle.CATALOGUE
        service.save()


def _words(instant: dt.datetime) -> str:
    return f"{instant.astimezone(UTC):%d %b %Y at %H:%M} UTC"
