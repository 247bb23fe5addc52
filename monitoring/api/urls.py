"""The API of what happens, below /api/v1/."""

from django.urls import path

from monitoring.api.agreement_texts import AgreementText, AgreementTextAct, AgreementTexts
from monitoring.api.agreements import LevelAgreementDetail, LevelAgreements
from monitoring.api.alertmanager import Alerts as Alertmanagers
from monitoring.api.alerts import AlertDetail, Alerts, EvaluationDetail
from monitoring.api.batches import BatchDetail, Batches, BatchItems, BatchStart, BatchStop
from monitoring.api.cadence import Cadences
from monitoring.api.checks import ServiceChecks
from monitoring.api.cmdb import Agreements, ConfigurationItems, DecideConflict, RelationsBeside, Webhook, WriteConflicts
from monitoring.api.detected import Changes, SettleChange
from monitoring.api.deviations import DeviationDetail, Deviations, EndDeviation, GrantDeviation
from monitoring.api.duties import ExceptionEnd, Exceptions, HoldDetail, HoldRelease, Holds
from monitoring.api.entries import ServiceDetail, Services
from monitoring.api.history import EntryHistory
from monitoring.api.impact_analyses import ImpactAnalyses, ImpactAnalysisAct, ImpactAnalysisDetail
from monitoring.api.jobs import ExpectedRuns, JobDetail, Jobs
from monitoring.api.mappings import ApproveMapping, MappingOfTool, ObservedOfService
from monitoring.api.meanings import ApproveStatusMap, StatusMapOfTool
from monitoring.api.methods import MethodDetail, Methods
from monitoring.api.objectives import ObjectivesOfService
from monitoring.api.outflow import StatusPublications
from monitoring.api.ownership import (
    AnswerAttestation,
    AttestationRounds,
    Attestations,
    DoubleClaims,
    OwnershipGaps,
    ReplyAttestation,
)
from monitoring.api.ownership_hand_overs import AcceptHandOver, DeclineHandOver, HandOvers
from monitoring.api.propagations import PropagationDetail
from monitoring.api.quarantine import Quarantine, QuarantineDetail, QuarantineOfTool, QuarantineSetAside
from monitoring.api.refusals import RefusedAttempts
from monitoring.api.relations import Closure, RelationDetail, Relations
from monitoring.api.reports import take_report
from monitoring.api.restore_plans import CancelRestore, RecordRestore, RestorePlanDetail, RestorePlans, VerifyRestore
from monitoring.api.restores import RestoreTests
from monitoring.api.retirements import RetirementApprove, RetirementCallOff, RetirementDetail, RetirementRefuse, Retirements
from monitoring.api.rules import RuleApprove, RuleDetail, RuleGiveUp, Rules, RuleSend, RuleTrial, Unmatched
from monitoring.api.runs import RunDetail, RunsWithoutSlash, RunsWithSlash
from monitoring.api.scope import Discovered, ScopeDecisions, ScopeRegister
from monitoring.api.status import EndOverride, StatusOfService
from monitoring.api.tools import Assessments, ToolDetail, Tools
from monitoring.api.versions import Diff, VersionAct, VersionDetail, Versions

urlpatterns = [
    path("services/", Services.as_view()),
    path("services/<str:code>/", ServiceDetail.as_view()),
    path("services/<str:code>/closure/", Closure.as_view()),
    path("services/<str:code>/status/", StatusOfService.as_view()),
    path("services/<str:code>/status/<int:pk>/end", EndOverride.as_view()),
    path("refused-attempts/", RefusedAttempts.as_view()),
    path("relations/", Relations.as_view()),
    path("relations/<int:pk>/", RelationDetail.as_view()),
    path("scope/", ScopeRegister.as_view()),
    path("scope/discovered/", Discovered.as_view()),
    path("scope/<int:pk>/decisions/", ScopeDecisions.as_view()),
    path("services/<str:code>/history/", EntryHistory.as_view()),
    path("services/<str:code>/versions/", Versions.as_view()),
    path("services/<str:code>/versions/<int:number>/", VersionDetail.as_view()),
    path("services/<str:code>/versions/<int:number>/<str:act>", VersionAct.as_view()),
    path("services/<str:code>/diff/", Diff.as_view()),
    path("services/<str:code>/checks/", ServiceChecks.as_view()),
    path("agreements/", LevelAgreements.as_view()),
    path("agreements/<int:pk>/", LevelAgreementDetail.as_view()),
    path("agreements/<int:pk>/versions/", AgreementTexts.as_view()),
    path("agreements/<int:pk>/versions/<int:number>/", AgreementText.as_view()),
    path("agreements/<int:pk>/versions/<int:number>/<str:act>", AgreementTextAct.as_view()),
    path("impact-analyses/", ImpactAnalyses.as_view()),
    path("impact-analyses/<int:pk>/", ImpactAnalysisDetail.as_view()),
    path("impact-analyses/<int:pk>/<str:act>", ImpactAnalysisAct.as_view()),
    path("deviations/", Deviations.as_view()),
    path("deviations/<int:pk>/", DeviationDetail.as_view()),
    path("deviations/<int:pk>/grant", GrantDeviation.as_view()),
    path("deviations/<int:pk>/end", EndDeviation.as_view()),
    path("ownership-gaps/", OwnershipGaps.as_view()),
    path("double-claims/", DoubleClaims.as_view()),
    path("attestation-rounds/", AttestationRounds.as_view()),
    path("attestations/", Attestations.as_view()),
    path("attestations/<int:pk>/answer", AnswerAttestation.as_view()),
    path("attestations/<int:pk>/reply", ReplyAttestation.as_view()),
    path("hand-overs/", HandOvers.as_view()),
    path("hand-overs/<int:pk>/accept", AcceptHandOver.as_view()),
    path("hand-overs/<int:pk>/decline", DeclineHandOver.as_view()),
    path("batches/", Batches.as_view()),
    path("batches/<int:pk>/", BatchDetail.as_view()),
    path("batches/<int:pk>/items/", BatchItems.as_view()),
    path("batches/<int:pk>/start", BatchStart.as_view()),
    path("batches/<int:pk>/stop", BatchStop.as_view()),
    path("detected-changes/", Changes.as_view()),
    path("detected-changes/<int:pk>/settle", SettleChange.as_view()),
    path("legal-holds/", Holds.as_view()),
    path("legal-holds/<int:pk>/", HoldDetail.as_view()),
    path("legal-holds/<int:pk>/release", HoldRelease.as_view()),
    path("retirements/", Retirements.as_view()),
    path("retirements/<int:pk>/", RetirementDetail.as_view()),
    path("retirements/<int:pk>/approve", RetirementApprove.as_view()),
    path("retirements/<int:pk>/refuse", RetirementRefuse.as_view()),
    path("retirements/<int:pk>/call-off", RetirementCallOff.as_view()),
    path("duty-exceptions/", Exceptions.as_view()),
    path("duty-exceptions/<int:pk>/end", ExceptionEnd.as_view()),
    path("jobs/", Jobs.as_view()),
    path("jobs/<int:pk>/", JobDetail.as_view()),
    path("alertmanager/<str:tool>", Alertmanagers.as_view()),
    path("runs", RunsWithoutSlash.as_view()),
    path("runs/", RunsWithSlash.as_view()),
    path("runs/<int:pk>/", RunDetail.as_view()),
    path("reports/<str:key>", take_report),
    path("restore-tests/", RestoreTests.as_view()),
    path("restore-plans/", RestorePlans.as_view()),
    path("restore-plans/<int:pk>/", RestorePlanDetail.as_view()),
    path("restore-plans/<int:pk>/record", RecordRestore.as_view()),
    path("restore-plans/<int:pk>/verify", VerifyRestore.as_view()),
    path("restore-plans/<int:pk>/cancel", CancelRestore.as_view()),
    path("expected-runs/", ExpectedRuns.as_view()),
    path("alerts/", Alerts.as_view()),
    path("alerts/<int:pk>/", AlertDetail.as_view()),
    path("evaluations/<int:pk>/", EvaluationDetail.as_view()),
    path("methods/", Methods.as_view()),
    path("methods/<str:method_id>/<str:version>/", MethodDetail.as_view()),
    path("cadence/", Cadences.as_view()),
    path("propagations/<int:pk>/", PropagationDetail.as_view()),
    path("tools/", Tools.as_view()),
    path("tools/<str:name>/", ToolDetail.as_view()),
    path("tools/<str:name>/assessments/", Assessments.as_view()),
    path("tools/<str:name>/status-map/", StatusMapOfTool.as_view()),
    path("tools/<str:name>/status-map/<int:number>/approve", ApproveStatusMap.as_view()),
    path("tools/<str:name>/quarantine/", QuarantineOfTool.as_view()),
    path("tools/<str:name>/mapping/", MappingOfTool.as_view()),
    path("tools/<str:name>/mapping/<int:number>/approve", ApproveMapping.as_view()),
    path("services/<str:code>/observed/", ObservedOfService.as_view()),
    path("services/<str:code>/cmdb-relations/", RelationsBeside.as_view()),
    path("services/<str:code>/objectives/", ObjectivesOfService.as_view()),
    path("configuration-items/", ConfigurationItems.as_view()),
    path("agreement/", Agreements.as_view()),
    path("conflicts/", WriteConflicts.as_view()),
    path("conflicts/<int:pk>/decide", DecideConflict.as_view()),
    path("cmdb/<str:name>/webhook", Webhook.as_view(), name="cmdb_webhook"),
    path("told-to-monitoring/", StatusPublications.as_view()),
    path("rules/", Rules.as_view()),
    path("rules/<int:pk>/", RuleDetail.as_view()),
    path("rules/<int:pk>/trial/", RuleTrial.as_view()),
    path("rules/<int:pk>/send", RuleSend.as_view()),
    path("rules/<int:pk>/approve", RuleApprove.as_view()),
    path("rules/<int:pk>/give-up", RuleGiveUp.as_view()),
    path("unmatched/", Unmatched.as_view()),
    path("quarantine/", Quarantine.as_view()),
    path("quarantine/<int:pk>/", QuarantineDetail.as_view()),
    path("quarantine/<int:pk>/set-aside", QuarantineSetAside.as_view()),
]
