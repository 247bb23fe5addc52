"""What we promise: entries, their versions and commitments, who answers for them, and where they stand."""

from catalogue.models.agreements import Agreement, AgreementVersion, Deviation, ImpactAnalysis
from catalogue.models.batches import Batch, BatchItem
from catalogue.models.commitments import Commitment, Offering
from catalogue.models.configuration import (
    Cmdb,
    CmdbState,
    ConfigurationItem,
    FieldMaster,
    ItemLink,
    ItemReject,
    ItemRelation,
)
from catalogue.models.defaults import Label, TierDefault
from catalogue.models.duties import Duty, DutyException, GrantEntry, LegalHold
from catalogue.models.outward import ExternalCatalogue, Publication
from catalogue.models.ownership import Attestation, AttestationReply, AttestationRound, HandOver
from catalogue.models.propagation import PropagatedStatus, Propagation
from catalogue.models.relations import RejectedRelation, Relation, SeenRelation
from catalogue.models.retirement import Retirement
from catalogue.models.reviews import Comment, Revision
from catalogue.models.scope import ScopeDecision, ScopeLine
from catalogue.models.service import Service, ServiceVersion, Team, TeamMember
from catalogue.models.status import ServiceStatus, StatusChange, StatusOverride
from catalogue.models.windows import Window

__all__ = [
    "Agreement",
    "AgreementVersion",
    "Attestation",
    "AttestationReply",
    "AttestationRound",
    "Batch",
    "BatchItem",
    "Cmdb",
    "CmdbState",
    "Comment",
    "Commitment",
    "ConfigurationItem",
    "Deviation",
    "Duty",
    "DutyException",
    "ExternalCatalogue",
    "FieldMaster",
    "GrantEntry",
    "HandOver",
    "ImpactAnalysis",
    "ItemLink",
    "ItemReject",
    "ItemRelation",
    "Label",
    "LegalHold",
    "Offering",
    "PropagatedStatus",
    "Propagation",
    "Publication",
    "RejectedRelation",
    "Relation",
    "Retirement",
    "Revision",
    "ScopeDecision",
    "ScopeLine",
    "SeenRelation",
    "Service",
    "ServiceStatus",
    "ServiceVersion",
    "StatusChange",
    "StatusOverride",
    "Team",
    "TeamMember",
    "TierDefault",
    "Window",
]
