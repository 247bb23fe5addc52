"""When an incident waits for unread news: what is decided before them would have to be taken back in front of everybody."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from django.db.models import Q

from incidents.models import Incident
from monitoring.models import Alert, JobState
from monitoring.models.alerts import OPEN_STATES

PATIENCE = dt.timedelta(minutes=5)  # a job whose news cannot be read holds nothing up for longer


def may_be_over(incident: Incident, alert: Alert, at: dt.datetime) -> bool:
    """Whether a job that keeps the incident open has news that nobody has looked at: it may have recovered before the alert began."""
    if not _asks(incident, alert, at):
        return False
    alerts = list(Alert.objects.filter(incident_alert__incident=incident))
    keeping = [row.job_id for row in alerts if row.state in OPEN_STATES]
    if not keeping:
        return may_go_on(alerts, alert.opened_at, at)
    return JobState.objects.filter(job__in=keeping, touched_at__isnull=False).exists()


def ready(incident: Incident, alerts: Sequence[Alert], at: dt.datetime) -> list[Alert]:
    """Those of many alerts that need not wait for such news."""
    keeping = Alert.objects.filter(incident_alert__incident=incident, state__in=OPEN_STATES).values("job")
    unread = JobState.objects.filter(job__in=keeping, touched_at__isnull=False).exists()
    return [one for one in alerts if not unread or not _asks(incident, one, at)]


def _asks(incident: Incident, alert: Alert, at: dt.datetime) -> bool:
    return incident.is_open and alert.opened_at > incident.opened_at and at < alert.noticed_at + PATIENCE


def may_go_on(alerts: list[Alert], ended_at: dt.datetime, at: dt.datetime) -> bool:
    """Whether a job of the tools concerned has news from before the end that nobody has looked at: it may fail for the same cause.

    `alerts` are those of the incident, all of them over.
    """
    known_at = max(row.resolving_evaluation.at if row.resolving_evaluation else ended_at for row in alerts)
    if at >= max(known_at, ended_at) + PATIENCE:
        return False
    tools, jobs = {row.tool_id for row in alerts}, {row.job_id for row in alerts}
    neighbours = Q(job__tool__in=tools - {None}) | Q(job__tool__jobs__in=jobs - {None})
    return JobState.objects.filter(neighbours, touched_at__isnull=False, touched_from__lte=ended_at).exists()
