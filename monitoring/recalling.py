"""What happened to jobs, read for their alerts: what is new, and what each came to before that."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from catalogue.counted_days import calendar_of
from catalogue.models import ServiceVersion, Window
from monitoring.asking import array
from monitoring.flapping import Outcome
from monitoring.matching import CountedDays
from monitoring.models import BackupJob, BackupRun, ExpectedRun, JobState
from monitoring.narrating import Event, Order, heard
from monitoring.planning import COUNTED

LONGEST_RUN = dt.timedelta(days=7)
BAD = ("failed", "partial", "cancelled")


class News(msgspec.Struct, kw_only=True):
    """A job whose alerts are to be brought in line; `news_from` is the earliest instant that something new or corrected is about."""

    job: BackupJob
    state: JobState
    windows: Sequence[Window]
    news_from: dt.datetime | None

    @property
    def floor(self) -> dt.datetime:
        watched: dt.datetime = self.job.tool.monitored_from
        return max(watched, self.state.told_from or watched)


def news_of(jobs: Sequence[BackupJob]) -> list[News]:
    """Jobs whose alerts are told again without anything new."""
    windows = windows_of(job.service_id for job in jobs if job.service_id)
    return [News(job=job, state=job.state, windows=windows.get(job.service_id or 0, []), news_from=None) for job in jobs]


def windows_of(service_ids: Iterable[int]) -> dict[int, list[Window]]:
    """The maintenance windows of each service."""
    found: dict[int, list[Window]] = defaultdict(list)
    for window in Window.objects.filter(service__in=set(service_ids)).order_by("pk"):
        found[window.service_id].append(window)
    return found


def counted_days_of(service_ids: Iterable[int]) -> dict[int, list[CountedDays]]:
    """The measurement calendars of each service, those of all its approved versions that have one."""
    found: dict[int, list[CountedDays]] = defaultdict(list)
    rows = ServiceVersion.objects.approved().filter(service__in=set(service_ids), commitment__measurement_calendar__gt="")
    names = ("service", "number", "effective", "zone", "commitment__measurement_calendar")
    for service, number, effective, zone, text in rows.order_by("number").values_list(*names):
        spans = {"starts_at": effective.lower, "ends_at": effective.upper}
        found[service].append(CountedDays(version=number, zone=zone, calendar=calendar_of(text), **spans))
    return found


_RUNS = """
SELECT r.id, r.job_id, r.outcome, r.message, r.occurred_at, r.ended_at
FROM unnest(%(jobs)s::bigint[], %(since)s::timestamptz[]) AS asked(job, since)
JOIN monitoring_backuprun r ON r.job_id = asked.job AND r.occurred_at >= asked.since - %(longest)s
WHERE r.state = 'finished' AND r.operation = ANY(%(counted)s) AND r.outcome = ANY(%(outcomes)s)
  AND coalesce(r.ended_at, r.occurred_at) BETWEEN asked.since AND %(at)s
"""
_MISSED = """
SELECT e.* FROM unnest(%(jobs)s::bigint[], %(since)s::timestamptz[]) AS asked(job, since)
JOIN monitoring_expectedrun e ON e.job_id = asked.job AND e.deadline_at >= asked.since
WHERE e.deadline_at <= %(at)s AND e.state IN ('missed', 'satisfied_late') AND NOT e.backfilled AND NOT EXISTS (
  SELECT FROM monitoring_backuprun r WHERE r.job_id = e.job_id AND r.operation = ANY(%(counted)s)
    AND r.occurred_at BETWEEN e.opens_at AND e.deadline_at AND coalesce(r.outcome, '') NOT IN ('missed', 'skipped'))
"""


def events_of(since: Mapping[int, Order], at: dt.datetime) -> dict[int, list[Event]]:
    """By job, what happened to it from where telling begins until `at`, in order."""
    asked = {
        "jobs": array(since), "since": array(start for start, _ in since.values()), "longest": LONGEST_RUN, "at": at,
        "counted": list(COUNTED), "outcomes": [*BAD, *BackupRun.GOOD],
    }  # fmt: skip
    found: dict[int, list[Event]] = {job: [] for job in since}
    for run in BackupRun.objects.raw(_RUNS, asked):
        found[run.job_id].append(Event(at=run.ended_at or run.occurred_at, run=run))
    for row in ExpectedRun.objects.raw(_MISSED, asked):
        found[row.job_id].append(Event(at=row.deadline_at, missed=row))
    return {
        job: sorted((event for event in some if event.order > since[job]), key=lambda event: event.order) for job, some in found.items()
    }


_MISSED_BEFORE = """
SELECT e.* FROM unnest(%(jobs)s::bigint[], %(since)s::timestamptz[], %(floor)s::timestamptz[]) AS asked(job, since, floor)
CROSS JOIN LATERAL (
  SELECT e.* FROM monitoring_expectedrun e
  WHERE e.job_id = asked.job AND e.deadline_at BETWEEN asked.floor AND asked.since
    AND e.state IN ('missed', 'satisfied_late') AND NOT e.backfilled AND NOT EXISTS (
    SELECT FROM monitoring_backuprun r WHERE r.job_id = e.job_id AND r.operation = ANY(%(counted)s)
      AND r.occurred_at BETWEEN e.opens_at AND e.deadline_at AND coalesce(r.outcome, '') NOT IN ('missed', 'skipped'))
  ORDER BY e.due_at DESC LIMIT %(most)s) e
"""
_RUNS_BEFORE = """
SELECT r.* FROM unnest(%(jobs)s::bigint[], %(since)s::timestamptz[], %(floor)s::timestamptz[]) AS asked(job, since, floor)
CROSS JOIN LATERAL (
  SELECT id, job_id, outcome, occurred_at, ended_at FROM monitoring_backuprun r
  WHERE r.job_id = asked.job AND r.state = 'finished' AND r.operation = ANY(%(counted)s) AND r.outcome = ANY(%(outcomes)s)
    AND r.occurred_at <= asked.since AND coalesce(r.ended_at, r.occurred_at) BETWEEN asked.floor AND asked.since
  ORDER BY r.occurred_at DESC LIMIT %(most)s) r
"""


def outcomes_before(news: Iterable[News], since: Mapping[int, Order], jobs: Iterable[int], most: int) -> dict[int, list[Outcome]]:
    """What these jobs came to last before telling begins, oldest first."""
    works = {one.job.pk: one for one in news if one.job.pk in set(jobs)}
    if not works:
        return {}
    floors, starts = {pk: one.floor for pk, one in works.items()}, {pk: since[pk][0] for pk in works}
    asked = {
        "jobs": array(works), "since": array(starts.values()), "floor": array(floors.values()), "counted": list(COUNTED),
        "outcomes": [*BAD, *BackupRun.GOOD], "most": most,
    }  # fmt: skip
    events: dict[int, list[Event]] = {pk: [] for pk in works}
    for run in BackupRun.objects.raw(_RUNS_BEFORE, asked):
        events[run.job_id].append(Event(at=run.ended_at or run.occurred_at, run=run))
    for row in ExpectedRun.objects.raw(_MISSED_BEFORE, asked):
        events[row.job_id].append(Event(at=row.deadline_at, missed=row))
    found = {}
    for pk, some in events.items():
        told = sorted((event for event in some if event.order <= since[pk]), key=lambda event: event.order)
        found[pk] = [event.outcome for event in heard(told, works[pk].windows, starts[pk]) if event.counts][-most:]
    return found
