"""Words and numbers of a report."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from itsm_backup.common.charts.svg import percent_words
from itsm_backup.common.time import duration_words

VERDICTS = {"broken": "Broken", "no_data": "No data", "at_risk": "At risk", "held": "Held", "kept": "Kept"}  # in the order of urgency
TIERS = {"1": "Critical to life", "2": "Critical to care", "3": "Business", "4": "Supporting"}
GROUPS = {"application_type": "Application type", "department": "Department", "tier": "Tier"}
REASONS = {
    "no_promise": "the entry promises nothing that can be measured",
    "rpo_exceeded": "the newest copy was older than promised",
    "success_below_target": "fewer runs succeeded than promised",
    "no_copies_known": "no copy of it is known",
    "nothing_settled": "no due run of it is settled",
    "held_all_month": "held by maintenance in the whole month",
    "rpo_nearly_used": "the newest copy was nearly as old as promised allows",
    "budget_nearly_used": "nearly as many runs failed as the promise allows",
}
MINUS = "−"
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def many(count: int, one: str, more: str | None = None) -> str:
    """`1 service`, `40 services`, `3,001 runs`."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def percent(good: float, total: float) -> str:
    """One decimal, rounded down, so that 100% means that nothing is missing; `–` when there is nothing to divide by."""
    if not total:
        return "–"
    return percent_words(good / total)


def share(value: float | None) -> str:
    """A promised share: `98.0%`, `99.95%`."""
    if value is None:
        return "–"
    text = f"{value * 100:.3f}".rstrip("0")
    return f"{text}0%" if text.endswith(".") else f"{text}%"


def points(value: float) -> str:
    """Percentage points with a true minus sign."""
    rounded = round(value, 1)
    sign = "+" if rounded > 0 else MINUS if rounded < 0 else ""
    return f"{sign}{abs(rounded):.1f}"


def duration(seconds: int | None) -> str:
    """`27 h 10 min`; `–` when it is not known."""
    return "–" if seconds is None else duration_words(seconds)


def size(count_bytes: int) -> str:
    """Decimal units: `412 TB`."""
    value, unit = float(count_bytes), 0
    while value >= 1_000 and unit < len(_UNITS) - 1:
        value, unit = value / 1_000, unit + 1
    return f"{value:.0f} {_UNITS[unit]}" if unit == 0 or value >= 100 else f"{value:.1f} {_UNITS[unit]}"


def short_instant(text: str, zone: ZoneInfo) -> str:
    """`7 Jun, 04:10` of ISO 8601 text, in tables whose head names the zone."""
    local = dt.datetime.fromisoformat(text).astimezone(zone)
    return f"{local.day} {local:%b, %H:%M}"


def day(text: str) -> str:
    on = dt.date.fromisoformat(text)
    return f"{on.day} {on:%b}"


def listed(names: list[str], *, most: int = 4) -> str:
    """`A`, `A and B`, `A, B and C`, `A, B, C, D and 3 more`."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""
