"""What a job's schedule means for its ledger: from which instant on, and in which phase."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from itsm_backup.common.time import local_day
from monitoring.asking import array, fetch
from monitoring.models import BackupJob
from monitoring.schedules import Schedule

COUNTED = ("backup", "copy", "replicate", "log_backup")
# One run dated years back, by a wrong clock, must not make a ledger of all the years since.
_REACH = {"MINUTELY": dt.timedelta(days=7), "HOURLY": dt.timedelta(days=100)}
REACH = dt.timedelta(days=400)


_FIRST_RUNS = """
SELECT asked.job, (SELECT min(occurred_at) FROM monitoring_backuprun
  WHERE job_id = asked.job AND operation = ANY(%s) AND occurred_at >= asked.since)
FROM unnest(%s::bigint[], %s::timestamptz[]) AS asked(job, since)
"""


def beginnings(jobs: Sequence[BackupJob]) -> dict[int, dt.datetime]:
    """Where the ledger of each job begins: at its first known run, or when its tool came under watch; never longer ago than its reach."""
    watched = {job.pk: job.tool.monitored_from for job in jobs}
    since = [watched[job.pk] - _reach(job) for job in jobs]
    found = fetch(_FIRST_RUNS, [list(COUNTED), array(watched), array(since)]) if jobs else []
    return {job: min(first or watched[job], watched[job]) for job, first in found}


def _reach(job: BackupJob) -> dt.timedelta:
    return next((reach for word, reach in _REACH.items() if word in job.schedule.rrule.upper()), REACH)


def schedule_of(job: BackupJob, begins: dt.datetime | None = None) -> Schedule:
    """The job's pure schedule from the day its ledger begins, or from the day that people set."""
    return job.schedule.parsed(start_on=local_day(begins or beginnings([job])[job.pk], job.schedule.zone))
