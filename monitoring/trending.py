"""How a service did month by month: thirteen months of day cells, counted where they lie, and what trend they prove."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from catalogue.models import ServiceVersion
from itsm_backup.common.time import local_day
from monitoring.asking import fetch
from monitoring.methods import measure

MONTHS = 13
LEAST_MONTHS = 6


class Month(NamedTuple):
    """Due backups of one calendar month of the entry's zone, on days that are over: good ones, those by their deadline, all."""

    first: dt.date
    good: int
    on_time: int
    total: int


class Cell(NamedTuple):
    """A row of `ServiceDay`, as pages show it."""

    day: dt.date
    good: int
    warned: int
    late: int
    failed: int
    missed: int
    unknown: int
    held: int
    pending: int
    restores: int
    besides: int
    refuted: int
    uncounted: int
    worst: str


COUNTED = """
SELECT date_trunc('month', day::timestamp)::date AS first, sum(good)::bigint AS good, sum(good - late)::bigint AS on_time,
  sum(good + failed + missed)::bigint AS total
FROM monitoring_serviceday WHERE service_id = %(service)s AND day >= %(since)s AND day < %(today)s GROUP BY 1
"""
# The same beside the cells of some days, which costs one way to the database less.
_BOTH = f"""
SELECT day, {", ".join(Cell._fields[1:-1])}, worst, false FROM monitoring_serviceday
WHERE service_id = %(service)s AND day BETWEEN %(first)s AND %(last)s
UNION ALL
SELECT m.*, {", ".join(["0"] * (len(Cell._fields) - 5))}, '', true FROM ({COUNTED}) m
"""  # noqa: S608 - our own names


def months_of(version: ServiceVersion, at: dt.datetime) -> list[Month]:
    """Thirteen months, the oldest first, by cells as known today; a month of which nothing is known counts nothing."""
    return filled(asked_of(version, at), fetch(COUNTED, asked_of(version, at)))


def days_and_months(version: ServiceVersion, days: Sequence[dt.date], at: dt.datetime) -> tuple[list[Cell], list[Month]]:
    """The cells of these days, and the thirteen months until `at`: one question."""
    asked = asked_of(version, at)
    rows = fetch(_BOTH, {**asked, "first": days[0], "last": days[-1]})
    months = [row[:4] for row in rows if row[-1]]
    return [Cell(*row[:-1]) for row in rows if not row[-1]], filled(asked, months)


def asked_of(version: ServiceVersion, at: dt.datetime) -> dict[str, Any]:
    """What `COUNTED` wants to know."""
    today = local_day(at, version.zone)
    return {"service": version.service_id, "since": list(_firsts(today))[-1], "today": today}


def _firsts(today: dt.date) -> Iterator[dt.date]:
    first = today.replace(day=1)
    for _ in range(MONTHS):
        yield first
        first = (first - dt.timedelta(days=1)).replace(day=1)


def filled(asked: dict[str, Any], rows: Sequence[tuple[Any, ...]]) -> list[Month]:
    """The rows of `COUNTED` with the months between them of which nothing is known."""
    found = {row[0]: Month(*row) for row in rows}
    return [found.get(first, Month(first, 0, 0, 0)) for first in reversed(list(_firsts(asked["today"])))]


def trend_of(months: Sequence[Month]) -> dict[str, Any]:
    """BM-TREND of the whole months; the present one is not over. `points` says how many there are."""
    points = [{"period": f"{one.first:%Y-%m}", "value": one.good / one.total} for one in months[:-1] if one.total]
    return {**measure("BM-TREND", {"points": points, "min_points": LEAST_MONTHS, "alpha": 0.05}), "points": len(points)}
