"""When things are due, frozen or in each other's way, whether everything is watched, and how often to ask."""

from __future__ import annotations

import datetime as dt
from itertools import combinations
from math import ceil
from typing import Any

from monitoring.methods.canonical import Inputs, instant, instant_or_none, interval, rate, six, text
from monitoring.methods.recurrences import bounded
from monitoring.methods.registry import method
from monitoring.schedules import Schedule, occurrences, parse


def _dues(schedule: Schedule, since: dt.datetime, until: dt.datetime) -> dict[dt.date, dt.datetime]:
    return {occurrence.local_on: occurrence.due_at for occurrence in occurrences(schedule, since, until)}


@method("BM-SCHED", "Due times")
def due_times(inputs: Inputs) -> list[str | None]:
    """The instant at which a rule is due on each of the given local dates; null where it is not due.

    RFC 5545: a local time in the gap of the spring change uses the offset before it, an ambiguous one in autumn means
    the first; one occurrence per local date and time. `start_on` (default: the first date) anchors rules with INTERVAL and COUNT.
    """
    dates = [dt.date.fromisoformat(date) for date in inputs["dates"]]
    if not dates:
        return []
    start_on = dt.date.fromisoformat(inputs["start_on"]) if inputs.get("start_on") else min(dates)
    rule = bounded(inputs["rrule"], dt.datetime.combine(start_on, dt.time.fromisoformat(inputs["local_time"])), inputs["timezone"])
    if rule is None:
        return [None] * len(dates)
    schedule = parse(
        rrule=rule.rrule, local_times=[inputs["local_time"]], zone=inputs["timezone"], start_on=start_on, until_on=rule.until_on
    )
    day = dt.timedelta(days=1)
    since, until = (dt.datetime.combine(date, dt.time(), tzinfo=dt.UTC) for date in (min(dates) - day, max(dates) + 2 * day))
    found = _dues(schedule, since, until)
    return [text(found[date]) if date in found else None for date in dates]


@method("BM-FREEZE", "Change freezes")
def freezes(inputs: Inputs) -> dict[str, Any]:
    """The freezes of a rule that start in the horizon, and what they say to each change.

    Starts are wall-clock times as in BM-SCHED, the duration is elapsed time. Overlap is half-open: touching is clear.
    An overlapping normal or standard change is `blocked`, an emergency is an exception to be recorded
    (`emergency_exception_required`). Begin the horizon one duration before the first change.
    """
    first = dt.datetime.fromisoformat(inputs["dtstart_local"])
    length = dt.timedelta(seconds=inputs["duration_seconds"])
    frozen = [(starts_at, starts_at + length) for starts_at in _freeze_starts(inputs, first)]
    results = []
    for change in inputs["changes"]:
        start, end = interval([change["start"], change["end"]])
        hits = sum(_overlap((start, end), freeze) for freeze in frozen)
        blocked = "emergency_exception_required" if change["type"] == "emergency" else "blocked"
        results.append({"id": change["id"], "freezes": hits, "verdict": blocked if hits else "clear"})
    return {"freezes": [[text(start), text(end)] for start, end in frozen], "results": results}


def _freeze_starts(inputs: Inputs, first: dt.datetime) -> list[dt.datetime]:
    rule = bounded(inputs["rrule"], first, inputs["timezone"])
    if rule is None:
        return []
    schedule = parse(
        rrule=rule.rrule,
        local_times=[first.isoformat(timespec="seconds")[11:].removesuffix(":00")],
        zone=inputs["timezone"],
        start_on=first.date(),
        until_on=rule.until_on,
        excluded_on=map(dt.date.fromisoformat, inputs.get("excluded_on") or []),
    )
    return [due.due_at for due in occurrences(schedule, *interval(inputs["horizon"]))]


def _overlap(one: tuple[dt.datetime, dt.datetime], other: tuple[dt.datetime, dt.datetime]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


@method("BM-COLLIDE", "Collisions of changes")
def collisions(inputs: Inputs) -> dict[str, Any]:
    """Pairs of changes that touch the same service at the same time, and changes that run into a backup window.

    Overlap is half-open: one that ends when the other starts does not collide.
    """
    spans = {change["id"]: interval([change["start"], change["end"]]) for change in inputs["changes"]}
    services = {change: set(inputs["services"].get(change, [])) for change in spans}
    pairs = [
        [one, other] for one, other in combinations(spans, 2) if services[one] & services[other] and _overlap(spans[one], spans[other])
    ]
    hits = [
        [change, window["service"]]
        for change, span in spans.items()
        for window in inputs["backup_windows"]
        if window["service"] in services[change] and _overlap(span, interval([window["opens_at"], window["closes_at"]]))
    ]
    return {"change_pairs": pairs, "backup_window_hits": hits}


@method("BM-COVER", "Monitoring coverage before a change")
def coverage(inputs: Inputs) -> dict[str, Any]:
    """Active jobs that are monitored and fresh / (active jobs + services without any active job).

    Passes at 100 % only. Gaps are named: NOT_MONITORED, STALE (not seen within the freshness limit), NO_JOB. Retired
    jobs are out. No service at all: the rate is null and nothing passes.
    """
    at = instant(inputs["at"])
    gaps: list[dict[str, Any]] = []
    total = 0
    for service in inputs["services"]:
        jobs = [job for job in inputs["jobs"] if job["service"] == service and job["state"] == "active"]
        total += max(1, len(jobs))
        if not jobs:
            gaps.append({"service": service, "job": None, "reason": "NO_JOB"})
        gaps += [{"service": service, "job": job["job"], "reason": reason} for job in jobs if (reason := _gap(job, at))]
    covered = total - len(gaps)
    return {
        "covered": covered,
        "total": total,
        "rate": rate(covered, total),
        "gaps": gaps,
        "verdict": "pass" if total and not gaps else "fail",
    }


def _gap(job: dict[str, Any], at: dt.datetime) -> str | None:
    if not job["monitored"]:
        return "NOT_MONITORED"
    seen_at = instant_or_none(job.get("last_seen_at"))
    return None if seen_at and at - seen_at <= dt.timedelta(seconds=job["freshness_limit_seconds"]) else "STALE"


@method("BM-FREQ", "Polling frequency")
def polling_frequency(inputs: Inputs) -> dict[str, Any]:
    """interval = clamp(RPO × factor of the tier, minimum, maximum), within the tool's request budget.

    Σ calls·3600/interval must not exceed `use_fraction` of the budget. Where it does, the intervals of the lowest tier
    are lengthened first, then the next, up to the maximum; if that is not enough, the plan is not feasible.
    """
    least, most = inputs["min_seconds"], inputs["max_seconds"]
    sources = {source["id"]: source for source in inputs["sources"]}
    intervals = {
        name: min(most, max(least, round(source["rpo_seconds"] * inputs["factors"][str(source["tier"])])))
        for name, source in sources.items()
    }
    allowed = inputs["budget_requests_per_hour"] * inputs["use_fraction"]
    for tier in sorted({source["tier"] for source in sources.values()}, reverse=True):
        _lengthen([name for name in sources if sources[name]["tier"] == tier], intervals, sources, allowed, most)
    requests = _requests_per_hour(sources, intervals)
    return {
        "interval_seconds": intervals,
        "requests_per_hour": six(requests),
        "allowed": six(allowed),
        "feasible": requests <= allowed + 1e-9,
    }


def _requests_per_hour(sources: dict[str, Any], intervals: dict[str, int]) -> float:
    return float(sum(source["calls_per_poll"] * 3600 / intervals[name] for name, source in sources.items()))


def _lengthen(names: list[str], intervals: dict[str, int], sources: dict[str, Any], allowed: float, most: int) -> None:
    """Stretch the intervals of one tier alike until the budget holds; what reaches the maximum leaves its share to the rest."""
    movable = [name for name in names if intervals[name] < most]
    while movable and (excess := _requests_per_hour(sources, intervals) - allowed) > 1e-9:
        share = _requests_per_hour({name: sources[name] for name in movable}, intervals)
        factor = share / (share - excess) if share > excess else None
        for name in movable:
            intervals[name] = most if factor is None else min(most, ceil(intervals[name] * factor))
        movable = [name for name in movable if intervals[name] < most]
