"""What a repository still holds of what was written to it: old copies are thinned out, as its retention rule says. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from zoneinfo import ZoneInfo

from itsm_backup.demo.planning import ZONE, Run

ALL_FOR = dt.timedelta(hours=26)
DAILY_FOR = dt.timedelta(days=8)
WEEKLY_FOR = dt.timedelta(days=45)


def kept(runs: Iterable[Run], *, at: dt.datetime, read_until: dt.datetime) -> list[Run]:
    """The copies that a listing at `at` shows: all of the last day and since it was last read, then one a day, then one a week.

    The newest copy is never thrown away.
    """
    copies = [run for run in runs if run.leaves_copy]
    found: list[Run] = []
    days: set[dt.date] = set()
    weeks: set[tuple[int, int]] = set()
    for run in sorted(copies, key=lambda run: run.started_at, reverse=True):
        day = run.due_at.astimezone(ZoneInfo(ZONE)).date()
        week = (day.isocalendar().year, day.isocalendar().week)
        age = at - run.started_at
        recent = age <= ALL_FOR or run.ended_at > read_until or not found
        if recent or (age <= DAILY_FOR and day not in days) or (age <= WEEKLY_FOR and week not in weeks):
            found.append(run)
            if not recent or age > ALL_FOR:
                days.add(day)
                weeks.add(week)
    return found[::-1]


def kept_by_levels(runs: Iterable[Run], *, at: dt.datetime, read_until: dt.datetime) -> list[Run]:
    """The same of a repository with full, differential and incremental backups: incremental ones live until the next differential one."""
    copies = sorted((run for run in runs if run.leaves_copy), key=lambda run: run.started_at)
    bases = [run for run in copies if run.level != "incr"]
    newest = (bases or copies)[-1 if bases else 0].started_at if copies else at
    found = []
    for run in copies:
        limit = WEEKLY_FOR if run.level == "full" or run is copies[0] else DAILY_FOR  # the first one of all builds on nothing: a full one
        if run.level == "incr" and run is not copies[0]:
            lasts = run.started_at > newest
        else:
            lasts = at - run.started_at <= limit or run in bases[-1:]
        if lasts or run.ended_at > read_until:
            found.append(run)
    return found
