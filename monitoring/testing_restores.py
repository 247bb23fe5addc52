"""Restore tests by people: planned, recorded by who ran them, and verified by somebody else."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
from django.db import transaction

from catalogue import duties
from catalogue.models import Service
from catalogue.refusing import NotAllowed, NotReady, WrongState, problems_of
from itsm_backup.common.models import because
from itsm_backup.common.time import iso
from monitoring import intake
from monitoring.connectors.base import Answer, Step
from monitoring.models import BackupJob, RestorePlan

FAR = dt.timedelta(days=3 * 366)
PLANNED_AFTER = dt.timedelta(days=1)  # a test of last night is planned and recorded in the morning
State = RestorePlan.State


def plan(
    *, job: BackupJob, scope: str, planned_on: dt.date, tester: Any, by: Any, at: dt.datetime, reason: str, place: str = ""
) -> RestorePlan:
    """A test of copies of this job. Raises NotAllowed, and NotReady with what is missing."""
    if job.service is None:
        raise NotReady([f"{job} belongs to no service yet. Give it to one by a rule first."])
    duties.check(by=by, act="test_restores", on=job.service, at=at)
    _check_plan(job.service, planned_on, tester, at)
    row = RestorePlan(
        service=job.service, job=job, scope=scope, planned_on=planned_on, tester=tester, place=place.strip(), made_at=at, made_by=by
    )  # fmt: skip
    return _saved(row, by=by, reason=reason)


def _check_plan(service: Service, planned_on: dt.date, tester: Any, at: dt.datetime) -> None:
    problems = []
    if planned_on < at.date():
        problems.append("Choose a day that is not over.")
    if planned_on > (at + FAR).date():
        problems.append("Choose a day within three years.")
    if not tester.is_active or not Service.objects.visible_to(tester).filter(pk=service.pk).exists():
        problems.append(f"{tester} may not see {service}. Choose somebody who may, or give them a role on it first.")
    if problems:
        raise NotReady(problems)


def record(
    *, row: RestorePlan, started_at: dt.datetime, ended_at: dt.datetime, outcome: str, compared: bool | None, remark: str, by: Any,
    at: dt.datetime,
) -> RestorePlan:  # fmt: skip
    """What came of it, told by its tester; it becomes a run that is judged at once. Proves nothing good before it is verified.

    Raises NotAllowed, NotReady with what is missing, WrongState when it is recorded or cancelled already.
    """
    if by.pk != row.tester_id or not by.is_active:
        raise NotAllowed(f"{row.tester} runs this test and records what came of it. Plan one with yourself as the tester to record it.")
    told = _problems_of_result(started_at, ended_at, outcome, compared, remark, at)
    if told:
        raise NotReady(told)
    with transaction.atomic():
        held = _held(row, State.PLANNED)
        if too_early := _too_early(held, started_at, at):
            raise NotReady([too_early])
        held.started_at, held.ended_at, held.recorded_at = started_at, ended_at, at
        held.outcome, held.compared, held.remark, held.state = outcome, compared, remark.strip(), State.RECORDED
        _saved(held, by=by, reason="Recorded")
        return _tell(held, at)


def _too_early(row: RestorePlan, started_at: dt.datetime, at: dt.datetime) -> str:
    """Why it cannot have begun then, else nothing: who dates a proof as they like proves nothing."""
    version = row.service.version_at(at)
    if version is not None and started_at < version.commissioned_at:
        return f"It cannot begin before {row.service} was commissioned, {_when(version.commissioned_at)}."
    if started_at < row.made_at - PLANNED_AFTER:
        return f"It was planned {_when(row.made_at)}, and began more than a day before. Plan another test, and record when that one began."
    return ""


def _when(at: dt.datetime) -> str:
    return f"on {at.day} {at:%b %Y, %H:%M} UTC"


def _problems_of_result(
    started_at: dt.datetime, ended_at: dt.datetime, outcome: str, compared: bool | None, remark: str, at: dt.datetime
) -> list[str]:
    found = [] if outcome in ("passed", "failed") else ["Say whether it passed or failed."]
    if ended_at < started_at:
        found.append("It ends after it starts.")
    if ended_at > at:
        found.append("Record it when it is over: its end lies in the future.")
    if not remark.strip():
        found.append("Say what was restored, and how it was compared: whoever verifies it starts from there.")
    if outcome == "passed" and compared is False:
        found.append("What came back differs from what was saved, so the test has failed. Say failed.")
    return found


def verify(*, row: RestorePlan, agrees: bool, finding: str, by: Any, at: dt.datetime) -> RestorePlan:
    """Somebody else than the tester looked at it: it counts from now on, or it proves nothing.

    Raises NotAllowed, NotReady with what is missing, WrongState when nothing waits to be verified.
    """
    check_verifier(row=row, by=by, at=at)
    if not finding.strip():
        raise NotReady(["Say what you looked at: an auditor reads it beside the result."])
    if not agrees and row.outcome == "failed":
        raise NotReady(["A failed test stands: only what is said to have passed can be rejected. Plan another test instead."])
    with transaction.atomic():
        held = _held(row, State.RECORDED)
        held.state, held.verified_by, held.verified_at = State.VERIFIED if agrees else State.REJECTED, by, at
        held.finding = finding.strip()
        _saved(held, by=by, reason="Verified" if agrees else "Rejected")
        return _tell(held, at)


def check_verifier(*, row: RestorePlan, by: Any, at: dt.datetime) -> None:
    """Raises NotAllowed unless the person owns the entry, or may plan tests of it, and is not the tester."""
    if by.pk == row.tester_id:
        raise NotAllowed("You ran this test, so somebody else verifies it: its owner, or another operator.")
    version = row.service.version_at(at)
    if not (by.is_active and version is not None and version.owner_id == by.pk):
        duties.check(by=by, act="test_restores", on=row.service, at=at)


def cancel(*, row: RestorePlan, by: Any, at: dt.datetime, reason: str) -> RestorePlan:
    """It does not take place. Raises NotAllowed, NotReady without a reason, WrongState when it took place or was cancelled already."""
    duties.check(by=by, act="test_restores", on=row.service, at=at)
    if not reason.strip():
        raise NotReady(["Say why it does not take place."])
    with transaction.atomic():
        held = _held(row, State.PLANNED)
        held.state, held.cancelled_at = State.CANCELLED, at
        return _saved(held, by=by, reason=reason)


def _held(row: RestorePlan, state: str) -> RestorePlan:
    held = RestorePlan.objects.select_for_update(of=("self",)).select_related("service", "job__tool", "tester").get(pk=row.pk)
    if held.state != state:
        raise WrongState(f"It is {held.get_state_display()} meanwhile. Nothing was changed.")
    return held


def _saved(row: RestorePlan, *, by: Any, reason: str) -> RestorePlan:
    if problems := problems_of(row):
        raise NotReady(problems)
    with because(reason.strip() or "Planned", by=by):
        row.save()
    return row


def _tell(row: RestorePlan, at: dt.datetime) -> RestorePlan:
    """Through the one way in, like what every tool says: kept as an answer, judged, and explained down to it."""
    rejected, right = row.state == State.REJECTED, row.state == State.VERIFIED and row.compared
    record = {
        "external_id": f"restore plan {row.pk}", "job_external_id": row.job.external_id, "operation": "restore_test",
        "evidence_kind": "manual", "level": "full" if row.scope == "full" else "unknown", "created_at": iso(row.made_at),
        "started_at": iso(row.started_at), "ended_at": iso(row.ended_at), "source_revision": "1" if row.state == State.RECORDED else "2",
        "outcome": "unknown" if rejected else "success" if row.outcome == "passed" else "failed",
        "verification_state": "failed" if row.compared is False else "passed" if right else "none",
        "native_message": f"{row.remark} {row.finding}".strip(),
    }  # fmt: skip
    step = Step(name="restore plan", stdout=msgspec.json.encode(record).decode())
    meta = {"content_type": "application/json", "received_at": iso(at)}
    receipt = intake.receive(tool=row.job.tool, answer=Answer(kind="api", steps=[step], meta=meta), at=at)
    if row.run_id is None:
        row.run_id = receipt.results[0].run
        with because("Became a run"):
            row.save()
    return row
