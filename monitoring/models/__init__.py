"""What really happens: tools, jobs, runs, points, the ledger of due runs, judgements and alerts."""

from monitoring.models.agreement import Agreement, Comparison, ConflictDecision, WriteBack, WriteConflict
from monitoring.models.alerts import Alert
from monitoring.models.assessments import Assessment, CapabilityWeights, ToolDay
from monitoring.models.cadence import PollingPolicy, RequestBudget
from monitoring.models.detected import DetectedChange, DetectedValue, SettledChange
from monitoring.models.evaluations import Evaluation, Figure
from monitoring.models.jobs import BackupJob, JobSchedule, ProtectedItem, RestorePoint
from monitoring.models.ledger import ExpectedRun, JobState, ServiceDay, ServiceState, Watermark
from monitoring.models.mapping import AttributeMapping
from monitoring.models.maps import ToolMap
from monitoring.models.meanings import StatusMap
from monitoring.models.outflow import ExternalMonitoring, StatusPublication
from monitoring.models.repositories import Repository
from monitoring.models.restore_plans import RestorePlan
from monitoring.models.restores import RestoreTest
from monitoring.models.rule_versions import RuleVersion
from monitoring.models.rules import AttributionCondition, AttributionRule, CauseRule, StatusWorkflow
from monitoring.models.runs import BackupRun, QuarantinedRecord, QuarantineReading, RawAnswer, RunRevision
from monitoring.models.scope import ScopeClaim
from monitoring.models.tools import ApiToken, Tool, ToolState
from monitoring.models.volumes import JobDay

__all__ = [
    "Agreement",
    "Alert",
    "ApiToken",
    "Assessment",
    "AttributeMapping",
    "AttributionCondition",
    "AttributionRule",
    "BackupJob",
    "BackupRun",
    "CapabilityWeights",
    "CauseRule",
    "Comparison",
    "ConflictDecision",
    "DetectedChange",
    "DetectedValue",
    "Evaluation",
    "ExpectedRun",
    "ExternalMonitoring",
    "Figure",
    "JobDay",
    "JobSchedule",
    "JobState",
    "PollingPolicy",
    "ProtectedItem",
    "QuarantineReading",
    "QuarantinedRecord",
    "RawAnswer",
    "Repository",
    "RequestBudget",
    "RestorePlan",
    "RestorePoint",
    "RestoreTest",
    "RuleVersion",
    "RunRevision",
    "ScopeClaim",
    "ServiceDay",
    "ServiceState",
    "SettledChange",
    "StatusMap",
    "StatusPublication",
    "StatusWorkflow",
    "Tool",
    "ToolDay",
    "ToolMap",
    "ToolState",
    "Watermark",
    "WriteBack",
    "WriteConflict",
]
