"""How old the newest restorable copy is, and how much of a period that age was within the RPO."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from itertools import pairwise
from operator import itemgetter
from typing import Any

import msgspec

from catalogue.feasibility import violations
from monitoring.methods.canonical import Inputs, instant, instant_or_none, interval, rate, text, whole, whole_seconds
from monitoring.methods.registry import method


class Point(msgspec.Struct, kw_only=True, frozen=True):
    """A restore point: consistent at `captured_at`, restorable in [available_at, the first of its ends)."""

    captured_at: dt.datetime
    available_at: dt.datetime
    expires_at: dt.datetime | None = None
    invalid_from: dt.datetime | None = None
    gone_at: dt.datetime | None = None
    ref: Any = None

    @property
    def usable_until(self) -> dt.datetime | None:
        """When the point stops to be usable, or None."""
        return min((end for end in (self.expires_at, self.invalid_from, self.gone_at) if end is not None), default=None)

    def is_usable(self, at: dt.datetime) -> bool:
        end = self.usable_until
        return max(self.available_at, self.captured_at) <= at and (end is None or at < end)


def exposure(points: Iterable[Point], at: dt.datetime, commissioned_at: dt.datetime) -> tuple[int, Point | None]:
    """Return (exposure in whole seconds, the point it counts from) at an instant.

    Without a usable point it counts from `commissioned_at`, and the point is None.
    """
    usable = [point for point in points if point.is_usable(at)]
    best = max(usable, key=lambda point: (point.captured_at, point.available_at), default=None)
    base = best.captured_at if best else commissioned_at
    return max(0, whole_seconds(at - base)), best


class Stretch(msgspec.Struct, frozen=True):
    """A stretch of time in which exposure grows from one base."""

    starts_at: dt.datetime
    ends_at: dt.datetime
    base: dt.datetime

    @property
    def greatest(self) -> dt.timedelta:
        """The supremum of exposure in this stretch, reached just before it ends; nothing while its base is still to come."""
        return max(dt.timedelta(0), self.ends_at - self.base)

    def exceeded(self, limit: dt.timedelta) -> dt.timedelta:
        """How long exposure was above the limit in this stretch."""
        return max(dt.timedelta(0), self.ends_at - max(self.starts_at, self.base + limit))


def stretches(points: Iterable[Point], since: dt.datetime, until: dt.datetime, commissioned_at: dt.datetime) -> Iterator[Stretch]:
    """Cut [since, until) where the base of exposure changes; every stretch has one base."""
    known = [(max(point.available_at, point.captured_at), point.usable_until, point.captured_at) for point in points]
    edges = {since, until, *(edge for arrives_at, gone_at, _ in known for edge in (arrives_at, gone_at) if edge and since < edge < until)}
    arriving = sorted(known, key=itemgetter(0), reverse=True)
    newest: list[tuple[float, int, dt.datetime | None, dt.datetime]] = []
    for starts_at, ends_at in pairwise(sorted(edges)):
        while arriving and arriving[-1][0] <= starts_at:
            _, gone_at, captured_at = arriving.pop()
            heappush(newest, (-captured_at.timestamp(), len(arriving), gone_at, captured_at))
        while newest and (gone_at := newest[0][2]) is not None and gone_at <= starts_at:
            heappop(newest)
        yield Stretch(starts_at, ends_at, newest[0][3] if newest else commissioned_at)


class Breach(msgspec.Struct, frozen=True):
    """A time in which exposure was above the limit, and how far at most."""

    starts_at: dt.datetime
    ends_at: dt.datetime
    over_s: int


def breaches(
    points: Iterable[Point], since: dt.datetime, until: dt.datetime, *, limit: dt.timedelta, commissioned_at: dt.datetime
) -> list[Breach]:
    """Each time in [since, until) that exposure was above the limit; stretches that touch are one breach."""
    found: list[Breach] = []
    for stretch in stretches(points, since, until, commissioned_at):
        begins_at = max(stretch.starts_at, stretch.base + limit)
        if stretch.ends_at <= begins_at:
            continue
        over_s = whole_seconds(stretch.ends_at - stretch.base - limit)
        if found and begins_at == found[-1].ends_at:
            joined = found.pop()
            begins_at, over_s = joined.starts_at, max(over_s, joined.over_s)
        found.append(Breach(begins_at, stretch.ends_at, over_s))
    return found


def _points(inputs: Inputs, needed: Iterable[str] | None = ()) -> list[Point]:
    arrived = [point for point in inputs["points"] if point["available_at"] is not None]
    return [_point(point) for point in arrived if all(point.get(quality) for quality in needed or ())]


def _point(point: dict[str, Any]) -> Point:
    return Point(
        captured_at=instant(point["captured_at"]),
        available_at=instant(point["available_at"]),
        expires_at=instant_or_none(point.get("expires_at")),
        invalid_from=instant_or_none(point.get("invalid_from")),
        gone_at=instant_or_none(point.get("gone_at")),
        ref=point.get("id"),
    )


@method("BM-RPO-EXP", "RPO exposure at an instant")
def exposure_at_instants(inputs: Inputs) -> list[dict[str, Any]]:
    """E(t) = t − max{captured_at of the points usable at t}.

    `captured_at` is the instant the data is consistent at (snapshot or start), not the end of the job; a point counts from
    `available_at` (job end, or arrival of the copy; null while it is on its way) until the first of `expires_at`, `invalid_from` and
    `gone_at`. Without a usable point E counts from `commissioned_at` and the state is `never_protected`. E equal to the RPO complies
    (`ok`); above it is `breached`. A point found corrupt later makes the exposure jump back; earlier values are not rewritten.
    `need` restricts the points as in BM-RPO-TW.

    Source: SP 800-34 and ISO 22301 definition of RPO; the supremum is the state just before the next point arrives.
    """
    points = _points(inputs, inputs.get("need"))
    commissioned_at, rpo = instant(inputs["commissioned_at"]), dt.timedelta(seconds=inputs["rpo_seconds"])
    results = []
    for at in map(instant, inputs["instants"]):
        exposure_s, point = exposure(points, at, commissioned_at)
        within = "ok" if dt.timedelta(seconds=exposure_s) <= rpo else "breached"
        state = within if point else "never_protected"
        results.append({"at": text(at), "exposure_seconds": exposure_s, "has_point": point is not None, "state": state})
    return results


@method("BM-RPO-TW", "RPO attainment by time")
def attainment_by_time(inputs: Inputs) -> dict[str, Any]:
    """1 − (seconds with E > RPO) / (seconds of the period).

    `need` restricts the points to those with certain qualities (for example `offsite` for the loss of a site). The
    greatest exposure is the supremum, reached just before a point arrives. The points before the period are needed too:
    without them exposure counts from `commissioned_at`, and before that there is none. An empty period has no attainment.
    """
    since, until = interval(inputs["period"])
    return _attainment(inputs, since, until, dt.timedelta(seconds=inputs["rpo_seconds"]))


def _attainment(inputs: Inputs, since: dt.datetime, until: dt.datetime, rpo: dt.timedelta) -> dict[str, Any]:
    cut = list(stretches(_points(inputs, inputs.get("need")), since, until, instant(inputs["commissioned_at"])))
    exceeded = sum((stretch.exceeded(rpo) for stretch in cut), dt.timedelta(0))
    compliant = rate((until - since - exceeded).total_seconds(), (until - since).total_seconds())
    return {
        "period_seconds": whole_seconds(until - since),
        "noncompliant_seconds": whole_seconds(exceeded),
        "attainment": compliant,
        "max_exposure_seconds": max((whole_seconds(stretch.greatest) for stretch in cut), default=None),
    }


@method("BM-RPO-WIN", "RPO attainment by window")
def attainment_by_window(inputs: Inputs) -> dict[str, Any]:
    """Windows whose greatest exposure is within the RPO / windows.

    The windows tile the period: each `window_opens` inside it starts a new one, the first starts with the period. The
    greatest exposure of a window is its supremum; equal to the RPO attains. No window: the rate is null.
    """
    since, until = interval(inputs["period"])
    opens = {instant(opening) for opening in inputs["window_opens"]}
    edges = sorted({since, *(opening for opening in opens if since < opening < until), until})
    points, commissioned_at = _points(inputs, inputs.get("need")), instant(inputs["commissioned_at"])
    windows: list[dict[str, Any]] = []
    for starts_at, ends_at in pairwise(edges):
        greatest = max(stretch.greatest for stretch in stretches(points, starts_at, ends_at, commissioned_at))
        windows.append(
            {
                "from": text(starts_at),
                "to": text(ends_at),
                "max_exposure_seconds": whole_seconds(greatest),
                "attained": greatest <= dt.timedelta(seconds=inputs["rpo_seconds"]),
            }
        )
    attained = sum(window["attained"] for window in windows)
    return {"windows": windows, "attained": attained, "total": len(windows), "rate": rate(attained, len(windows))}


@method("BM-SUPRPO", "Supported RPO")
def supported_rpo(inputs: Inputs) -> dict[str, Any]:
    """The smallest of the given steps r for which BM-RPO-TW(r) ≥ target; null when no step reaches it.

    A proposal to promise more needs at least three complete months.
    """
    since, until = interval(inputs["period"])
    by_step: dict[str, float | None] = {}
    supported = None
    for step in sorted(inputs["steps_seconds"]):
        attained = _attainment(inputs, since, until, dt.timedelta(seconds=step))["attainment"]
        by_step[str(step)] = attained
        if supported is None and attained is not None and attained >= inputs["target"] - 1e-9:
            supported = step
    return {"attainment_by_step": by_step, "supported_rpo_seconds": supported}


@method("BM-RPO-LOG", "RPO exposure with log shipping")
def exposure_by_logs(inputs: Inputs) -> dict[str, Any]:
    """E(t) = t − last transaction in the unbroken sequence of logs after a usable base.

    Logs count from their `available_at`. A gap in the sequence stops the chain there (`chain_gap_at`); a chain without
    a usable base (BM-RPO-EXP) is worth nothing (both results null). A base without logs gives its own `captured_at`. An idle
    database needs heartbeat records, else exposure grows falsely.
    """
    at, base = instant(inputs["at"]), inputs["base"]
    if base is None or base["available_at"] is None or not _point(base).is_usable(at):
        return {"recovery_point": None, "exposure_seconds": None, "chain_gap_at": None}
    recovery_point, sequence, gap = instant(base["captured_at"]), base["end_seq"], None
    arrived = [log for log in inputs["logs"] if log["available_at"] is not None and instant(log["available_at"]) <= at]
    for log in sorted(arrived, key=lambda log: (log["from_seq"], log["to_seq"])):
        if log["from_seq"] > sequence:
            gap = sequence
            break
        if log["to_seq"] > sequence:
            sequence, recovery_point = log["to_seq"], max(recovery_point, instant_or_none(log["last_txn_at"]) or recovery_point)
    return {"recovery_point": text(recovery_point), "exposure_seconds": whole_seconds(at - recovery_point), "chain_gap_at": gap}


@method("BM-SR-ITEM", "Items within their RPO")
def items_within_rpo(inputs: Inputs) -> dict[str, Any]:
    """In-scope items with E(t) ≤ RPO / in-scope items.

    A new item without a point passes while it is younger than its RPO, but is listed as never protected.
    """
    at = instant(inputs["at"])
    protected, never = [], []
    in_scope = [item for item in inputs["items"] if item["in_scope"]]
    for item in in_scope:
        exposure_s, point = exposure(_points(item), at, instant(item["commissioned_at"]))
        if exposure_s <= item["rpo_seconds"]:
            protected.append(item["id"])
        if point is None:
            never.append(item["id"])
    return {"protected": protected, "total": len(in_scope), "rate": rate(len(protected), len(in_scope)), "never_protected": never}


@method("BM-FEAS", "Feasibility of the commitments")
def feasibility(inputs: Inputs) -> dict[str, Any]:
    """Whether the promised times can hold at all. Every violated inequality gives its code, in this order:

    1. (f + 1)·I + D + C ≤ RPO, else SCHEDULE_EXCEEDS_RPO. I is the start-to-start interval, D the p95 duration, C the
       copy lag, f the failures to survive. The left side is the worst-case exposure.
    2. RPO ≤ tolerated data loss, else RPO_EXCEEDS_BIA_TOLERANCE.
    3. RTO + WRT ≤ MTPD, else RTO_PLUS_WRT_EXCEEDS_MTPD.
    4. Measured restore p95 ≤ RTO, else MEASURED_RESTORE_EXCEEDS_RTO; never measured is RESTORE_TIME_UNMEASURED.
    5. Minimum ≤ retention ≤ maximum, else RETENTION_BELOW_MINIMUM or RETENTION_ABOVE_MAXIMUM.

    A bound that is null is not checked. Classic trap: a nightly backup can never keep an RPO of 24 h.
    """
    found = violations(inputs)
    worst = found["worst_case_exposure_seconds"]
    return {**found, "worst_case_exposure_seconds": None if worst is None else whole(worst)}
