"""What a job's schedule means for its ledger: from which instant on, and in which phase."""

from __future__ import annotations

import datetime as dt

from django.db.models import Min

from itsm_backup.common.time import local_day
from monitoring.models import BackupJob, BackupRun
from monitoring.schedules import Schedule

COUNTED = ("backup", "copy", "replicate", "log_backup")


def begins_at(job: BackupJob) -> dt.datetime:
    """Where the ledger of the job begins: at its first known run, or when its tool came under watch."""
    first = BackupRun.objects.filter(job=job, operation__in=COUNTED).aggregate(first=Min("occurred_at"))["first"]
    return min(first or job.tool.monitored_from, job.tool.monitored_from)


def schedule_of(job: BackupJob, begins: dt.datetime | None = None) -> Schedule:
    """The job's pure schedule from the day its ledger begins, or from the day that people set."""
    return job.schedule.parsed(start_on=local_day(begins or begins_at(job), job.schedule.zone))
