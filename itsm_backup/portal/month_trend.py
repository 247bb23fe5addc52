"""Thirteen months as a line, each month leading to its days and runs, with what trend they prove."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.utils.html import format_html

from itsm_backup.common.charts import Chart, DayCount, success_line
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.words import many
from monitoring.trending import Month


@dataclass(frozen=True, kw_only=True)
class Trend:
    title: str
    wide: Chart
    narrow: Chart


def trend(
    title: str, months: Sequence[Month], *, target: float | None, code: str, moment: Moment, on_time: bool = False, width: float = 1180
) -> Trend:
    """The share of good backups, or of those by their deadline, month by month beside its target, for a wide and a narrow screen."""
    counts = [DayCount(on=one.first, good=one.on_time if on_time else one.good, total=one.total) for one in months]
    links = [moment.href("service_calendar", code, month=f"{one.first:%Y-%m}") for one in months]
    wide, narrow = (
        _linked(success_line(days=counts, target=target, width=wanted, unit="month"), links, title) for wanted in (width, min(width, 340))
    )
    return Trend(title=title, wide=wide, narrow=narrow)


def _linked(chart: Chart, links: Sequence[str], title: str) -> Chart:
    """The table of the chart with each month as a link to its days, which lead to their runs."""
    rows = tuple(
        (format_html('<a href="{}" aria-label="{} in {}: days and runs">{}</a>', href, title, row[0], row[0]), *row[1:])
        for href, row in zip(links, chart.rows, strict=True)
    )
    return replace(chart, rows=rows)


def trend_words(found: dict[str, Any]) -> str:
    """What BM-TREND says of the whole months, in a sentence."""
    if found["verdict"] == "insufficient_data":
        return f"No trend is told from {many(found['points'], 'whole month')}: it takes six."
    slope = found["theil_sen_per_period"] * 100
    told = {"worsening": "It is getting worse", "improving": "It is getting better", "no_trend": "No trend is proven"}[found["verdict"]]
    return f"{told}: {slope:+.2f} points a month over {found['points']} whole months (p = {found['p_lower']:.3g} for a fall)."
