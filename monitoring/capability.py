"""What the backups of a service can do, as measured: the other side of the inequalities that its promise must respect."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection
from itertools import pairwise
from typing import Any

from django.db import connection

from catalogue.checking import Measured
from catalogue.models import Service
from monitoring import planning, schedules
from monitoring.models import BackupJob
from monitoring.models.runs import BackupRun
from monitoring.schedules import Schedule

LOOKS_BACK = dt.timedelta(days=30)
TESTS_COUNT_FOR = dt.timedelta(days=400)
AHEAD = (dt.timedelta(days=15), dt.timedelta(days=100))  # far enough for a weekly schedule, then for a monthly one
MOST_RUNS = 1_000
# How long good runs took, and how much later than their end the copy could be used: the slowest 5 % left out.
_PACE = """
SELECT asked.service, pace.* FROM unnest(%(services)s::bigint[]) asked(service) CROSS JOIN LATERAL (
SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM ended_at - started_at)),
       percentile_cont(0.95) WITHIN GROUP (ORDER BY greatest(extract(epoch FROM available_at - ended_at), 0))
FROM (SELECT r.started_at, r.ended_at, p.available_at
      FROM monitoring_backuprun r LEFT JOIN monitoring_restorepoint p ON p.run_id = r.id
      WHERE r.service_id = asked.service AND r.occurred_at > %(since)s AND r.occurred_at <= %(at)s AND r.outcome = ANY(%(good)s)
        AND r.operation = ANY(%(counted)s) AND r.started_at IS NOT NULL AND r.ended_at IS NOT NULL
      ORDER BY r.occurred_at DESC LIMIT %(most)s) runs) pace
"""
_RESTORES = """
SELECT asked.service, taken.* FROM unnest(%(services)s::bigint[]) asked(service) CROSS JOIN LATERAL (
SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_s)
FROM (SELECT t.duration_s FROM monitoring_restoretest t JOIN monitoring_backupjob j ON j.id = t.job_id
      WHERE j.service_id = asked.service AND t.scope = 'full' AND t.outcome = 'passed' AND t.duration_s IS NOT NULL
        AND t.ended_at > %(tested_since)s AND t.ended_at <= %(at)s
      ORDER BY t.ended_at DESC LIMIT %(most)s) tests) taken
"""


def measured(service: Service, at: dt.datetime) -> Measured:
    """The longest time between two due starts of one job, the usual pace of the last 30 days, and how long restores took."""
    return measured_of_many([service.pk], at)[service.pk]


def measured_of_many(services: Collection[int], at: dt.datetime) -> dict[int, Measured]:
    """The same of each of these services; three queries, however many."""
    asked: dict[str, Any] = {
        "services": list(services), "at": at, "since": at - LOOKS_BACK, "tested_since": at - TESTS_COUNT_FOR, "most": MOST_RUNS,
        "good": list(BackupRun.GOOD), "counted": list(planning.COUNTED),
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_PACE, asked)
        pace = {service: (duration_s, lag_s) for service, duration_s, lag_s in cursor.fetchall()}
        cursor.execute(_RESTORES, asked)
        restores = dict(cursor.fetchall())
    jobs: dict[int | None, list[BackupJob]] = defaultdict(list)
    for job in BackupJob.objects.filter(service__in=services).select_related("schedule", "tool"):
        jobs[job.service_id].append(job)
    known: dict[Schedule, int | None] = {}
    return {
        pk: Measured(
            interval_s=_longest(jobs[pk], known, at), p95_duration_s=_whole(pace[pk][0]), copy_lag_s=_whole(pace[pk][1]),
            restore_p95_s=_whole(restores[pk]), jobs=len(jobs[pk]),
        )
        for pk in asked["services"]
    }  # fmt: skip


def _longest(jobs: list[BackupJob], known: dict[Schedule, int | None], at: dt.datetime) -> int | None:
    """The longest gap of all of them; each schedule is worked out once (`known`), however many jobs share it."""
    gaps = []
    for job in jobs:
        if hasattr(job, "schedule"):
            schedule = job.schedule.parsed(start_on=at.date())
            if schedule not in known:
                known[schedule] = _longest_gap(schedule, at)
            gaps.append(known[schedule])
    return max((gap for gap in gaps if gap is not None), default=None)


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else round(float(seconds))


def _longest_gap(schedule: Schedule, at: dt.datetime) -> int | None:
    """The longest time from one due start to the next; None for a job that is due less than twice in the time looked at."""
    for ahead in AHEAD:
        due = [occurrence.due_at for occurrence in schedules.occurrences(schedule, at, at + ahead)]
        if len(due) > 1:
            return max(round((later - earlier).total_seconds()) for earlier, later in pairwise(due))
    return None
