"""How people write spans, shares and instants in an estate file, and how these are read back to them."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from itsm_backup.common.time import UTC, duration_words, instant_words, parse_instant

_UNITS = {"s": 1, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_PART = r"\d{1,6}(?:\.\d{1,3})? ?(?:s|min|h|d|w)"
DURATION = rf"^{_PART}(?: {_PART})*$"
SHARE = r"^(?:100|\d{1,2}(?:\.\d{1,3})?) ?%$"
INSTANT = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:\d{2})$"
DAY_OR_INSTANT = rf"^\d{{4}}-\d{{2}}-\d{{2}}$|{INSTANT}"
CLOCK = r"^(?:[01]\d|2[0-3]):[0-5]\d$"
SPAN = r"^(?:[01]\d|2[0-3]):[0-5]\d ?- ?(?:[01]\d|2[0-3]):[0-5]\d$"


def seconds(text: str) -> int:
    """`4 h`, `1 d 12 h`, `90 min` in seconds, rounded to whole ones."""
    return round(sum(Decimal(number) * _UNITS[unit] for number, unit in re.findall(r"([\d.]+) ?([a-z]+)", text)))


def days(text: str) -> int:
    """`35 d` in days; raises ValueError when they are not whole."""
    found, rest = divmod(seconds(text), 86_400)
    if rest or not found:
        raise ValueError(f"{text} is no whole number of days. Write it like 35 d or 12 w.")
    return found


def share(text: str) -> Decimal:
    """`98 %` as 0.98; raises ValueError for nothing at all."""
    found = (Decimal(text.rstrip("% ")) / 100).quantize(Decimal("0.00001"))
    if not found:
        raise ValueError("A share of 0 % promises nothing. Leave it out instead.")
    return found


def instant(text: str, zone: str = "UTC") -> dt.datetime:
    """An instant; a mere date means its first moment in the zone. Raises ValueError for a date that does not exist."""
    try:
        if len(text) == 10:
            return dt.datetime.combine(dt.date.fromisoformat(text), dt.time(), ZoneInfo(zone)).astimezone(UTC)
        return parse_instant(text)
    except (ValueError, OverflowError):
        raise ValueError(f"{text} is no date that exists.") from None


def span(text: str) -> tuple[dt.time, dt.time]:
    """`20:00-06:00` as its two times."""
    opens, closes = (dt.time.fromisoformat(part.strip()) for part in text.split("-"))
    return opens, closes


def words(name: str, value: Any) -> str:
    """A stored value as the file would say it. `name` is the field, whose ending tells the unit."""
    if value is None or value in ("", [], {}):
        return "none"
    if name.endswith("_s"):
        return duration_words(value)
    if name.endswith("_days"):
        return f"{value} d"
    if name.endswith("_rate"):
        return f"{value * 100:f}".rstrip("0").rstrip(".") + " %"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dt.datetime):
        return instant_words(value, zone=ZoneInfo("UTC"))
    if isinstance(value, dict):
        return ", ".join(f"{key} {words(key, each)}" for key, each in sorted(value.items()))
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, dt.time):
        return f"{value:%H:%M}"
    return str(value)
