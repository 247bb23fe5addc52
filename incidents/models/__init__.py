"""What we do about it: one incident per cause, its alerts, all that was done, and who is told of it."""

from incidents.models.escalation import Escalation, EscalationPolicy, EscalationStep, Telling
from incidents.models.incident import Incident, IncidentAlert, IncidentEntry

__all__ = [
    "Escalation",
    "EscalationPolicy",
    "EscalationStep",
    "Incident",
    "IncidentAlert",
    "IncidentEntry",
    "Telling",
]
