"""The stories of the demo: what went otherwise than planned. They count from the instant of loading, and go on as time passes. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from itsm_backup.demo.planning import ZONE, Deviation, Happens, Job, due_on

REMARKS = Path(__file__).with_name("remarks.yaml")
FULL_POOL = "restic-imaging"
SILENT_TOOL = "restic-research"
VANISHED = ("borg-campus", "lib01:catalogue")
MISSED_NIGHT = ("borg-campus", "pex01:volunteers")
LEADING = "pacs01:/srv/images"  # the job whose failures begin the story of the full pool
POOL_FULL_FOR = dt.timedelta(hours=6)
SILENT_DAYS, VANISHED_DAYS = 3, 9
SILENT_FROM = dt.time(22, 4)


def pool_full_from(jobs: Mapping[tuple[str, str], Job], anchor_at: dt.datetime) -> dt.datetime:
    """From when on nothing can be written into the imaging pool: right after the last good copy, six to eight hours before loading."""
    job = jobs[FULL_POOL, LEADING]
    day = local_day(anchor_at)
    dues = [due for one in (day - dt.timedelta(days=1), day) for due in due_on(job.schedule, one)]
    return max(due for due in dues if due <= anchor_at - POOL_FULL_FOR) + dt.timedelta(minutes=1)


def silent_from(anchor_at: dt.datetime) -> dt.datetime:
    """From when on the agent of the research shares does not answer."""
    return dt.datetime.combine(local_day(anchor_at) - dt.timedelta(days=SILENT_DAYS), SILENT_FROM, ZoneInfo(ZONE)).astimezone(dt.UTC)


def vanished_from(anchor_at: dt.datetime) -> dt.datetime:
    """From when on the library's job does not run any more."""
    day = local_day(anchor_at) - dt.timedelta(days=VANISHED_DAYS)
    return dt.datetime.combine(day, dt.time(12), ZoneInfo(ZONE)).astimezone(dt.UTC)


def missed_due(jobs: Mapping[tuple[str, str], Job], anchor_at: dt.datetime) -> dt.datetime:
    """The night that the volunteers' database missed: the last one whose time was up when the estate was loaded."""
    job = jobs[MISSED_NIGHT]
    day = local_day(anchor_at)
    dues = [due for n in (2, 1, 0) for due in due_on(job.schedule, day - dt.timedelta(days=n))]
    return max(due for due in dues if due + dt.timedelta(seconds=job.schedule.grace_s) < anchor_at - dt.timedelta(minutes=20))


def told(jobs: Mapping[tuple[str, str], Job], anchor_at: dt.datetime) -> Deviation:
    """What happened to a due run: one of the stories, one of the remarks of the past, or (None) nothing particular."""
    full_from, gone_from, missed_at = pool_full_from(jobs, anchor_at), vanished_from(anchor_at), missed_due(jobs, anchor_at)
    remarks = remarked(jobs, anchor_at)

    def deviation(job: Job, due_at: dt.datetime) -> Happens | None:
        if job.tool == FULL_POOL and due_at >= full_from:
            return "failed"
        if (job.tool, job.name) == VANISHED and due_at >= gone_from:
            return "missed"
        if (job.tool, job.name) == MISSED_NIGHT and due_at == missed_at:
            return "missed"
        return remarks.get((job.tool, job.name, due_at))

    return deviation


def remarked(jobs: Mapping[tuple[str, str], Job], anchor_at: dt.datetime) -> dict[tuple[str, str, dt.datetime], Happens]:
    """The remarks of the past by job and due instant; those that fall on a day without that occurrence are left out."""
    found = {}
    for remark in remarks():
        day = local_day(anchor_at) - dt.timedelta(days=remark["days_ago"])
        meant = [job for (tool, name), job in jobs.items() if tool == remark["tool"] and remark.get("job", name) == name]
        for job in meant:
            for due in _meant(remark, due_on(job.schedule, day)):
                found[job.tool, job.name, due] = remark["what"]
    return found


def _meant(remark: dict[str, Any], dues: Sequence[dt.datetime]) -> list[dt.datetime]:
    """What of a day's occurrences a remark is about: those of a span, or one by its place."""
    if "from" in remark:
        start, end = dt.time.fromisoformat(remark["from"]), dt.time.fromisoformat(remark["until"])
        return [due for due in dues if start <= due.astimezone(ZoneInfo(ZONE)).time() < end]
    return [dues[min(remark.get("place", 0), len(dues) - 1)]] if dues else []


def remarks() -> list[dict[str, Any]]:
    return yaml.safe_load(REMARKS.read_text())


def local_day(instant: dt.datetime) -> dt.date:
    return instant.astimezone(ZoneInfo(ZONE)).date()
