"""Time in words, the same in pages, mails, documents and charts. Nothing here reads the clock."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

MINUTE, HOUR, DAY = 60, 3_600, 86_400


def duration_words(seconds: float) -> str:
    """A span in at most two units, rounded down: "38 s", "41 min", "6 h 12 min", "3 d 11 h"; a negative span by its size."""
    whole = int(abs(seconds))
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min"
    big, small, names = (DAY, HOUR, ("d", "h")) if whole >= 2 * DAY else (HOUR, MINUTE, ("h", "min"))
    first, second = divmod(whole, big)
    second //= small
    return f"{first} {names[0]}" + (f" {second} {names[1]}" if second else "")


def instant_words(at: dt.datetime, *, zone: ZoneInfo) -> str:
    """An instant as a date with its zone: "Tue 14 Jul 2026, 09:42 BST"."""
    local = at.astimezone(zone)
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M} {local.tzname()}"


def recent_words(at: dt.datetime, *, now: dt.datetime, zone: ZoneInfo) -> str:
    """An instant as a reader on the same day says it: "Today 09:42 BST, 41 min ago"; another day by its date, nothing relative alone."""
    local, today = at.astimezone(zone), now.astimezone(zone).date()
    if local.date() != today:
        return instant_words(at, zone=zone)
    age_s = (now - at).total_seconds()
    distance = f"{duration_words(age_s)} ago" if age_s >= 0 else f"in {duration_words(age_s)}"
    return f"Today {local:%H:%M} {local.tzname()}, {distance}"


def clock_words(at: dt.datetime, *, now: dt.datetime, zone: ZoneInfo) -> str:
    """An instant in a dense table whose head states the zone: "Today 09:42", "Mon 13 Jul 21:30", "3 Nov 2025 21:30"."""
    local, today = at.astimezone(zone), now.astimezone(zone)
    if local.date() == today.date():
        return f"Today {local:%H:%M}"
    if abs((today.date() - local.date()).days) < 300:
        return f"{local:%a} {local.day} {local:%b %H:%M}"
    return f"{local.day} {local:%b %Y %H:%M}"
