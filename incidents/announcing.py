"""Messages about incidents: written to the outbox in the same transaction as the fact they tell."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.db.models import Q
from django.template.loader import render_to_string

from incidents import prioritising
from incidents.models import Incident, IncidentEntry
from itsm_backup.common import outbox
from monitoring.models import Alert

REPLAYED = "Not sent: what it tells of was replayed from recordings."


def announce_opening(*, incident: Incident, alert: Alert, at: dt.datetime) -> None:
    """Tell the operations team that there is an incident."""
    _write(incident, "opened", f"[{incident.number}] {incident.priority} {incident.title}", alert, at, {})


def announce_resolution(*, incident: Incident, proof: str, at: dt.datetime) -> None:
    """Tell the operations team that it is over, and by what evidence."""
    alert = Alert.objects.filter(incident_alert__incident=incident).order_by("incident_alert__attached_at", "pk").first()
    _write(incident, "resolved", f"[{incident.number}] Resolved: {incident.title}", alert, at, {"proof": proof})


def announce_rise(*, incident: Incident, alert: Alert, before: str, at: dt.datetime) -> None:
    """Tell the operations team that another service makes it heavier than it was."""
    more = {"before": before, "now": alert.title}
    _write(incident, "raised", f"[{incident.number}] {incident.priority}, was {before}: {incident.title}", alert, at, more)


def announce_reopening(*, incident: Incident, alert: Alert, at: dt.datetime) -> None:
    """Tell the operations team that what was over happens again."""
    _write(incident, "reopened", f"[{incident.number}] {incident.priority} Again: {incident.title}", alert, at, {"now": alert.title})


def is_replayed(incident: Incident, alert: Alert | None) -> bool:
    """Whether everything that the incident is about was told by replayed recordings: then nobody is bothered with it."""
    alerts = Q(incident_alert__incident=incident) | Q(pk=alert.pk if alert else None)
    real = Q(tool__replayed=False) | Q(job__tool__replayed=False)
    known = Alert.objects.filter(alerts)
    return known.exists() and not known.filter(real | Q(tool=None, job=None)).exists()


def _write(incident: Incident, kind: str, subject: str, alert: Alert | None, at: dt.datetime, more: dict[str, str]) -> None:
    if incident.team is None:
        return
    count = incident.entries.filter(kind="mail").count()
    context = {
        "incident": incident,
        "organisation": settings.ORGANISATION,
        "service_name": prioritising.name_of(incident.service_id) if incident.service_id else "",
        "address": f"{settings.BASE_URL}/incidents/{incident.number}/",
        **more,
    }
    withheld = REPLAYED if is_replayed(incident, alert) else ""
    body = render_to_string(f"incidents/email/{kind}.txt", context)
    made = outbox.write(
        key=f"incident/{incident.pk}/{kind}/{count}",
        thread=f"incident/{incident.pk}",
        recipient=incident.team.email,
        subject=subject,
        body=body,
        at=at,
        withheld=withheld,
    )
    if made:
        kept_back = " (not sent: replayed from recordings)" if withheld else ""
        text = f"Mail to {incident.team.email}{kept_back}: {subject}"
        IncidentEntry.objects.create(incident=incident, at=at, kind="mail", text=text, alert=alert)
