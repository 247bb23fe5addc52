"""What the backups of a service can do, as measured: the other side of the inequalities that its promise must respect."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from typing import Any

from django.db import connection

from catalogue.checking import Measured
from catalogue.models import Service
from monitoring import planning, schedules
from monitoring.models import BackupJob
from monitoring.models.runs import BackupRun

LOOKS_BACK = dt.timedelta(days=30)
TESTS_COUNT_FOR = dt.timedelta(days=400)
AHEAD = (dt.timedelta(days=15), dt.timedelta(days=100))  # far enough for a weekly schedule, then for a monthly one
MOST_RUNS = 1_000
# How long good runs took, and how much later than their end the copy could be used: the slowest 5 % left out.
_PACE = """
SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM ended_at - started_at)),
       percentile_cont(0.95) WITHIN GROUP (ORDER BY greatest(extract(epoch FROM available_at - ended_at), 0))
FROM (SELECT r.started_at, r.ended_at, p.available_at
      FROM monitoring_backuprun r LEFT JOIN monitoring_restorepoint p ON p.run_id = r.id
      WHERE r.service_id = %(service)s AND r.occurred_at > %(since)s AND r.occurred_at <= %(at)s AND r.outcome = ANY(%(good)s)
        AND r.operation = ANY(%(counted)s) AND r.started_at IS NOT NULL AND r.ended_at IS NOT NULL
      ORDER BY r.occurred_at DESC LIMIT %(most)s) runs
"""
_RESTORES = """
SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_s)
FROM (SELECT t.duration_s FROM monitoring_restoretest t JOIN monitoring_backupjob j ON j.id = t.job_id
      WHERE j.service_id = %(service)s AND t.scope = 'full' AND t.outcome = 'passed' AND t.duration_s IS NOT NULL
        AND t.ended_at > %(tested_since)s AND t.ended_at <= %(at)s
      ORDER BY t.ended_at DESC LIMIT %(most)s) tests
"""


def measured(service: Service, at: dt.datetime) -> Measured:
    """The longest time between two due starts of one job, the usual pace of the last 30 days, and how long restores took."""
    asked: dict[str, Any] = {
        "service": service.pk, "at": at, "since": at - LOOKS_BACK, "tested_since": at - TESTS_COUNT_FOR, "most": MOST_RUNS,
        "good": list(BackupRun.GOOD), "counted": list(planning.COUNTED),
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_PACE, asked)
        duration_s, lag_s = cursor.fetchone()
        cursor.execute(_RESTORES, asked)
        (restore_s,) = cursor.fetchone()
    jobs = list(BackupJob.objects.filter(service=service).select_related("schedule", "tool"))
    gaps = [gap for gap in (_longest_gap(job, at) for job in jobs if hasattr(job, "schedule")) if gap is not None]
    return Measured(max(gaps, default=None), _whole(duration_s), _whole(lag_s), _whole(restore_s), len(jobs))


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else round(float(seconds))


def _longest_gap(job: BackupJob, at: dt.datetime) -> int | None:
    """The longest time from one due start to the next; None for a job that is due less than twice in the time looked at."""
    schedule = job.schedule.parsed(start_on=at.date())
    for ahead in AHEAD:
        due = [occurrence.due_at for occurrence in schedules.occurrences(schedule, at, at + ahead)]
        if len(due) > 1:
            return max(round((later - earlier).total_seconds()) for earlier, later in pairwise(due))
    return None
