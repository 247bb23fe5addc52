"""What we do about it: one incident per cause, its alerts, all that was done, and who is told of it."""

from incidents.models.channels import Channel
from incidents.models.escalation import Escalation, EscalationPolicy, EscalationStep, Telling
from incidents.models.incident import Incident, IncidentAlert, IncidentEntry
from incidents.models.rota import Rota, RotaMember, RotaSwap

__all__ = [
    "Channel",
    "Escalation",
    "EscalationPolicy",
    "EscalationStep",
    "Incident",
    "IncidentAlert",
    "IncidentEntry",
    "Rota",
    "RotaMember",
    "RotaSwap",
    "Telling",
]
