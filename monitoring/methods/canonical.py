"""How a method reads its inputs and writes its results: ISO 8601 instants, whole seconds, six decimals."""

from __future__ import annotations

import datetime as dt
from typing import Any, cast

from itsm_backup.common.time import iso, parse_instant

Inputs = dict[str, Any]
SECOND = dt.timedelta(seconds=1)


def instant(value: Any) -> dt.datetime:
    """The aware UTC instant of ISO 8601 text; raises ValueError for anything else."""
    if not isinstance(value, str):
        raise ValueError(f"“{value}” is not an instant; write it like 2026-11-23T09:42:00Z")
    return parse_instant(value)


def instant_or_none(value: Any) -> dt.datetime | None:
    """Like `instant`, and None for None."""
    return None if value is None else instant(value)


def text(value: dt.datetime) -> str:
    """ISO 8601 with a Z, seconds rounded to the nearest."""
    return cast(str, iso((value + SECOND / 2).replace(microsecond=0)))


def in_utc(value: Any) -> str:
    """The same instant as it was given, to the fraction, written in UTC."""
    return cast(str, iso(instant(value)))


def whole_seconds(span: dt.timedelta) -> int:
    """Complete seconds in a span, rounded down."""
    return span // SECOND


def interval(pair: Any) -> tuple[dt.datetime, dt.datetime]:
    """A half-open [start, end) from two texts; raises ValueError when it runs backwards."""
    start, end = instant(pair[0]), instant(pair[1])
    if end < start:
        raise ValueError(f"the interval {pair[0]} to {pair[1]} runs backwards")
    return start, end


def six(value: float) -> float:
    """Rounded to the six decimals that are stored."""
    return round(float(value), 6) + 0.0  # no -0.0


def whole(value: float) -> float:
    """Like `six`, and a whole number without decimals: what is counted in seconds."""
    rounded = six(value)
    return int(rounded) if rounded.is_integer() else rounded


def rate(part: float, whole: float) -> float | None:
    """part / whole with six decimals; None when there is nothing to divide by, never 0 or 1."""
    return six(part / whole) if whole else None
