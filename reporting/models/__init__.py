"""The facts of reporting: who gets which report when, and what was reported."""

from reporting.models.reports import Delivery, Report, ReportedService, ReportFile
from reporting.models.schedules import ReportSchedule, ScheduleState

__all__ = ["Delivery", "Report", "ReportFile", "ReportSchedule", "ReportedService", "ScheduleState"]
