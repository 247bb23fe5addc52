"""Day cells as pages show them: what a service's day came to, in the alphabet that calendar, strip and day page share."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db.models import Q
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe

from itsm_backup.common import charts
from itsm_backup.common.charts.strip import LETTERS
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.words import day, many

KINDS = {letter: kind for kind, letter in LETTERS.items()}
WORDS = {
    "good": "Good",
    "warning": "Good with warnings",
    "late": "Late",
    "failed": "Failed",
    "missed": "Missed, never ran",
    "no_data": "No data",
    "held": "Held",
    "pending": "Still to come",
    "not_scheduled": "Not scheduled",
}
MARKED = ("warning", "late", "failed", "missed", "no_data", "held")  # kinds that a letter in the row of a day tells
BAD = {"failed": "failed", "missed": "missed", "late": "late", "no_data": "without data"}  # what spoils a day, in the words of sums
VERDICT_OF = {
    "warning": "at_risk",
    "late": "at_risk",
    "failed": "broken",
    "missed": "broken",
    "no_data": "no_data",
    "held": "held",
    "good": "kept",
}
COUNTS = {
    "good": "good",
    "failed": "failed",
    "missed": "missed",
    "late": "late",
    "warned": "with warnings",
    "unknown": "without data",
    "held": "held",
    "uncounted": "not counted",
    "pending": "still to come",
}
COUNTED = (  # what rates count of a day, the worst first, and what it is then
    ("failed", ("failed", "besides", "refuted")), ("missed", ("missed",)), ("no_data", ("unknown",)), ("late", ("late",)),
    ("warning", ("warned",)), ("good", ("good",)),
)  # fmt: skip
UNCOUNTED = Q(uncounted__gt=0, good=0, failed=0, missed=0, unknown=0, besides=0, refuted=0)  # days of which no rate counts anything
REACHED = "Affected by a provider"
MOST_BACK = 396  # thirteen months: how far calendars page back
_ANY_DAY = dt.date(2000, 1, 1)
WEAK, POOR = 0.95, 0.9  # shares of good days below which the count is told in amber, and in red


@dataclass(frozen=True)
class DayCell(charts.DayCell):
    """One day of a service: a kind of the alphabet, the counts behind it in words, and whether a provider's trouble reached it."""

    reached: bool = False
    counted: str | None = None  # its kind by what rates count of it, where that is not all; empty where it is nothing

    @property
    def counts(self) -> bool:
        """False where all that was due fell on a day that does not count."""
        return self.counted != ""

    @property
    def kind_counted(self) -> str:
        return self.kind if self.counted is None else self.counted

    @property
    def spoken(self) -> str:
        """What a screen reader says: `Mon 13 Jul: failed, 10 good, 2 failed`."""
        beside = f", {REACHED.lower()}" if self.reached else ""
        return f"{_label(self.on)}: {WORDS[self.kind].lower()}{f', {self.words}' if self.words else ''}{beside}"

    @property
    def letter(self) -> str:
        return LETTERS.get(self.kind, "")


@dataclass(frozen=True)
class GoodDays:
    """Good days of those that count: held days, days outside the measurement calendar, days to come and days on which nothing was due
    are left out."""

    good: int
    counted: int

    @property
    def tone(self) -> str:
        """kept, at_risk, broken; empty when no day counts."""
        if not self.counted:
            return ""
        share = self.good / self.counted
        return "kept" if share >= WEAK else "at_risk" if share >= POOR else "broken"

    def __str__(self) -> str:
        return f"{self.good:,}/{self.counted:,}" if self.counted else "–"


@lru_cache(maxsize=1_000)
def _label(on: dt.date) -> str:
    return f"{on:%a} {on.day} {on:%b}"


def kind_of(row: Any) -> str:
    """The kind of a stored day."""
    return KINDS.get(row.worst) or ("good" if row.good or row.uncounted else "pending" if row.pending else "not_scheduled")


def cell_of(on: dt.date, row: Any, *, reached: bool = False) -> DayCell:
    """The cell of a day from its row of `ServiceDay`, or from None."""
    if row is None:
        return DayCell(on, "not_scheduled", "", reached=reached)
    counts = [f"{getattr(row, name):,} {told}" for name, told in COUNTS.items() if getattr(row, name)]
    if row.restores:
        counts.append(many(row.restores, "restore test passed", "restore tests passed"))
    if row.besides:
        counts.append(f"{row.besides:,} failed outside the schedule")
    if row.refuted:
        counts.append(many(row.refuted, "restore test failed", "restore tests failed"))
    counted = next((kind for kind, names in COUNTED if any(getattr(row, name) for name in names)), "") if row.uncounted else None
    return DayCell(on, kind_of(row), ", ".join(counts), restore_passed=row.restores > 0, reached=reached, counted=counted)


def cells_of(rows: Iterable[Any], days: Sequence[dt.date], reached: Collection[dt.date] = ()) -> list[DayCell]:
    """One cell a day, from the rows of one service."""
    found = {row.day: row for row in rows}
    return [cell_of(on, found.get(on), reached=on in reached) for on in days]


def good_days(cells: Iterable[DayCell]) -> GoodDays:
    kinds = [cell.kind_counted for cell in cells if cell.counts and cell.kind_counted not in ("held", "pending", "not_scheduled")]
    return GoodDays(sum(kind in ("good", "warning") for kind in kinds), len(kinds))


def legend_of(cells: Iterable[DayCell]) -> tuple[tuple[str, str], ...]:
    """The alphabet with its words; days to come, and those that a provider reached, only where there are any."""
    told = list(cells)
    kinds, reached = {cell.kind for cell in told}, [("reached", REACHED)] if any(cell.reached for cell in told) else []
    shown = ("good", *MARKED, "not_scheduled", *(["pending"] if "pending" in kinds else []))
    return (*((kind, WORDS[kind]) for kind in shown), ("restored", "Restore test passed"), *reached)


def span(last: dt.date, count: int) -> list[dt.date]:
    """`count` days, the last of them `last`."""
    return [last - dt.timedelta(days=count - 1 - n) for n in range(count)]


def span_words(days: Sequence[dt.date]) -> str:
    """`14 Jun to 14 Jul 2026`."""
    first, last = days[0], days[-1]
    return f"{day(first) if first.year != last.year else f'{first.day} {first:%b}'} to {day(last)}"


def cells_html(cells: Iterable[DayCell], *, code: str, moment: Moment, element: str = "td") -> SafeString:
    """The cells in a row, each a link to its day, in an element of its own."""
    before, after = conditional_escape(moment.href("day", code, _ANY_DAY)).split(_ANY_DAY.isoformat())
    links = (_link(cell, f"{before}{cell.on.isoformat()}{after}") for cell in cells)
    return mark_safe("".join(f"<{element}>{link}</{element}>" for link in links))  # noqa: S308  # escaped here and below


def _link(cell: DayCell, href: str) -> str:
    """Thousands of them stand on a page, so it is plain text: our own words, numbers and an address that is escaped already."""
    restored = f"{' day--restored' if cell.restore_passed else ''}{' day--reached' if cell.reached else ''}"
    return f'<a class="day day--{cell.kind}{restored}" href="{href}" aria-label="{cell.spoken}">{cell.letter}</a>'
