"""How often backups succeeded: by attempt, by due occurrence, at the first attempt, and on time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from catalogue.counted_days import calendar_of
from monitoring.methods.canonical import Inputs, instant, instant_or_none, interval, rate
from monitoring.methods.registry import method

NOT_TERMINAL = frozenset({"running", "queued"})


class Windows(msgspec.Struct, kw_only=True, frozen=True):
    """Due occurrences of a period as BM-SR-WIN counts them; `rate` is None while nothing is settled."""

    good: int = 0
    bad: int = 0
    pending: int = 0
    excused: int = 0
    unconfirmed: int = 0
    uncounted: int = 0

    @property
    def settled(self) -> int:
        return self.good + self.bad

    @property
    def rate(self) -> float | None:
        return rate(self.good, self.settled)


def windows(lines: Iterable[tuple[str, bool]]) -> Windows:
    """Count ledger lines, each given as (its state, whether its result can no longer change).

    What is neither settled nor excused nor unconfirmed nor on a day that does not count is pending, a `missed` before its cutoff included.
    """
    counts = dict.fromkeys(("good", "bad", "pending", "excused", "unconfirmed", "uncounted"), 0)
    for state, is_settled in lines:
        if state in ("excused", "unconfirmed", "uncounted"):
            counts[state] += 1
        elif not is_settled:
            counts["pending"] += 1
        else:
            counts["good" if state in ("satisfied", "satisfied_late") else "bad"] += 1
    return Windows(**counts)


class _Attempt(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    started_at: dt.datetime
    ended_at: dt.datetime | None
    status: str
    good: bool


def good_statuses(inputs: Inputs) -> set[str]:
    """Statuses that count as good under the `policy` of the inputs."""
    policy = inputs.get("policy") or {}
    optional = {name for name in ("warning", "partial") if policy.get(f"{name}_is_good", name == "warning")}
    return {"success"} | optional


def _is_within(at: dt.datetime, intervals: Iterable[Any]) -> bool:
    return any(start <= at < end for start, end in map(interval, intervals))


def _attempts(inputs: Inputs) -> dict[str, list[_Attempt]]:
    """Attempts by occurrence, in order; what ended after the evaluation is not known yet."""
    known_until, good = instant(inputs["evaluated_at"]), good_statuses(inputs)
    by_occurrence: dict[str, list[_Attempt]] = {}
    for run in inputs["runs"]:
        ended_at = instant_or_none(run.get("ended_at"))
        terminal = ended_at is not None and ended_at <= known_until and run["status"] not in NOT_TERMINAL
        attempt = _Attempt(
            number=run.get("attempt") or 1,
            started_at=instant(run["started_at"]),
            ended_at=ended_at if terminal else None,
            status=run["status"],
            good=terminal and run["status"] in good,
        )
        by_occurrence.setdefault(run.get("occurrence") or "", []).append(attempt)
    for attempts in by_occurrence.values():
        attempts.sort(key=lambda attempt: (attempt.number, attempt.started_at))
    return by_occurrence


class _Judged(msgspec.Struct, frozen=True, kw_only=True):
    state: str
    first_good: bool = False
    on_time: bool = False


def _cutoffs(occurrences: list[dict[str, Any]]) -> dict[Any, dt.datetime | None]:
    """Until when each occurrence can still become good: as agreed, else the next opening; None after the last of them."""
    openings = sorted({instant(occurrence["opens_at"]) for occurrence in occurrences})
    following = dict(zip(openings, [*openings[1:], None], strict=False))
    return {one["id"]: instant_or_none(one.get("cutoff_at")) or following[instant(one["opens_at"])] for one in occurrences}


def _judged(inputs: Inputs) -> list[_Judged]:
    """Every occurrence that opened in the period, as good, bad, missed, excluded or pending."""
    since, until = interval(inputs["period"])
    evaluated_at, by_occurrence = instant(inputs["evaluated_at"]), _attempts(inputs)
    calendar, zone = calendar_of(inputs.get("calendar") or ""), ZoneInfo(inputs.get("zone") or "UTC")
    cutoffs, judged = _cutoffs(inputs["occurrences"]), []
    for occurrence in inputs["occurrences"]:
        opens_at, cutoff_at = instant(occurrence["opens_at"]), cutoffs[occurrence["id"]]
        if not since <= opens_at < until:
            continue
        attempts = by_occurrence.get(occurrence["id"], [])
        good = [attempt for attempt in attempts if attempt.good and attempt.ended_at and (not cutoff_at or attempt.ended_at <= cutoff_at)]
        if _is_within(opens_at, inputs.get("maintenance") or []) or not calendar.counts(opens_at.astimezone(zone).date()):
            judged.append(_Judged(state="excluded"))
        elif good:
            closes_at = instant(occurrence["closes_at"])
            on_time = any(attempt.ended_at is not None and attempt.ended_at <= closes_at for attempt in good)
            judged.append(_Judged(state="good", first_good=attempts[0] in good, on_time=on_time))
        elif cutoff_at is None or evaluated_at < cutoff_at:
            judged.append(_Judged(state="pending"))
        else:
            judged.append(_Judged(state="bad" if attempts else "missed"))
    return judged


@method("BM-SR-RUN", "Success rate by attempt")
def success_by_run(inputs: Inputs) -> dict[str, Any]:
    """Good finished attempts / finished attempts that started in the period.

    Good is success, and warning or partial where the policy says so (default: warning yes, partial no). Retries count
    singly. Running attempts are out, and so are those cancelled in maintenance; other cancellations count as bad.
    Nothing finished: the rate is null, never 0 or 1.
    """
    since, until = interval(inputs["period"])
    counts_as_good = good_statuses(inputs)
    good = total = 0
    for run in inputs["runs"]:
        started_at = instant(run["started_at"])
        if run["status"] in NOT_TERMINAL or not since <= started_at < until:
            continue
        if run["status"] == "cancelled" and _is_within(started_at, inputs.get("maintenance") or []):
            continue
        total += 1
        good += run["status"] in counts_as_good
    return {"good": good, "total": total, "rate": rate(good, total)}


@method("BM-SR-WIN", "Success rate by window (headline)")
def success_by_window(inputs: Inputs) -> dict[str, Any]:
    """Occurrences with at least one good attempt ended by their cutoff / settled occurrences that are not excluded.

    The cutoff is the next opening unless agreed otherwise (`cutoff_at`); the last one may have none. An occurrence belongs to
    the period of its opening and is settled once it is good or its cutoff is reached; until then it is pending. One without
    any attempt is missed and counts as bad. Maintenance excludes an occurrence that opens in it, whatever its result, if it was
    approved before. A measurement calendar (`calendar`, such as Mon-Fri except 2026-12-25) excludes in the same way what opens on a
    day of the `zone` that does not count by it; without one every day counts. An unscheduled run never fills an occurrence unless
    it was linked to it.
    """
    states = [occurrence.state for occurrence in _judged(inputs)]
    counts = {
        name: states.count(state)
        for name, state in [("good", "good"), ("bad", "bad"), ("missed", "missed"), ("excluded", "excluded"), ("pending", "pending")]
    }
    total = counts["good"] + counts["bad"] + counts["missed"]
    return {**counts, "total": total, "rate": rate(counts["good"], total)}


def _settled(inputs: Inputs) -> list[_Judged]:
    return [occurrence for occurrence in _judged(inputs) if occurrence.state in ("good", "bad", "missed")]


@method("BM-FAS", "First-attempt success")
def first_attempt_success(inputs: Inputs) -> dict[str, Any]:
    """Occurrences whose first attempt was good by the cutoff / settled occurrences (as BM-SR-WIN).

    Shows retries that the headline figure hides.
    """
    settled = _settled(inputs)
    good = sum(occurrence.first_good for occurrence in settled)
    return {"good": good, "total": len(settled), "rate": rate(good, len(settled))}


@method("BM-CIW", "Completed in window")
def completed_in_window(inputs: Inputs) -> dict[str, Any]:
    """Occurrences with a good attempt ended by the close of their window / settled occurrences (as BM-SR-WIN).

    Good but after the close counts as good in BM-SR-WIN and as bad here.
    """
    settled = _settled(inputs)
    on_time = sum(occurrence.on_time for occurrence in settled)
    return {"on_time": on_time, "total": len(settled), "rate": rate(on_time, len(settled))}


@method("BM-INW", "Inside the backup window")
def inside_window(inputs: Inputs) -> dict[str, Any]:
    """Good runs that began and ended inside one and the same backup window / good runs.

    The window opens and closes at local times of its zone, each day; one that closes at or before the time at which it opens closes
    on the next day. Both ends belong to it. What failed or was missed is counted by BM-SR-WIN and left out here, and so is a run
    without start or end.
    """
    zone = ZoneInfo(inputs["zone"])
    opens, closes = (dt.time.fromisoformat(inputs[name]) for name in ("opens", "closes"))
    runs = [(instant(run["started_at"]), instant(run["ended_at"])) for run in inputs["runs"] if run["started_at"] and run["ended_at"]]
    inside = sum(_is_inside(run, opens, closes, zone) for run in runs)
    return {"inside": inside, "total": len(runs), "rate": rate(inside, len(runs))}


def _is_inside(run: tuple[dt.datetime, dt.datetime], opens: dt.time, closes: dt.time, zone: ZoneInfo) -> bool:
    first = run[0].astimezone(zone).date()
    for day in (first, first - dt.timedelta(days=1)):
        last = day if closes > opens else day + dt.timedelta(days=1)
        if dt.datetime.combine(day, opens, zone) <= run[0] and run[1] <= dt.datetime.combine(last, closes, zone):
            return True
    return False
