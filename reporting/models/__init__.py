"""The facts of reporting: who gets which report when, and what was reported."""

from reporting.models.reconciliations import Discrepancy, Reconciliation, Settlement
from reporting.models.reports import Delivery, Report, ReportedService, ReportFile
from reporting.models.schedules import ReportSchedule, ScheduleState
from reporting.models.templates import ReportTemplate

__all__ = [
    "Delivery",
    "Discrepancy",
    "Reconciliation",
    "Report",
    "ReportFile",
    "ReportSchedule",
    "ReportTemplate",
    "ReportedService",
    "ScheduleState",
    "Settlement",
]
