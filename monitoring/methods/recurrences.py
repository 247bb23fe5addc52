"""Rules of RFC 5545 that end by themselves: COUNT and UNTIL as the last date that a schedule takes."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

MOST_COUNTED = 10_000
_ENDS = ("COUNT=", "UNTIL=")


class Bounded(NamedTuple):
    """A rule without COUNT and UNTIL, and the last local date on which it is due; None for one without an end."""

    rrule: str
    until_on: dt.date | None


def bounded(rrule: str, first: dt.datetime, zone: str) -> Bounded | None:
    """Return the rule and its end as `monitoring.schedules` takes them; None for one that ends before it is ever due.

    `first` is the local start that COUNT counts from. UNTIL in UTC (with Z) is read in the zone. Raises ValueError for what is no rule.
    """
    parts = rrule.strip().upper().removeprefix("RRULE:").rstrip(";").split(";")
    ends = [part for part in parts if part.startswith(_ENDS)]
    if not ends:
        return Bounded(rrule, None)
    if len(ends) > 1:
        raise ValueError("a rule ends by COUNT or by UNTIL, not by both")
    name, _, value = ends[0].partition("=")
    plain = ";".join(part for part in parts if part not in ends)
    if name == "UNTIL":
        last = rrulestr(plain, dtstart=first).before(_until(value, zone), inc=True)
    else:
        if not value.isdigit() or not 1 <= int(value) <= MOST_COUNTED:
            raise ValueError(f"COUNT is a whole number from 1 to {MOST_COUNTED:,}, not {value[:20]}")
        last = max(rrulestr(f"{plain};{ends[0]}", dtstart=first), default=None)
    return Bounded(plain, last.date()) if last else None


def _until(value: str, zone: str) -> dt.datetime:
    """A date alone holds to its end."""
    at = dt.datetime.fromisoformat(value)
    if "T" not in value:
        at += dt.timedelta(days=1, microseconds=-1)
    return at.astimezone(ZoneInfo(zone)).replace(tzinfo=None) if at.tzinfo else at
