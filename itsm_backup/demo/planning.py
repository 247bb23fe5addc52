"""What the demo's jobs do: every run of every job, from its schedule, the same whenever it is asked for. Pure."""

from __future__ import annotations

import datetime as dt
import hashlib
import random
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from monitoring import schedules
from monitoring.schedules import Schedule

Happens = Literal["success", "warning", "failed", "late", "missed"]
ZONE = "Europe/London"
GB = 10**9
LATE = dt.timedelta(minutes=12)
_SEED = "Northmoor"


class Job(msgspec.Struct, kw_only=True, frozen=True):
    """A job of the demo: when it is due, what it holds, how long it takes."""

    tool: str
    kind: str
    name: str
    schedule: Schedule
    size_bytes: int
    changed: float
    minutes: float
    full_on: int | None = None  # day of the week (Monday is 0) of its full backup

    @property
    def host(self) -> str:
        return self.name.partition(":")[0]

    @property
    def place(self) -> str:
        return self.name.partition(":")[2]


class Run(msgspec.Struct, kw_only=True, frozen=True):
    """One run as it happened."""

    job: Job
    due_at: dt.datetime
    started_at: dt.datetime
    ended_at: dt.datetime
    outcome: Literal["success", "warning", "failed"]
    level: Literal["full", "diff", "incr"]
    bytes_source: int
    bytes_stored: int
    id: str  # 64 hexadecimal digits

    @property
    def leaves_copy(self) -> bool:
        return self.outcome != "failed"


Deviation = Callable[[Job, dt.datetime], Happens | None]


def zone() -> ZoneInfo:
    """The zone in which the demo lives."""
    return ZoneInfo(ZONE)


def due_on(schedule: Schedule, day: dt.date) -> tuple[dt.datetime, ...]:
    """The instants due on a local day."""
    return tuple(_due_in(schedule, day.replace(day=1)).get(day, ()))


@lru_cache(maxsize=5_000)
def _due_in(schedule: Schedule, first: dt.date) -> dict[dt.date, list[dt.datetime]]:
    """What is due in the month that begins on `first`, by local day: expanding a day costs nearly as much as a month."""
    zone = ZoneInfo(schedule.zone)
    after = (first + dt.timedelta(days=32)).replace(day=1)
    start, end = (dt.datetime.combine(one, dt.time(), zone).astimezone(dt.UTC) for one in (first, after))
    found: dict[dt.date, list[dt.datetime]] = {}
    for occurrence in schedules.occurrences(schedule, start, end):
        found.setdefault(occurrence.due_at.astimezone(zone).date(), []).append(occurrence.due_at)
    return found


def runs(job: Job, since: dt.datetime, until: dt.datetime, deviation: Deviation) -> Iterator[Run]:
    """The job's runs that ended in (since, until], in order of their due times."""
    first = (since - dt.timedelta(days=1)).astimezone(ZoneInfo(job.schedule.zone)).date()
    last = until.astimezone(ZoneInfo(job.schedule.zone)).date()
    for day in (first + dt.timedelta(days=n) for n in range((last - first).days + 1)):
        for place, due_at in enumerate(due_on(job.schedule, day)):
            run = run_of(job, due_at, place, day, deviation(job, due_at) or "success")
            if run and since < run.ended_at <= until:
                yield run


@lru_cache(maxsize=100_000)
def run_of(job: Job, due_at: dt.datetime, place: int, day: dt.date, happens: Happens) -> Run | None:
    """What came of one due occurrence; None when nobody ran. Its figures come from a seed, so they are the same each time."""
    if happens == "missed":
        return None
    digest = hashlib.sha256(f"{_SEED} {job.tool} {job.name} {due_at.isoformat()}".encode()).hexdigest()
    chance = random.Random(digest)  # noqa: S311 - varies figures, guards nothing
    level = _level(job, place, day)
    share = 1.0 if level == "full" else job.changed * chance.uniform(0.6, 1.5) * (3.0 if level == "diff" else 1.0)
    minutes = job.minutes * chance.uniform(0.8, 1.25) * (1.0 if level != "full" else 6.0 if job.full_on is not None else 4.0)
    delay_s = chance.uniform(4, 50) + (job.schedule.grace_s + LATE.total_seconds() if happens == "late" else 0)
    started_at = due_at + dt.timedelta(seconds=round(delay_s))
    minutes = minutes * 0.3 if happens == "failed" else minutes
    grown = 1 + 0.0007 * (day - dt.date(2026, 1, 1)).days / 3
    size = int(job.size_bytes * grown)
    return Run(
        job=job,
        due_at=due_at,
        started_at=started_at,
        ended_at=started_at + dt.timedelta(seconds=round(minutes * 60)),
        outcome="failed" if happens == "failed" else "warning" if happens == "warning" else "success",
        level=level,
        bytes_source=size,
        bytes_stored=int(size * min(share, 1.0) * chance.uniform(0.55, 0.7)),
        id=digest,
    )


def _level(job: Job, place: int, day: dt.date) -> Any:
    """A full backup once a week, a differential one as the first of each other day, else incremental ones."""
    if job.full_on is not None and day.weekday() == job.full_on:
        return "full" if place == 0 else "incr"
    if job.kind == "pgbackrest":
        return "incr" if place else "full" if job.full_on is None and day.weekday() == 6 else "diff"
    return "incr"
