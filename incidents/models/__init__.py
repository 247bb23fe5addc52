"""What we do about it: one incident per cause, its alerts, all that was done, and who is told of it."""

from incidents.models.channels import Channel
from incidents.models.digests import Digest, DigestPreference
from incidents.models.escalation import Escalation, EscalationPolicy, EscalationStep, Telling
from incidents.models.incident import Incident, IncidentAlert, IncidentEntry
from incidents.models.problems import Feedback, KnownError, Problem, ProblemEntry, ProblemIncident
from incidents.models.replies import Reply
from incidents.models.rota import Rota, RotaMember, RotaSwap
from incidents.models.targets import ResponseTarget, WorkingHours

__all__ = [
    "Channel",
    "Digest",
    "DigestPreference",
    "Escalation",
    "EscalationPolicy",
    "EscalationStep",
    "Feedback",
    "Incident",
    "IncidentAlert",
    "IncidentEntry",
    "KnownError",
    "Problem",
    "ProblemEntry",
    "ProblemIncident",
    "Reply",
    "ResponseTarget",
    "Rota",
    "RotaMember",
    "RotaSwap",
    "Telling",
    "WorkingHours",
]
