"""When each level of a policy is told: pure reckoning with the methods BM-ESC and BM-QUIET."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from itsm_backup.common.time import iso, parse_instant
from monitoring import methods

Snapshot = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One level told at `at`; `deferred_from` is when it would have been told but for quiet hours."""

    at: dt.datetime
    level: int
    kind: str  # notify, escalate or repeat
    deferred_from: dt.datetime | None = None


def plan(
    snapshot: Snapshot,
    *,
    priority: str,
    started_at: dt.datetime,
    acknowledged_at: dt.datetime | None,
    resolved_at: dt.datetime | None,
    until: dt.datetime,
) -> list[Step]:
    """Who is told when, up to `until`, oldest first.

    Quiet hours hold the clock: what falls due in them is told at their end, and the delays of later levels count from there. Who
    acknowledges or resolves before a level is told spares it; repeats that fall due in one quiet time are one.
    """
    begins = told_at(snapshot, priority, started_at.replace(microsecond=0))
    told = methods.measure(
        "BM-ESC",
        {
            "opened_at": iso(begins),
            "priority": priority,
            "acknowledged_at": iso(acknowledged_at),
            "resolved_at": iso(resolved_at),
            "levels": [{"level": one["level"], "after_seconds": one["after_min"] * 60} for one in snapshot["levels"]],
            "repeat_seconds": snapshot["repeat_min"] * 60 if snapshot["repeat_min"] else None,
            "evaluated_until": iso(until),
        },
    )
    steps = _held(snapshot, priority, started_at, acknowledged_at, told)
    ends = [end for end in (acknowledged_at, resolved_at) if end is not None]
    kept: list[Step] = []
    for step in steps:
        spared = any(step.at >= end for end in ends) if step.kind != "repeat" else resolved_at is not None and step.at >= resolved_at
        doubled = step.kind == "repeat" and kept and step.at <= kept[-1].at
        if not spared and not doubled and step.at <= until:
            kept.append(step)
    return kept


def _held(
    snapshot: Snapshot, priority: str, started_at: dt.datetime, acknowledged_at: dt.datetime | None, told: Sequence[Mapping[str, Any]]
) -> list[Step]:
    """The steps of BM-ESC, each as much later as quiet hours held a level before it; what counts from the acknowledgement is not."""
    held, steps, reached = dt.timedelta(), [], 0
    for place, one in enumerate(told):
        due_at = parse_instant(one["at"])
        if acknowledged_at is None or due_at < acknowledged_at:
            due_at += held
            if acknowledged_at is not None and due_at >= acknowledged_at:
                continue
        at = told_at(snapshot, priority, due_at)
        repeats = one["kind"] == "repeat"
        if not repeats:
            held += at - due_at
            reached = one["level"] if acknowledged_at is None or at < acknowledged_at else reached
        meant_at = started_at if place == 0 else due_at
        deferred_from = meant_at if at - meant_at >= dt.timedelta(seconds=1) else None
        level = reached or one["level"] if repeats else one["level"]
        steps.append(Step(at=at, level=level, kind=one["kind"], deferred_from=deferred_from))
    return steps


def told_at(snapshot: Snapshot, priority: str, at: dt.datetime) -> dt.datetime:
    """When what is due at `at` is told: at once, or at the end of quiet hours."""
    if snapshot["quiet"] is None:
        return at
    asked = {
        "timezone": snapshot["zone"],
        "quiet": snapshot["quiet"],
        "bypass_priorities": snapshot["bypass"],
        "alerts": [{"priority": priority, "at": iso(at)}],
    }
    found = parse_instant(methods.measure("BM-QUIET", asked)[0])
    return at if abs(found - at) < dt.timedelta(seconds=1) else found
