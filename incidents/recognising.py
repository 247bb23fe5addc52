"""Which signature an incident has: the first reason that one of its alerts tells, whatever the class of the alert that came first."""

from __future__ import annotations

import datetime as dt

from incidents import signing
from incidents.models import Incident
from monitoring.models import Alert, BackupRun

MOST = 50  # of its alerts, in the order in which they joined


def signature_of(incident: Incident) -> str:
    """Why it failed, or else the class of the alert that opened it; empty without an alert."""
    alerts = list(Alert.objects.filter(incident_alert__incident=incident).order_by("incident_alert__attached_at", "pk")[:MOST])
    told = (reason_of(alert) for alert in alerts)
    return next(filter(None, told), alerts[0].alert_class if alerts else "")


def reason_of(alert: Alert) -> str:
    """Why it failed, by its cause and the message of the newest run behind it; empty where neither says it."""
    run = BackupRun.objects.filter(pk__in=alert.run_ids).exclude(message=None).order_by("-pk").first() if alert.run_ids else None
    return signing.reason_of(cause=alert.cause, message=(run.message or "") if run else "")


def study_anew(incident: Incident, alert: Alert) -> None:
    """What the alert says of its cause decides which known error and problem are the incident's own. The caller saves it."""
    if alert.cause or incident.signature in signing.CLASSES:
        incident.signature = reason_of(alert) or incident.signature
    incident.studied_at = None


def learn(incident: Incident, alert: Alert) -> None:
    """Have an incident studied anew, of which nobody knew why, where the alert says so now."""
    if incident.signature in signing.CLASSES and (told := reason_of(alert)):
        Incident.objects.filter(pk=incident.pk, signature__in=signing.CLASSES).update(signature=told, studied_at=None)


def learns(incident: Incident, alerts: list[Alert], *, at: dt.datetime) -> bool:
    """Whether one of the alerts that joined is the first to say why: then the incident is studied anew. The caller saves it."""
    if incident.signature not in signing.CLASSES:
        return False
    told = next(filter(None, (reason_of(alert) for alert in alerts)), "")
    if told:
        incident.signature, incident.studied_at, incident.updated_at = told, None, at
    return bool(told)
