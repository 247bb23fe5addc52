"""The calendar of one service: a month as a grid of weeks, and thirteen months to choose from."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from itsm_backup.portal.asof import Moment
from itsm_backup.portal.days import BAD, DayCell, GoodDays, cells_of, good_days, legend_of
from itsm_backup.portal.framing import Link
from itsm_backup.portal.reached import spanned, steps_of
from itsm_backup.portal.words import many
from monitoring.models import ServiceDay

MONTHS = 14  # this one and thirteen before it
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, kw_only=True)
class MonthDay:
    """One square of the grid; without `href` the day has not come."""

    cell: DayCell
    href: str
    newest: bool


@dataclass(frozen=True, kw_only=True)
class MonthLink:
    month: Link
    good: GoodDays
    shown: bool


@dataclass(frozen=True, kw_only=True)
class MonthPage:
    code: str
    name: str
    title: str  # "July 2026"
    sentence: str
    zone_words: str
    weekdays: tuple[str, ...]
    weeks: tuple[tuple[MonthDay | None, ...], ...]
    trouble: tuple[MonthDay, ...]
    months: tuple[MonthLink, ...]
    legend: tuple[tuple[str, str], ...]
    earlier: str
    later: str


def month_page(*, version: Any, moment: Moment, month: str) -> MonthPage:
    """The month asked for as `2026-07`, the nearest one that can be shown for anything else: one question for all its months."""
    newest = moment.at.astimezone(ZoneInfo(version.zone)).date()
    months = _months(newest)
    shown = _asked(month, months)
    steps = steps_of(version.service_id, moment) if version.was_reached else []
    cells = _cells(version.service_id, months, newest, spanned(steps, zone=version.zone, until=moment.at))
    days = [_day(cell, newest, version, moment) for cell in cells[shown]]
    place = months.index(shown)
    links = [moment.href("service_calendar", version.service.code, month=f"{first:%Y-%m}") for first in months]
    return MonthPage(
        code=version.service.code,
        name=version.name,
        title=f"{shown:%B %Y}",
        sentence=_sentence(cells[shown], moment),
        zone_words=moment.at.astimezone(ZoneInfo(version.zone)).tzname() or "",
        weekdays=WEEKDAYS,
        weeks=_weeks(days),
        trouble=tuple(day for day in days if day.cell.kind in BAD),
        months=tuple(
            MonthLink(month=Link(f"{first:%b %Y}", link), good=good_days(cells[first]), shown=first == shown)
            for first, link in zip(months, links, strict=True)
        ),
        legend=legend_of(cells[shown]),
        earlier=links[place + 1] if place + 1 < len(months) else "",
        later=links[place - 1] if place else "",
    )


def _months(newest: dt.date) -> list[dt.date]:
    """First days of the months, newest first."""
    found = [newest.replace(day=1)]
    while len(found) < MONTHS:
        found.append((found[-1] - dt.timedelta(days=1)).replace(day=1))
    return found


def _asked(month: str, months: list[dt.date]) -> dt.date:
    try:
        asked = dt.date.fromisoformat(f"{month}-01")
    except ValueError:
        return months[0]
    return max(min(asked, months[0]), months[-1])


def _cells(service_id: int, months: list[dt.date], newest: dt.date, reached: set[dt.date]) -> dict[dt.date, list[DayCell]]:
    """The cells of every month, to the end of each; days after the newest have none."""
    rows: dict[dt.date, list[ServiceDay]] = defaultdict(list)
    for row in ServiceDay.objects.filter(service=service_id, day__gte=months[-1], day__lte=newest):
        rows[row.day.replace(day=1)].append(row)
    return {first: cells_of(rows[first], _days(first, newest), reached) for first in months}


def _days(first: dt.date, newest: dt.date) -> list[dt.date]:
    following = (first + dt.timedelta(days=32)).replace(day=1)
    return [first + dt.timedelta(days=n) for n in range(min(following - first, newest - first + dt.timedelta(days=1)).days)]


def _day(cell: DayCell, newest: dt.date, version: Any, moment: Moment) -> MonthDay:
    return MonthDay(cell=cell, href=moment.href("day", version.service.code, cell.on), newest=cell.on == newest)


def _weeks(days: list[MonthDay]) -> tuple[tuple[MonthDay | None, ...], ...]:
    """Rows of seven, Monday first; None where the square is of another month or has not come."""
    squares: list[MonthDay | None] = [None] * days[0].cell.on.weekday() + list(days)
    squares += [None] * (-len(squares) % 7)
    return tuple(tuple(squares[n : n + 7]) for n in range(0, len(squares), 7))


def _sentence(cells: list[DayCell], moment: Moment) -> str:
    good = good_days(cells)
    kinds, left = [cell.kind_counted for cell in cells if cell.counts], sum(not cell.counts for cell in cells)
    bad = [f"{kinds.count(kind)} {words}" for kind, words in BAD.items() if kind in kinds]
    past = " Counted as known today: corrections made since then are in." if moment.past else ""
    if not good.counted:
        return f"No day counts: {many(len(cells), 'day')} with nothing due, held, left out or still to come.{past}"
    bad += [f"{left} left out by the measurement calendar"] if left else []
    told = f", {', '.join(bad)}" if bad else ""
    return f"{good.good} of {many(good.counted, 'day')} good{told}.{past}"
