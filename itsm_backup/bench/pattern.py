"""Two services with a true history, made by the product's own acts: one keeps its promise, one fails since three days."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
from django.contrib.auth import get_user_model

from catalogue import publishing
from catalogue.models import Service, Team
from itsm_backup import journey
from itsm_backup.common.models import because
from itsm_backup.common.time import iso
from monitoring import intake, partitions, tokens
from monitoring.connectors.base import Answer, Step
from monitoring.declaring import declare_job, declare_tool
from monitoring.models import ApiToken, AttributionCondition, AttributionRule, BackupJob, JobSchedule, Tool

A_DAY = 2  # runs
TIMES = "02:00,14:00"
REASON = "benchmark"
FAILING_DAYS = 3
MOST_A_CALL = 2_500


class Pattern(msgspec.Struct, kw_only=True):
    """What the copies are made of."""

    at: dt.datetime
    kept: int  # ids of the two services
    failing: int
    tool: int
    person: int  # a superuser
    token: str  # of the tool, for the bulk endpoint


def make(*, at: dt.datetime, runs: int) -> Pattern:
    """The two services, each with so many runs up to `at`, carried through the whole journey."""
    start = at - dt.timedelta(days=runs // A_DAY + 2)
    partitions.ensure_partitions(at=at)
    author, root = _person("author"), _person("root", is_staff=True, is_superuser=True)
    with because(REASON, by=root):
        team = Team.objects.create(name="Operations", email="operations@example.org")
    tool = declare_tool(name="bench", kind="push", by=root, at=at - dt.timedelta(days=FAILING_DAYS), reason=REASON).row
    kept, failing = (_service(code, author, root, team, start) for code in ("KEPT", "FAILING"))
    for service in (kept, failing):
        job = declare_job(tool=tool, external_id=service.code.lower(), at=start).row
        _watch(job, service, start, root)
    journey.advance(at=start)
    for name, fails_from in (("kept", at), ("failing", at - dt.timedelta(days=FAILING_DAYS))):
        _send(tool, _records(name, runs, at, fails_from), at)
    journey.advance(at=at)
    token = tokens.issue(user=root, scope=ApiToken.Scope.INGEST, tool=tool, at=at, days=1)
    return Pattern(at=at, kept=kept.pk, failing=failing.pk, tool=tool.pk, person=root.pk, token=token)


def _person(name: str, **rights: bool) -> Any:
    return get_user_model().objects.create_user(name, f"{name}@example.org", None, **rights)


def _service(code: str, author: Any, root: Any, team: Team, start: dt.datetime) -> Service:
    service = publishing.create_service(code=code, by=author, at=start, reason=REASON)
    content = {
        "name": f"Service {code.lower()}", "short_name": code.lower(), "tier": 2, "department": "Department", "zone": "UTC",
        "commissioned_at": start, "owner": author, "steward": author, "operations_team": team, "labels": ["Patient data"],
    }  # fmt: skip
    commitment = {"rpo_s": 26 * 3600, "success_rate": "0.98"}
    version = publishing.draft_version(service=service, content=content, commitment=commitment, by=author, at=start, reason=REASON)
    publishing.submit(version=version, by=author, at=start, reason=REASON)
    publishing.approve(version=version, by=root, at=start, reason=REASON)
    return service


def _watch(job: BackupJob, service: Service, start: dt.datetime, root: Any) -> None:
    with because(REASON, by=root):
        JobSchedule.objects.create(job=job, rrule="FREQ=DAILY", local_times=TIMES, zone="UTC")
        rule = AttributionRule.objects.create(name=service.code, service=service, tool=job.tool, valid_from=start)
        AttributionCondition.objects.create(rule=rule, field="external_id", value=job.external_id)


def _records(job: str, runs: int, at: dt.datetime, fails_from: dt.datetime) -> list[dict[str, Any]]:
    """The newest `runs` runs that are over at `at`, oldest first."""
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    due = (day - dt.timedelta(days=n) + dt.timedelta(hours=hour) for n in range(runs) for hour in (14, 2))
    begun = [instant for instant in due if instant + dt.timedelta(minutes=10) <= at][:runs]
    return [record(job, started_at, good=started_at < fails_from) for started_at in begun[::-1]]


def record(job: str, started_at: dt.datetime, *, good: bool = True) -> dict[str, Any]:
    """One run as a script would send it."""
    return {
        "external_id": f"{job}@{started_at:%Y%m%dT%H%M%S.%f}",
        "job_external_id": job,
        "operation": "backup",
        "level": "incremental",
        "outcome": "success" if good else "failed",
        "started_at": iso(started_at),
        "ended_at": iso(started_at + dt.timedelta(minutes=10)),
        "bytes_source": 158_000_000_000,
        "bytes_stored": 2_400_000_000,
        "files_total": 182_000,
        "exit_code": 0 if good else 1,
        **({} if good else {"native_message": "Fatal: unable to save snapshot: no space left on device"}),
    }


def _send(tool: Tool, records: list[dict[str, Any]], at: dt.datetime) -> None:
    for first in range(0, len(records), MOST_A_CALL):
        body = msgspec.json.encode(records[first : first + MOST_A_CALL]).decode()
        answer = Answer(kind="api", steps=[Step(name="body", stdout=body)], meta={"content_type": "application/json"})
        intake.receive(tool=tool, answer=answer, at=at)
