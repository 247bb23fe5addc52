"""The admin doors of monitoring: tools and their keys, jobs and when they are due, rules, and what was recorded."""

from catalogue.admin.entries import facts_of_service, measuring
from catalogue.admin.many import measuring_many
from monitoring.admin.agreement import WriteBackAdmin, WriteConflictAdmin
from monitoring.admin.cadence import PollingPolicyAdmin, RequestBudgetAdmin
from monitoring.admin.facts import AlertAdmin, EvaluationAdmin, ExpectedRunAdmin, QuarantineAdmin, RunAdmin
from monitoring.admin.jobs import JobAdmin, ScheduleAdmin
from monitoring.admin.maps import MapAdmin
from monitoring.admin.meanings import CapabilityWeightsAdmin, StatusMapAdmin
from monitoring.admin.outflow import ExternalMonitoringAdmin, StatusPublicationAdmin
from monitoring.admin.repositories import RepositoryAdmin
from monitoring.admin.restores import RestorePlanAdmin
from monitoring.admin.rules import AttributionAdmin, CauseAdmin, WorkflowAdmin
from monitoring.admin.scope import AttributeMappingAdmin, ScopeClaimAdmin, SettledChangeAdmin
from monitoring.admin.standing import verdict
from monitoring.admin.tokens import TokenAdmin
from monitoring.admin.tools import ToolAdmin
from monitoring.capability import measured, measured_of_many

if verdict not in facts_of_service:
    facts_of_service.append(verdict)
if measured not in measuring:
    measuring.append(measured)
if measured_of_many not in measuring_many:
    measuring_many.append(measured_of_many)

__all__ = [
    "AlertAdmin",
    "AttributeMappingAdmin",
    "AttributionAdmin",
    "CapabilityWeightsAdmin",
    "CauseAdmin",
    "EvaluationAdmin",
    "ExpectedRunAdmin",
    "ExternalMonitoringAdmin",
    "JobAdmin",
    "MapAdmin",
    "PollingPolicyAdmin",
    "QuarantineAdmin",
    "RepositoryAdmin",
    "RequestBudgetAdmin",
    "RestorePlanAdmin",
    "RunAdmin",
    "ScheduleAdmin",
    "ScopeClaimAdmin",
    "SettledChangeAdmin",
    "StatusMapAdmin",
    "StatusPublicationAdmin",
    "TokenAdmin",
    "ToolAdmin",
    "WorkflowAdmin",
    "WriteBackAdmin",
    "WriteConflictAdmin",
]
