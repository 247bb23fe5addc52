"""What became of published figures: recounts, what differs and why, and how it was followed up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.utils.safestring import SafeString

from itsm_backup.common.time import duration_words
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link, names_of
from itsm_backup.portal.words import VERDICTS, instant, many, percent, person, recent
from monitoring.relisting import GOOD
from reporting import following_up
from reporting.models import Discrepancy, Reconciliation, Report

MOST, EARLIER, RECOUNTS = 100, 50, 20


@dataclass(frozen=True, kw_only=True)
class DiscrepancyRow:
    pk: int
    report: Link
    service: Link
    figure: str
    published: str
    found: str
    told: tuple[str, ...]
    causes: tuple[str, ...]
    at: SafeString
    how: str
    by: str
    reason: str
    revision: Link | None
    typed: str
    refused: bool


@dataclass(frozen=True, kw_only=True)
class RecountRow:
    report: Link
    at: SafeString
    agreeing: str
    rate: str
    verdict: tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class ReconciliationPage:
    sentence: str
    rows: tuple[DiscrepancyRow, ...]
    more: int
    earlier: tuple[DiscrepancyRow, ...]
    recounts: tuple[RecountRow, ...]
    may_settle: bool
    may_compile: bool
    problems: tuple[str, ...]


def reconciliation_page(
    *, user: Any, moment: Moment, problems: tuple[str, ...] = (), typed: Mapping[int, str] | None = None
) -> ReconciliationPage:
    """What the person may see of it, at the moment; a fixed number of queries."""
    typed = typed or {}
    reports = Report.objects.visible_to(user).filter(made_at__lte=moment.at)
    known = Discrepancy.objects.visible_to(user).filter(report__in=reports, at__lte=moment.at)
    known = known.select_related("report", "service", "settlement__by", "settlement__report")
    waits = Q(settlement=None) | Q(settlement__at__gt=moment.at)
    rows = list(known.filter(waits)[: MOST + 1])
    total = len(rows) if len(rows) <= MOST else known.filter(waits).count()
    over = list(known.filter(settlement__at__lte=moment.at).order_by("-settlement__at", "-pk")[:EARLIER])
    names = names_of((one.service_id for one in (*rows, *over)), moment)
    counts = Reconciliation.objects.filter(report__in=reports, at__lte=moment.at).select_related("report")
    recounts = tuple(_recount(one, moment) for one in counts.order_by("-at", "-pk")[:RECOUNTS])
    differing = tuple(_row(one, moment, names, waits=True, typed=typed.get(one.pk)) for one in rows[:MOST])
    return ReconciliationPage(
        sentence=_sentence(total, bool(recounts)), rows=differing,
        more=max(0, total - MOST), earlier=tuple(_row(one, moment, names, waits=False) for one in over), recounts=recounts,
        may_settle=user.has_perm(following_up.SETTLE) and not moment.past,
        may_compile=user.has_perm("reporting.compile_report") and not moment.past, problems=problems,
    )  # fmt: skip


def _sentence(total: int, counted: bool) -> str:
    if total:
        return f"{many(total, 'published figure')} {'comes' if total == 1 else 'come'} out otherwise now."
    return "Every published figure comes out the same from the raw runs." if counted else "No report was recounted yet."


def _row(one: Any, moment: Moment, names: Mapping[int, str], *, waits: bool, typed: str | None = None) -> DiscrepancyRow:
    settled = None if waits else one.settlement
    published, found = _words(one.figure, one.published), _words(one.figure, one.found)
    code = one.service.code
    return DiscrepancyRow(
        pk=one.pk, report=_report(one.report, moment), service=Link(names.get(one.service_id, code), moment.href("service", code)),
        figure=one.get_figure_display(), published=published, found=found, told=tuple(one.told), causes=tuple(one.cause_words),
        at=recent(one.at, moment), how=settled.get_how_display() if settled else "",
        by=(person(settled.by) if settled.by else "the product") if settled else "", reason=settled.reason if settled else "",
        revision=_report(settled.report, moment) if settled and settled.report else None, typed=typed or "", refused=typed is not None,
    )  # fmt: skip


def _report(report: Report, moment: Moment) -> Link:
    return Link(f"{report.title}, {report.month:%B %Y}, revision {report.revision}", moment.href("report", report.pk))


def _words(figure: str, value: Any) -> str:
    if figure == Discrepancy.Figure.SUCCESS:
        return f"{value['good']:,} of {value['settled']:,}" if value["settled"] else "Nothing was due"
    if figure == Discrepancy.Figure.RECOVERY:
        if value["longest_s"] is None:
            return "Not known"
        over = f"{duration_words(value['exceeded_s'])} over it" if value["exceeded_s"] else "within it"
        return f"{duration_words(value['longest_s'])} at the longest, {over}"
    if figure == Discrepancy.Figure.VERDICT:
        return VERDICTS[value]
    return f"{sum(state in GOOD for *_, state in value)} good of {len(value)}"


RESULTS = {"agree": ("kept", "Agrees"), "within_tolerance": ("at_risk", "Within half a point"), "discrepancy": ("broken", "Differs")}


def _recount(one: Any, moment: Moment) -> RecountRow:
    result, total = one.result, one.agreeing + one.differing
    told = [] if result["report_rate"] is None else [f"{percent(result['report_rate'], places=2)} published"]
    told += [] if result["monitoring_rate"] is None else [f"{percent(result['monitoring_rate'], places=2)} by the runs"]
    verdict = RESULTS[result["status"]]
    if one.differing and verdict[0] == "kept":
        verdict = ("at_risk", "Other figures differ")
    return RecountRow(
        report=_report(one.report, moment), at=instant(one.at), agreeing=f"{one.agreeing} of {many(total, 'service')}",
        rate=", ".join(told) or "nothing was due", verdict=verdict,
    )  # fmt: skip
