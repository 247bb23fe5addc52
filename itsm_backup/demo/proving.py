"""The demo's restore tests: every few weeks most jobs restore everything and compare it; one of them found that it differs. Pure."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import random
from collections.abc import Iterator, Mapping
from typing import Any

from itsm_backup.demo import planning, recordings
from itsm_backup.demo.answering import instant
from itsm_backup.demo.planning import Job
from itsm_backup.demo.stories import local_day
from monitoring.connectors.base import Answer, Step

EVERY_DAYS = 28
AT = dt.time(10, 15)
FAILED_JOB = ("restic-digital", "endoscopy01:/srv/endoscopy")
FAILED_DAYS_AGO = 4
UNTESTED = ("borg-campus", "borg-corporate coding01:coding", "scripts", "restic-research")  # nobody has tried these yet
SHARE_OF_RTO = (0.3, 0.7)


def tests(jobs: Mapping[tuple[str, str], Job], rto_s: Mapping[tuple[str, str], int], anchor_at: dt.datetime) -> Any:
    """A function that gives the restore tests of a tool that ended in (since, until], as (end, report)."""

    def of_tool(tool: str, since: dt.datetime, until: dt.datetime) -> Iterator[tuple[dt.datetime, Answer]]:
        for place, (key, job) in enumerate(jobs.items()):
            if job.tool != tool or job.tool in UNTESTED or f"{job.tool} {job.name}" in UNTESTED:
                continue
            first = FAILED_DAYS_AGO if key == FAILED_JOB else 1 + place * 5 % EVERY_DAYS
            for started_at in _instants(first, anchor_at, since, until):
                fails = key == FAILED_JOB and local_day(started_at) == local_day(anchor_at) - dt.timedelta(days=FAILED_DAYS_AGO)
                ended_at = started_at + dt.timedelta(seconds=_seconds(job, rto_s[key], started_at))
                if since < ended_at <= until:
                    yield ended_at, _report(job, started_at, ended_at, verified=not fails)

    return of_tool


def _instants(first: int, anchor_at: dt.datetime, since: dt.datetime, until: dt.datetime) -> Iterator[dt.datetime]:
    """When the tests of a job begin: so many days before the anchor, and every four weeks before and after."""
    last = local_day(anchor_at) - dt.timedelta(days=first)
    reach = range(-5, 1 + (local_day(until) - last).days // EVERY_DAYS)
    for day in (last + dt.timedelta(days=n * EVERY_DAYS) for n in reach):
        if since.date() - dt.timedelta(days=3) <= day:
            yield dt.datetime.combine(day, AT, planning.zone()).astimezone(dt.UTC)


def _seconds(job: Job, rto_s: int, started_at: dt.datetime) -> int:
    chance = random.Random(hashlib.sha256(f"{job.name} {started_at.isoformat()}".encode()).hexdigest())  # noqa: S311 - varies figures
    return round(rto_s * chance.uniform(*SHARE_OF_RTO))


def _report(job: Job, started_at: dt.datetime, ended_at: dt.datetime, *, verified: bool) -> Answer:
    """What the script that restored and compared sends: the recorded output of the restore, and whether the content was the same."""
    command, stdout = {"restic": _restic, "borg": _borg, "pgbackrest": _pgbackrest}[job.kind](job, started_at)
    report = {
        "tool": job.kind,
        "command": command,
        "exit_code": 0,
        "stdout": stdout,
        "started_at": instant(started_at),
        "finished_at": instant(ended_at),
        "host": job.host,
        "job_external_id": job.name,
        "restore_test": "full",
        "verified": verified,
    }
    step = Step(name="body", stdout=json.dumps([report]))
    return Answer(kind="api", steps=[step], meta={"content_type": "application/json", "received_at": instant(ended_at)})


def _restic(job: Job, at: dt.datetime) -> tuple[str, str]:
    files = max(12, job.size_bytes // 4_000_000)
    summary = {**json.loads(recordings.text("restic-restore.json")), "total_files": files, "files_restored": files}
    summary |= {"total_bytes": job.size_bytes, "bytes_restored": job.size_bytes}
    return f"restic restore latest --json --path {job.place} --host {job.host} --target /srv/restore", json.dumps(summary)


def _borg(job: Job, at: dt.datetime) -> tuple[str, str]:
    return f"borg extract --log-json ::{job.host}-{job.place}-{at - dt.timedelta(days=1):%Y-%m-%d}", ""


def _pgbackrest(job: Job, at: dt.datetime) -> tuple[str, str]:
    recorded = recordings.text("pgbackrest-restore.txt").replace("--stanza=shop", f"--stanza={job.name}")
    moved = [f"{at:%Y-%m-%d %H:%M:%S}{line[19:]}" if line[:2] == "20" else line for line in recorded.splitlines()]
    return f"pgbackrest --stanza={job.name} restore --pg1-path=/srv/restore --log-level-console=info", "\n".join(moved)
