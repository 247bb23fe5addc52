"""How an entry gets its content: reviews and approved versions. Approved content never changes; a change is a new version."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from catalogue import comparing, duties, naming, reviewing, status
from catalogue.checking import UNMEASURED, Measured, blocking
from catalogue.comparing import COMMITMENT_FIELDS, CONTENT_FIELDS
from catalogue.drafting import RESERVED_CODES, create_service, draft_version, edit_draft, roll_back, weigh
from catalogue.levels import Question
from catalogue.models import Commitment, ImpactAnalysis, Retirement, Service, ServiceVersion
from catalogue.models.status import OperationalStatus, ServiceStatus
from catalogue.refusing import TRANSITIONS, NotAllowed, NotReady, Refused, Stale, WrongState, locked, problems_of, words_of
from itsm_backup.common.models import because

__all__ = [
    "COMMITMENT_FIELDS", "CONTENT_FIELDS", "RESERVED_CODES", "TRANSITIONS", "NotAllowed", "NotReady", "Refused", "Stale", "WrongState",
    "approve",
    "cancel", "check_approver", "create_service", "draft_version", "edit_draft", "missing", "problems_of", "return_to_draft",
    "roll_back", "submit",
]  # fmt: skip

State = ServiceVersion.State
LONGEST_AHEAD = dt.timedelta(days=731)


def submit(*, version: ServiceVersion, by: Any, at: dt.datetime, reason: str = "", announce: bool = True) -> ServiceVersion:
    """Hand the draft to the approvers, and mail them (`announce`). Raises NotReady with one sentence for everything that is missing."""
    with transaction.atomic(), because(reason_of("submit", reason), by=by):
        version = locked(version, "submit")
        problems = missing(version, at)
        if problems:
            raise NotReady(problems)
        version.state, version.submitted_at = TRANSITIONS["submit"].target, at
        version.save()
        if announce:
            reviewing.ask_approvers(version=version, by=by, at=at)
    return version


def approve(
    *, version: ServiceVersion, by: Any, at: dt.datetime, reason: str = "", effective_from: dt.datetime | None = None,
    seen: str = "", measured: Measured = UNMEASURED, announce: bool = False, beside: Sequence[Question] = (),
) -> ServiceVersion:  # fmt: skip
    """Put the version in force from `effective_from` (default: at once) and end the one before it, in one transaction.

    `seen` is the hash of the content that the approver read, `measured` what the monitoring measured for the entry, `beside` what
    other entries promise that are approved in the same transaction. Authors, owner and steward are mailed (`announce`). The first
    approval moves the entry from the pipeline into the catalogue. Raises Stale when the content is another one by now;
    NotAllowed for an author (whoever it is) and for people who are no approver of this service; NotReady for a time that cannot
    be and for a promise that cannot hold without a deviation; WrongState.
    """
    start = effective_from or at
    with transaction.atomic():
        version = locked(version, "approve", seen=seen, first=lambda held: check_approver(held, by, at))
        problems = missing(version, at) + _range_problems(version, start, at)
        problems += blocking(version=version, measured=measured, at=max(start, at), reader=by, beside=beside)
        if problems:
            raise NotReady(problems)
        _end_previous(version, start, by)
        with because(reason_of("approve", reason), by=by):
            content = comparing.content_of(version)
            weigh(version, content)
            version.content_hash = comparing.hash_of(content)
            version.analysis = ImpactAnalysis.objects.filter(service=version.service, state="approved").order_by("-number").first()
            version.state, version.approver, version.approved_at = TRANSITIONS["approve"].target, by, at
            version.effective = DateTimeTZRange(start, None)
            version.save()
            _enter_catalogue(version.service)
        if not ServiceStatus.objects.filter(service=version.service).exists():
            first = "Approved for the first time; nothing was measured yet."
            status.change(service=version.service, to=OperationalStatus.UNKNOWN, reason=first, evaluation=None, at=at)
        if announce:
            reviewing.tell_approved(version=version, by=by, reason=reason, at=at)
    return version


def return_to_draft(*, version: ServiceVersion, by: Any, at: dt.datetime, reason: str) -> ServiceVersion:
    """End the review without approval; the reason tells the authors what to change, and stays with what is said of the version."""
    with transaction.atomic(), because(reason_of("return to draft", reason), by=by):
        version = locked(version, "return to draft")
        version.state, version.submitted_at = TRANSITIONS["return to draft"].target, None
        version.save()
        reviewing.comment(version=version, text=reason, by=by, at=at, is_return=True)
        reviewing.tell_authors(version=version, by=by, reason=reason, at=at)
    return version


def cancel(*, version: ServiceVersion, by: Any, at: dt.datetime, reason: str) -> ServiceVersion:
    """Give the open version up; it stays readable in the history of the entry."""
    with transaction.atomic(), because(reason_of("cancel", reason), by=by):
        version = locked(version, "cancel")
        version.state = TRANSITIONS["cancel"].target
        version.save()
    return version


def missing(version: ServiceVersion, at: dt.datetime) -> list[str]:
    """One sentence for everything that still keeps the version from being approved; empty when it is complete."""
    problems = unnamed(version)
    for field in ("owner", "steward"):
        person = getattr(version, field)
        if person is not None and not person.is_active:
            problems.append(f"Its {field}, {duties.names([person])}, has left: name somebody with a live account.")
    problems += naming.refusals({duty: getattr(version, duty) for duty in naming.EXCLUDED}, at)
    promise = Commitment.objects.filter(version=version).first()
    if promise is None:
        problems.append("It has no commitment yet: say what it promises.")
    return problems + problems_of(version) + (problems_of(promise) if promise else [])


def unnamed(version: ServiceVersion) -> list[str]:
    """One sentence for each duty that nobody is named for."""
    needed = {"owner": "one accountable owner", "steward": "one responsible steward", "operations_team": "one operations team"}
    return [f"It needs {what}." for field, what in needed.items() if getattr(version, f"{field}_id") is None]


def reason_of(act: str, given: str) -> str:
    return given.strip() or TRANSITIONS[act].reason  # still empty: because() refuses it


def check_approver(version: ServiceVersion, by: Any, at: dt.datetime) -> None:
    """Raises NotAllowed, naming the rule or who can, unless `by` may approve this version: an approver of the service who is no author."""
    if by.pk in version.author_ids:
        raise NotAllowed(f"You wrote part of {version}, so somebody else must approve it. {_who_can(version, by)}")
    duties.check(by=by, act="approve", on=version, at=at)


def _who_can(version: ServiceVersion, by: Any) -> str:
    others = duties.names(duties.who_may("approve", version.service, except_ids=[*version.author_ids, version.steward_id, by.pk]))
    return f"{others} can." if others else "Nobody else holds that duty for this service yet: an administrator can grant the role approver."


def _range_problems(version: ServiceVersion, start: dt.datetime, at: dt.datetime) -> list[str]:
    if start < at:
        return [f"It cannot take effect on {words_of(start)}, before its approval: what was promised then is history."]
    if start > at + LONGEST_AHEAD:
        return [f"It cannot take effect on {words_of(start)}, more than two years ahead: until then no other version could be approved."]
    leaving = version.service.retirements.filter(state=Retirement.State.PLANNED, ends_at__lte=start).first()
    if leaving is not None:
        gone = f"{version.service.code} leaves the catalogue on {words_of(leaving.ends_at)}, before this version would take force"
        return [f"{gone}: call the retirement off, or choose an earlier time."]
    previous = _newest_approved(version)
    if previous is not None and previous.effective.lower >= start:
        return [f"Version {previous.number} takes effect on {words_of(previous.effective.lower)}; choose a later time for this one."
                + (" Or withdraw that one first." if previous.effective.lower > at else "")]  # fmt: skip
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
