"""A tier 2 service with jobs that fail, for tests of incidents."""

from __future__ import annotations

import datetime as dt
from typing import Any
from unittest import mock

from itsm_backup import journey
from itsm_backup.common.models import because
from monitoring import settling
from monitoring.models import BackupJob, CauseRule, JobState, Tool
from tests.factories import make_job, make_service, make_tool, make_user, push, run_record

HOUR, MINUTE = dt.timedelta(hours=1), dt.timedelta(minutes=1)


def make_cause(name: str = "full-disk", pattern: str = "no space left", component: str = "tool") -> CauseRule:
    with because("test"):
        return CauseRule.objects.create(name=name, title="the storage is full", pattern=pattern, component=component)


def make_estate(at: dt.datetime, *jobs: str, rpo_s: int = 30 * 86_400) -> Tool:
    """One tool with a service per job, all with a first good copy an hour after `at`."""
    tool = make_tool(at=at)
    for name in jobs:
        make_job(tool, name, at=at, service=make_service(f"SVC-{name}", at=at, rpo_s=rpo_s))
    push(tool, *[run_record(name, "success", at + HOUR, minutes=0) for name in jobs], at=at + 2 * HOUR)
    journey.advance(at=at + 2 * HOUR)
    return tool


def fail(tool: Tool, job: str, *instants: dt.datetime, at: dt.datetime | None = None, message: str = "", now: bool = True) -> None:
    more: dict[str, Any] = {"native_message": message} if message else {}
    push(tool, *[run_record(job, "failed", one, minutes=0, **more) for one in instants], at=at or max(instants))
    if now:
        journey.advance(at=at or max(instants))


def recover(tool: Tool, job: str, instant: dt.datetime, *, at: dt.datetime | None = None, now: bool = True) -> None:
    push(tool, run_record(job, "success", instant, minutes=0), at=at or instant)
    if now:
        journey.advance(at=at or instant)


def advance_without(job: str, *, at: dt.datetime) -> None:
    """One round of the journey in which another worker holds the job, so that its news stay unread."""
    held = BackupJob.objects.get(external_id=job).pk
    settle = settling._settle
    with mock.patch.object(settling, "_settle", lambda ids, at: settle([pk for pk in ids if pk != held], at)):
        journey.advance(at=at)
    assert JobState.objects.get(job=held).touched_at is not None


__all__ = ["HOUR", "MINUTE", "advance_without", "fail", "make_cause", "make_estate", "make_user", "recover"]
