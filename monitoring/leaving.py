"""What the monitoring says when an entry leaves the catalogue: jobs at work stand in its way, and alerts of a retired one are over."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from django.db.models import Q

from catalogue.models import Service
from monitoring.models import Alert, BackupJob

AT_WORK = dt.timedelta(days=2)  # a job that its tool named within that time goes on


def jobs_at_work(service: Service, at: dt.datetime) -> Iterable[str]:
    """One sentence while jobs still run for it, or are still expected to."""
    jobs = BackupJob.objects.filter(service=service).filter(Q(schedule__isnull=False) | Q(last_seen_at__gte=at - AT_WORK))
    names = list(jobs.order_by("name").values_list("name", flat=True))
    if names:
        told = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        yield (
            f"{'A job still runs' if len(names) == 1 else f'{len(names)} jobs still run'} for it ({told}): end"
            f" {'it' if len(names) == 1 else 'them'} in the tool and delete the schedule, or give"
            f" {'it' if len(names) == 1 else 'them'} to another entry by a rule."
        )


def clear_retired(*, at: dt.datetime) -> int:
    """Nothing is promised of a retired entry any more: its open alerts are over. Returns how many."""
    over = Alert.objects.open().filter(service__lifecycle=Service.Lifecycle.RETIRED)
    return over.update(state="resolved", resolved_at=at) if over.exists() else 0
