"""What a job's schedule means for its ledger: from which instant on, and in which phase."""

from __future__ import annotations

import datetime as dt

from django.db.models import Min

from itsm_backup.common.time import local_day
from monitoring.models import BackupJob, BackupRun
from monitoring.schedules import Schedule

COUNTED = ("backup", "copy", "replicate", "log_backup")
# One run dated years back, by a wrong clock, must not make a ledger of all the years since.
_REACH = {"MINUTELY": dt.timedelta(days=7), "HOURLY": dt.timedelta(days=100)}
REACH = dt.timedelta(days=400)


def begins_at(job: BackupJob) -> dt.datetime:
    """Where the ledger of the job begins: at its first known run, or when its tool came under watch; never longer ago than its reach."""
    watched = job.tool.monitored_from
    reach = next((reach for word, reach in _REACH.items() if word in job.schedule.rrule.upper()), REACH)
    runs = BackupRun.objects.filter(job=job, operation__in=COUNTED, occurred_at__gte=watched - reach)
    return min(runs.aggregate(first=Min("occurred_at"))["first"] or watched, watched)


def schedule_of(job: BackupJob, begins: dt.datetime | None = None) -> Schedule:
    """The job's pure schedule from the day its ledger begins, or from the day that people set."""
    return job.schedule.parsed(start_on=local_day(begins or begins_at(job), job.schedule.zone))
