"""The admin doors of the catalogue: entries and their versions, then what surrounds them."""

from catalogue.admin.agreements import AgreementAdmin, AgreementVersionAdmin, AnalysisAdmin, DeviationAdmin
from catalogue.admin.configuration import CmdbAdmin, ConfigurationItemAdmin, FieldMasterAdmin, ItemLinkAdmin
from catalogue.admin.defaults import LabelAdmin, TierDefaultAdmin
from catalogue.admin.duties import DutyExceptionAdmin, GrantEntryAdmin, LegalHoldAdmin
from catalogue.admin.entries import ServiceAdmin
from catalogue.admin.outward import ExternalCatalogueAdmin, PublicationAdmin
from catalogue.admin.retirements import RetirementAdmin
from catalogue.admin.scope import ScopeDecisionAdmin, ScopeLineAdmin
from catalogue.admin.surroundings import RejectedRelationAdmin, RelationAdmin, StatusOverrideAdmin, TeamAdmin, WindowAdmin
from catalogue.admin.versions import VersionAdmin

__all__ = [
    "AgreementAdmin",
    "AgreementVersionAdmin",
    "AnalysisAdmin",
    "CmdbAdmin",
    "ConfigurationItemAdmin",
    "DeviationAdmin",
    "DutyExceptionAdmin",
    "ExternalCatalogueAdmin",
    "FieldMasterAdmin",
    "GrantEntryAdmin",
    "ItemLinkAdmin",
    "LabelAdmin",
    "LegalHoldAdmin",
    "PublicationAdmin",
    "RejectedRelationAdmin",
    "RelationAdmin",
    "RetirementAdmin",
    "ScopeDecisionAdmin",
    "ScopeLineAdmin",
    "ServiceAdmin",
    "StatusOverrideAdmin",
    "TeamAdmin",
    "TierDefaultAdmin",
    "VersionAdmin",
    "WindowAdmin",
]
