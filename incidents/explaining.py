"""Why an incident exists: the alert that opened it, explained like every other judgement, and its priority."""

from __future__ import annotations

from typing import Any

from incidents import reckoning
from incidents.models import Incident
from monitoring.explaining import Explanation, explain
from monitoring.models import Alert, Evaluation


class NotExplained(Exception):
    """There is nothing to explain yet; the message says why."""


def opening_alert(incident: Incident) -> Alert:
    """The alert that opened the incident."""
    judged = (f"alert__evaluation__{name}" for name in ("service", "tool", "version__service", "version__commitment", "version__approver"))
    first = incident.incident_alerts.select_related(*judged).order_by("attached_at", "pk").first()
    if first is None:
        raise NotExplained(f"{incident.number} has no alert.")
    return first.alert


def evaluation_of(alert: Alert) -> Evaluation:
    """The evaluation that stands behind an alert."""
    if alert.evaluation is None:
        raise NotExplained("The journey has not judged this service since; try again in a few seconds.")
    return alert.evaluation


def explain_alert(alert: Alert) -> Explanation:
    return explain(evaluation_of(alert), alert=alert)


def explain_incident(incident: Incident, *, user: Any = None) -> Explanation:
    """The explanation of the opening alert, with every step to the incident's priority; a `user` is named only what they may see."""
    found = explain_alert(opening_alert(incident))
    found.answer = f"{incident.title}. {incident.priority_reason}"
    found.priority = reckoning.steps_of(incident, user=user)
    return found
