"""Who has set what is measured of a service: its schedules, and the rules by which jobs belong to it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from monitoring.models import AttributionRule, JobSchedule

LATELY = dt.timedelta(days=365)


def has_set(*, by: Any, on: Any, at: dt.datetime) -> bool:
    """Whether the person set a schedule or a rule of this service, or of this version's service, in the last year."""
    service = getattr(on, "service", on)
    lately = {"history_user": by.pk, "history_date__gte": at - LATELY}
    jobs = service.jobs.values("pk")
    return (
        JobSchedule.history.filter(job__in=jobs, **lately).exists() or AttributionRule.history.filter(service=service.pk, **lately).exists()
    )
