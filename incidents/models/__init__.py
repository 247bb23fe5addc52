"""What we do about it: one incident per cause, its alerts, all that was done, and who is told of it."""

from incidents.models.channels import Channel
from incidents.models.digests import Digest, DigestPreference
from incidents.models.escalation import Escalation, EscalationPolicy, EscalationStep, Telling
from incidents.models.incident import AlertMove, Incident, IncidentAlert, IncidentEntry
from incidents.models.major import MajorAppointment, MajorIncident
from incidents.models.own_channels import OwnChannel
from incidents.models.problems import Feedback, KnownError, Problem, ProblemEntry, ProblemIncident
from incidents.models.replies import Reply
from incidents.models.reviews import EntryProposal, PostIncidentReview, ReviewAction, ReviewAnswer
from incidents.models.risks import RiskAcceptance
from incidents.models.rota import Rota, RotaMember, RotaSwap
from incidents.models.status_links import StatusLink
from incidents.models.targets import ResponseTarget, WorkingHours
from incidents.models.updates import Audience, AudienceTemplate, MajorDelivery, MajorMessage, MajorUpdate, MajorWording

__all__ = [
    "AlertMove",
    "Audience",
    "AudienceTemplate",
    "Channel",
    "Digest",
    "DigestPreference",
    "EntryProposal",
    "Escalation",
    "EscalationPolicy",
    "EscalationStep",
    "Feedback",
    "Incident",
    "IncidentAlert",
    "IncidentEntry",
    "KnownError",
    "MajorAppointment",
    "MajorDelivery",
    "MajorIncident",
    "MajorMessage",
    "MajorUpdate",
    "MajorWording",
    "OwnChannel",
    "PostIncidentReview",
    "Problem",
    "ProblemEntry",
    "ProblemIncident",
    "Reply",
    "ResponseTarget",
    "ReviewAction",
    "ReviewAnswer",
    "RiskAcceptance",
    "Rota",
    "RotaMember",
    "RotaSwap",
    "StatusLink",
    "Telling",
    "WorkingHours",
]
