"""Instants, local days and durations, written one way everywhere."""

from __future__ import annotations

import datetime as dt
from typing import overload
from zoneinfo import ZoneInfo

UTC = dt.UTC


def now() -> dt.datetime:
    """The present instant. Only doors call it; acts take `at=`."""
    return dt.datetime.now(UTC)


@overload
def iso(instant: dt.datetime) -> str: ...
@overload
def iso(instant: None) -> None: ...
@overload
def iso(instant: dt.datetime | None) -> str | None: ...
def iso(instant: dt.datetime | None) -> str | None:
    """`2026-11-23T01:30:00Z`, or with microseconds where there are any."""
    if instant is None:
        return None
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


class NoZone(ValueError):
    """An instant that names no zone could be meant in any; the message says how to write the same one with its zone."""


def parse_instant(text: str) -> dt.datetime:
    """An aware UTC instant from ISO 8601 text; raises ValueError when it is no instant, NoZone when it has no zone."""
    instant = dt.datetime.fromisoformat(text)
    if instant.tzinfo is None:
        told = text[:40] if "T" in text or " " in text else f"{text[:40]}T00:00"
        raise NoZone(f"“{text[:40]}” names no time zone. Write it like {told}Z for UTC, or with your distance from it: {told}+01:00.")
    return instant.astimezone(UTC)


def is_tellable(at: dt.datetime | dt.date) -> bool:
    """Whether an instant or day lies where calendars can reckon around it: 1970 to 8999."""
    return 1970 <= at.year < 9000


def local_day(instant: dt.datetime, zone: str) -> dt.date:
    return instant.astimezone(ZoneInfo(zone)).date()


def day_bounds(day: dt.date, zone: str) -> tuple[dt.datetime, dt.datetime]:
    """[start, end) of the local day in UTC: 23, 24 or 25 hours long."""
    tz = ZoneInfo(zone)
    start = dt.datetime.combine(day, dt.time(), tz)
    end = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), tz)
    return start.astimezone(UTC), end.astimezone(UTC)


def month_bounds(instant: dt.datetime, zone: str) -> tuple[dt.datetime, dt.datetime]:
    """[start, end) in UTC of the local calendar month that holds the instant."""
    first = local_day(instant, zone).replace(day=1)
    following = (first + dt.timedelta(days=32)).replace(day=1)
    return day_bounds(first, zone)[0], day_bounds(following, zone)[0]


def duration_words(seconds: float) -> str:
    """`41 min`, `6 h 12 min`, `48 h`, `3 d 11 h`: two units at most, rounded down; days only beyond two of them."""
    whole = int(abs(seconds))
    days, rest = divmod(whole, 86_400) if whole > 2 * 86_400 else (0, whole)
    hours, rest = divmod(rest, 3_600)
    minutes, secs = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (secs, "s")]
    first = next((i for i, (value, _) in enumerate(parts) if value), 3)
    shown = [f"{value} {unit}" for value, unit in parts[first : first + 2] if value]
    if first == 2:  # minutes stand alone
        shown = shown[:1]
    return " ".join(shown) or "0 s"


def instant_words(at: dt.datetime, *, zone: ZoneInfo) -> str:
    """An instant as a date with its zone: `Tue 14 Jul 2026, 09:42 BST`."""
    local = at.astimezone(zone)
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M} {local.tzname()}"


def recent_words(at: dt.datetime, *, now: dt.datetime, zone: ZoneInfo) -> str:
    """An instant as a reader on the same day says it: `Today 09:42 BST, 41 min ago`; another day by its date."""
    local, today = at.astimezone(zone), now.astimezone(zone).date()
    if local.date() != today:
        return instant_words(at, zone=zone)
    age_s = (now - at).total_seconds()
    distance = f"{duration_words(age_s)} ago" if age_s >= 0 else f"in {duration_words(age_s)}"
    return f"Today {local:%H:%M} {local.tzname()}, {distance}"


def clock_words(at: dt.datetime, *, now: dt.datetime, zone: ZoneInfo, dated: bool = False) -> str:
    """An instant in a dense table whose head states the zone: `Today 09:42`, `Mon 13 Jul 21:30`, `3 Nov 2025 21:30`.

    `dated` never says today: for pages that show another instant than the present.
    """
    local, today = at.astimezone(zone), now.astimezone(zone)
    if local.date() == today.date() and not dated:
        return f"Today {local:%H:%M}"
    if abs((today.date() - local.date()).days) < 300:
        return f"{local:%a} {local.day} {local:%b %H:%M}"
    return f"{local.day} {local:%b %Y %H:%M}"
