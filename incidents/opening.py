"""Alerts → incidents: one per cause, never two for one, however many workers come at once."""

from __future__ import annotations

import datetime as dt

from django.db import IntegrityError, transaction

from incidents import announcing, prioritising, resolving
from incidents.models import Incident, IncidentAlert, IncidentEntry
from monitoring.models import Alert

OPENS = ("error", "critical")  # a first failure is watched; it joins an incident of its cause, but opens none
BATCH = 200


def open_for_alerts(*, at: dt.datetime) -> int:
    """Give every alert that calls for one its incident, in the order they began; returns how many were attached."""
    waiting = Alert.objects.filter(incident_alert=None).order_by("opened_at", "pk")
    calling = waiting.filter(severity__in=OPENS).values_list("pk", flat=True)[:BATCH]
    opened = sum(_handle(pk, at) for pk in list(calling))
    joining = waiting.open().exclude(severity__in=OPENS).filter(cause_key__in=Incident.objects.open().values("cause_key"))
    return opened + sum(_handle(pk, at) for pk in list(joining.values_list("pk", flat=True)[:BATCH]))


def _handle(alert_id: int, at: dt.datetime) -> bool:
    try:
        with transaction.atomic():
            alert = Alert.objects.select_for_update(skip_locked=True, of=("self",)).filter(pk=alert_id, incident_alert=None).first()
            if alert is None:
                return False
            incident = _incident_of(alert, at) or _open(alert, at)
            _attach(incident, alert, at)
            return True
    except IntegrityError:
        return False  # another worker opened the incident of this cause first; the next pass joins it


def _incident_of(alert: Alert, at: dt.datetime) -> Incident | None:
    """The open incident of this cause; one that was over before the alert began is resolved first and does not count."""
    incident = _same_cause(alert) or _same_job(alert)
    if (
        incident
        and alert.opened_at > incident.opened_at
        and resolving.resolve_if_over(incident=incident, at=alert.opened_at, noticed_at=at)
    ):
        return None
    return incident


def _same_cause(alert: Alert) -> Incident | None:
    return Incident.objects.open().select_for_update().filter(cause_key=alert.cause_key).first()


def _same_job(alert: Alert) -> Incident | None:
    """An incident about the same job of the same service, where one of the two does not know its cause yet."""
    if alert.job_id is None:
        return None
    related = Incident.objects.open().filter(incident_alerts__alert__job=alert.job_id, incident_alerts__alert__service=alert.service_id)
    pk = related.order_by("pk").values_list("pk", flat=True).first()
    incident = Incident.objects.open().select_for_update().filter(pk=pk).first() if pk else None
    return incident if incident and not (incident.cause_is_specific and alert.cause_is_specific) else None


def _open(alert: Alert, at: dt.datetime) -> Incident:
    priority = prioritising.of_alert(alert, at=at)
    incident = Incident.objects.create(
        cause_key=alert.cause_key,
        cause_is_specific=alert.cause_is_specific,
        title=title_of(alert),
        priority=priority["priority"],
        impact=priority["impact"],
        urgency=priority["urgency"],
        priority_reason=priority["reason"],
        service_id=alert.service_id or prioritising.hardest_hit(alert),
        team_id=prioritising.team_of(alert, at=at),
        opened_at=alert.opened_at,
        updated_at=at,
        impact_at_opening=prioritising.impact_of(alert, at=at),
    )
    IncidentEntry.objects.create(incident=incident, at=alert.opened_at, kind="opened", text=f"Opened for: {alert.title}")
    announcing.announce_opening(incident=incident, at=at)
    return incident


def title_of(alert: Alert) -> str:
    """The sentence that names the incident: whose backups fail, and why as far as a rule knows it."""
    if alert.service_id is None:
        return alert.title[:240]
    name = prioritising.name_of(alert.service_id)
    if alert.cause_title:
        return f"Backups of {name} fail because {alert.cause_title}"[:240]
    return (alert.title if name in alert.title else f"{name}: {alert.title}")[:240]


def _attach(incident: Incident, alert: Alert, at: dt.datetime) -> None:
    joins = incident.incident_alerts.exists()
    IncidentAlert.objects.create(incident=incident, alert=alert, attached_at=at)
    if joins:
        IncidentEntry.objects.create(incident=incident, at=max(alert.opened_at, incident.opened_at), kind="joined", text=alert.title)
    if alert.cause_is_specific and not incident.cause_is_specific and not _same_cause(alert):
        incident.cause_key, incident.cause_is_specific, incident.title = alert.cause_key, True, title_of(alert)
    incident.updated_at = at
    incident.save()
