"""How much of a period the newest copy was within the recovery point, how fast the budget burns, from the copies of one service."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import msgspec

from catalogue.models import ServiceVersion
from itsm_backup.common.time import iso
from monitoring.methods import measure, rpo
from monitoring.restorable import Copy, copies_of

MOST_POINTS = 5_000  # of an item: one copy every nine minutes for a month; of more nothing is said
LONGEST_WINDOW = dt.timedelta(days=3)
PAGE, TICKET = 0.25, 0.30  # the share of the budget that may go in 24 hours, and in three days


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """BM-RPO-TW of the worst item, the budget by BM-EB, and its burn by BM-BURN; all of them None where nothing can be counted.

    With `unheard` some item stands behind a silent tool: its time is counted until that answered last, and no further.
    """

    starts_at: dt.datetime
    until: dt.datetime
    attainment: dict[str, Any] | None = None
    budget: dict[str, Any] | None = None
    burn: list[dict[str, Any]] = []
    lacking: str = ""
    unheard: bool = False


def recovery_of(
    *,
    version: ServiceVersion,
    rpo_s: int,
    slo: float,
    period: tuple[dt.datetime, dt.datetime],
    at: dt.datetime,
    known_at: dt.datetime,
    copies: dict[int, list[Copy]] | None = None,
    heard_until: Mapping[int, dt.datetime] | None = None,
) -> Recovery:
    """Counted from the beginning of the period, or of the version where that is later, until `at`.

    `copies` are those from `looks_back_to` on where they were read already, at most MOST_POINTS of an item. Of items behind a silent
    tool `heard_until` says until when they are known: the time since then is neither within nor beyond the recovery point.
    """
    since = max(period[0], version.effective.lower, version.commissioned_at)
    empty = Recovery(starts_at=since, until=at)
    if since >= at:
        return msgspec.structs.replace(empty, lacking="The period begins now")
    looked_at_from = looks_back_to(version, period, at)
    if copies is None:
        copies = copies_of(service_id=version.service_id, start=looked_at_from, end=at, known_at=known_at, most=MOST_POINTS)
    if not copies:
        return msgspec.structs.replace(empty, lacking="No job is mapped")
    if any(len(some) >= MOST_POINTS for some in copies.values()):
        return msgspec.structs.replace(empty, lacking=f"More than {MOST_POINTS:,} copies in the period")
    commissioned_at, known = version.commissioned_at, heard_until or {}
    ends = {item: min(at, known.get(item, at)) for item in copies}
    empty = msgspec.structs.replace(empty, unheard=any(end < at for end in ends.values()))
    if all(end <= since for end in ends.values()):
        return msgspec.structs.replace(empty, lacking="Its backup tool has not answered in the period")
    counted = {
        item: measure("BM-RPO-TW", _given(some, (since, ends[item]), rpo_s, commissioned_at))
        for item, some in copies.items()
        if ends[item] > since
    }
    worst = max(counted, key=lambda item: (counted[item]["noncompliant_seconds"], counted[item]["max_exposure_seconds"] or 0, -item))
    end = ends[worst]
    broken = _intervals(copies[worst], looked_at_from, end, rpo_s, commissioned_at)
    budget = {"period": [iso(since), iso(period[1])], "elapsed_until": iso(end), "slo": slo, "noncompliant_intervals": broken}
    return msgspec.structs.replace(empty, attainment=counted[worst], budget=measure("BM-EB", budget), burn=_burn(broken, slo, period, end))


def looks_back_to(version: ServiceVersion, period: tuple[dt.datetime, dt.datetime], at: dt.datetime) -> dt.datetime:
    """From when on copies are needed: the period, and the longest window of the rules."""
    since = max(period[0], version.effective.lower, version.commissioned_at)
    return max(min(since, at - LONGEST_WINDOW), version.effective.lower, version.commissioned_at)


def _given(copies: list[Copy], period: tuple[dt.datetime, dt.datetime], rpo_s: int, commissioned_at: dt.datetime) -> dict[str, Any]:
    points = [
        {"captured_at": iso(one.captured_at), "available_at": iso(one.available_at), "expires_at": iso(one.ends_at)} for one in copies
    ]
    return {"period": [iso(part) for part in period], "rpo_seconds": rpo_s, "points": points, "commissioned_at": iso(commissioned_at)}


def _intervals(copies: list[Copy], since: dt.datetime, until: dt.datetime, rpo_s: int, commissioned_at: dt.datetime) -> list[list[Any]]:
    points = [rpo.Point(captured_at=one.captured_at, available_at=one.available_at, expires_at=one.ends_at) for one in copies]
    found = rpo.breaches(points, since, until, limit=dt.timedelta(seconds=rpo_s), commissioned_at=commissioned_at)
    return [[iso(one.starts_at), iso(one.ends_at)] for one in found]


def _burn(broken: list[list[Any]], slo: float, period: tuple[dt.datetime, dt.datetime], at: dt.datetime) -> list[dict[str, Any]]:
    """The two time rules at `at`, or nothing where every second is promised: no budget can burn there."""
    if slo >= 1:
        return []
    period_s = (period[1] - period[0]).total_seconds()
    rules = [
        {"name": "page", "long_seconds": 86_400, "short_seconds": 7_200, "threshold": PAGE * period_s / 86_400},
        {"name": "ticket", "long_seconds": 259_200, "short_seconds": 21_600, "threshold": TICKET * period_s / 259_200},
    ]
    found = measure("BM-BURN", {"slo": slo, "noncompliant_intervals": broken, "instants": [iso(at)], "rules": rules})[0]
    return [{**rule, **found[str(rule["name"])]} for rule in rules]
