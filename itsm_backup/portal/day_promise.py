"""The recovery point over one local day: kept, or broken from when to when; and how much data moved, against what is usual."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Subquery, Sum
from django.db.models.functions import Coalesce, TruncDate
from psycopg.types.range import TimestamptzRange

from catalogue.models import ServiceVersion
from itsm_backup.common.time import duration_words, iso
from itsm_backup.portal.day_ledger import LocalDay
from itsm_backup.portal.words import size
from monitoring.methods import measure
from monitoring.methods.rpo import Breach, Point, breaches
from monitoring.models import BackupRun, Evaluation, ProtectedItem
from monitoring.planning import COUNTED
from monitoring.restorable import Copy, copies_of
from monitoring.unheard import heard_in

MOST_SPANS, WEEKS = 20, 8
GIB = 2**30


@dataclass(frozen=True, kw_only=True)
class DayPromise:
    """Verdict (empty without a promise), one line for the card, and each time that it was broken."""

    verdict: str
    words: str
    spans: tuple[str, ...] = ()


def promise_of(day: LocalDay) -> DayPromise:
    """What was promised on the day, version by version, against the copies known at the moment (BM-RPO-EXP)."""
    parts, judged = _parts(day)
    if not parts:
        return DayPromise(verdict="", words="No recovery point (RPO) is promised")
    promise = "RPO " + " then ".join(dict.fromkeys(duration_words(rpo_s) for _, _, rpo_s, _ in parts))
    copies = copies_of(service_id=day.service_id, start=day.starts_at, end=day.until, known_at=day.moment.at)
    if not any(copies.values()):
        return DayPromise(verdict="no_data", words=f"{promise}, no copy is known")
    heard = heard_in(judged)
    found = [
        (item, breach)
        for item, points in copies.items()
        for part in _as_heard(parts, heard.get(item))
        for breach in _breaches(points, part)
    ]
    so_far = "that day" if day.is_over else "so far"
    unheard = [heard[item] for item in copies if item in heard and heard[item] < day.until]
    if not found and unheard:
        since = max(min(unheard), day.starts_at)
        from_then = f" from {day.clock_words(since)}" if since > day.starts_at else ""
        return DayPromise(verdict="no_data", words=f"{promise}, not known{from_then}: its backup tool has not answered since")
    if not found:
        return DayPromise(verdict="kept", words=f"{promise}, kept {so_far}")
    found.sort(key=lambda pair: (pair[1].starts_at, pair[0]))
    broken_s = _covered_s([breach for _, breach in found])
    names = dict(ProtectedItem.objects.filter(service=day.service_id).values_list("pk", "name")) if len(copies) > 1 else {}
    return DayPromise(
        verdict="broken",
        words=f"{promise}, broken for {duration_words(broken_s)} {so_far}",
        spans=tuple(_span(day, breach, names.get(item, "")) for item, breach in found[:MOST_SPANS]),
    )


_Part = tuple[dt.datetime, dt.datetime, int, dt.datetime]


def _as_heard(parts: Sequence[_Part], until: dt.datetime | None) -> list[_Part]:
    """As far as is known of an item; all of it unless its tool is silent."""
    return [(since, min(end, until or end), *rest) for since, end, *rest in parts if until is None or since < until]  # type: ignore[misc]


def _parts(day: LocalDay) -> tuple[list[_Part], dict[str, Any]]:
    """(from, until, seconds promised, commissioned) of each version in force on the day that promises a recovery point; and on what the
    judgement in force at the moment stands, which knows which tools were silent.
    """
    if day.starts_at >= day.until:
        return [], {}
    judged = Evaluation.objects.filter(service=day.service_id, at__lte=day.moment.at).order_by("-at", "-pk").values("inputs")[:1]
    versions = ServiceVersion.objects.approved().filter(service=day.service_id, commitment__rpo_s__isnull=False)
    found = []
    overlapping = versions.filter(effective__overlap=TimestamptzRange(day.starts_at, day.until)).select_related("commitment")
    rows: list[Any] = list(overlapping.annotate(judged=Subquery(judged)).order_by("effective"))
    for version in rows:
        since = max(version.effective.lower, version.commissioned_at, day.starts_at)
        until = min(version.effective.upper or day.until, day.until)
        if since < until:
            found.append((since, until, version.commitment.rpo_s, version.commissioned_at))
    return found, next((row.judged for row in rows if row.judged), {})


def _breaches(copies: Sequence[Copy], part: _Part) -> list[Breach]:
    since, until, rpo_s, commissioned_at = part
    points = [Point(captured_at=one.captured_at, available_at=one.available_at, expires_at=one.ends_at) for one in copies]
    return breaches(points, since, until, limit=dt.timedelta(seconds=rpo_s), commissioned_at=commissioned_at)


def _covered_s(found: Sequence[Breach]) -> float:
    """How long at least one item was beyond its promise; `found` is in order of time."""
    total_s, reached = 0.0, None
    for breach in found:
        since = max(breach.starts_at, reached) if reached else breach.starts_at
        if breach.ends_at > since:
            total_s += (breach.ends_at - since).total_seconds()
            reached = breach.ends_at
    return total_s


def _span(day: LocalDay, breach: Breach, item: str) -> str:
    begins = "the start of the day" if breach.starts_at == day.starts_at else day.clock_words(breach.starts_at)
    ends = ("the end of the day" if day.is_over else "now") if breach.ends_at == day.until else day.clock_words(breach.ends_at)
    if not day.is_over and day.moment.past and breach.ends_at == day.until:
        ends = day.clock_words(breach.ends_at)
    took = duration_words((breach.ends_at - breach.starts_at).total_seconds())
    named = f"{item}: " if item else ""
    return f"{named}broken from {begins} to {ends} ({took}), the newest copy up to {duration_words(breach.over_s)} too old"


def moved_words(day: LocalDay) -> str:
    """`1.9 TB of 2.4 TB usual`: what good backups moved that day, and the median of its weekday (BM-ANO-WD); empty when not told."""
    since = day.starts_at - dt.timedelta(weeks=WEEKS)
    runs = BackupRun.objects.filter(
        service=day.service_id,
        occurred_at__gte=since,
        occurred_at__lt=day.until,
        first_seen_at__lte=day.moment.at,
        state="finished",
        operation__in=COUNTED,
        outcome__in=BackupRun.GOOD,
    )
    by_day: dict[dt.date, int] = {
        row["on"]: row["moved"]
        for row in runs.annotate(on=TruncDate("occurred_at", tzinfo=day.zone))
        .values("on")
        .annotate(moved=Sum(Coalesce("bytes_stored", "bytes_source")))
        .order_by("on")
        if row["moved"] is not None
    }
    moved = by_day.pop(day.on, None)
    if moved is None:
        return ""
    usual = _usual(day, moved, by_day) if day.is_over else None
    return f"{size(moved)} of {size(usual)} usual" if usual else size(moved) if day.is_over else f"{size(moved)} so far"


def _usual(day: LocalDay, moved: int, by_day: dict[dt.date, int]) -> int | None:
    """The median of the weekday in the weeks before, where at least four are known."""
    given: dict[str, Any] = {
        "timezone": str(day.zone),
        "at": iso(day.starts_at),
        "value": moved / GIB,
        "history": [{"captured_at": iso(_noon(day, on)), "gib": total / GIB} for on, total in by_day.items()],
        "min_per_weekday": 4,
        "min_effect_ratio": 1.25,
        "threshold": 3.5,
    }
    median_gib = measure("BM-ANO-WD", given).get("weekday_median")
    return round(median_gib * GIB) if median_gib else None


def _noon(day: LocalDay, on: dt.date) -> dt.datetime:
    return dt.datetime.combine(on, dt.time(12), day.zone)
