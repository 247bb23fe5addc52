"""What we promise: entries, their versions and commitments, who answers for them, and where they stand."""

from catalogue.models.duties import Duty, DutyException, GrantEntry, LegalHold
from catalogue.models.relations import RejectedRelation, Relation, SeenRelation
from catalogue.models.service import Commitment, Service, ServiceVersion, Team
from catalogue.models.status import ServiceStatus, StatusChange
from catalogue.models.windows import Window

__all__ = [
    "Commitment",
    "Duty",
    "DutyException",
    "GrantEntry",
    "LegalHold",
    "RejectedRelation",
    "Relation",
    "SeenRelation",
    "Service",
    "ServiceStatus",
    "ServiceVersion",
    "StatusChange",
    "Team",
    "Window",
]
