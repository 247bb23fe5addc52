"""The library of reports: the newest first, every revision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q
from django.utils.safestring import SafeString

from itsm_backup.common import pdf
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.service_list import PAGE, Paging, paging_of
from itsm_backup.portal.words import many, recent
from reporting.composing import sentence_of
from reporting.models import Report

STATE_VERDICTS = {"issued": "kept", "qualified": "at_risk", "blocked": "broken", "overridden": "at_risk"}


@dataclass(frozen=True, kw_only=True)
class ReportRow:
    name: Link
    scope: str
    month: str
    revision: int
    verdict: str
    state: str
    says: str
    made: SafeString
    sent: str


@dataclass(frozen=True, kw_only=True)
class ReportsPage:
    sentence: str
    rows: tuple[ReportRow, ...]
    paging: Paging
    pdf_off: str


def known_at(user: Any, moment: Moment) -> Any:
    """Reports that the user may see and that were made by the moment."""
    return Report.objects.visible_to(user).filter(made_at__lte=moment.at)


def reports_page(*, user: Any, moment: Moment, page: int) -> ReportsPage:
    """One page of the library; a fixed number of queries for any number of reports."""
    reports = known_at(user, moment)
    total = reports.count()
    first = PAGE * (min(max(1, page), max(1, -(-total // PAGE))) - 1)
    sent = Count("deliveries", filter=Q(deliveries__notice__sent_at__lte=moment.at))
    rows = reports.order_by("-made_at", "-pk").annotate(sent=sent, owed=Count("deliveries", filter=Q(deliveries__at__lte=moment.at)))
    shown = list(rows[first : first + PAGE])
    return ReportsPage(
        sentence=f"{many(total, 'report')} in the library." if total else "No report has been made yet.",
        rows=tuple(_row(report, moment) for report in shown),
        paging=paging_of(first, len(shown), total, PAGE, lambda number: moment.href("reports", page=number)),
        pdf_off=pdf.why_off(),
    )


def _row(report: Any, moment: Moment) -> ReportRow:
    return ReportRow(
        name=Link(f"{report.title}, {report.month:%B %Y}", moment.href("report", report.pk)),
        scope=report.data["scope"]["words"],
        month=f"{report.month:%B %Y}",
        revision=report.revision,
        verdict=STATE_VERDICTS[report.state],
        state=report.get_state_display(),
        says="" if report.state == Report.State.BLOCKED else f"{sentence_of(report)}.",
        made=recent(report.made_at, moment),
        sent=f"{report.sent} of {report.owed}" if report.owed else "To nobody",
    )
