"""Two claims of a service, its RPO and its success rate, judged from canonical inputs. Pure: no database, no clock.

The structures below are the inputs of `judging.judge_service`, which documents them. The third claim is `restore_claim`.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any, Literal

import msgspec

from itsm_backup.common.time import iso
from monitoring.methods.canonical import rate, six
from monitoring.methods.rpo import Point, exposure
from monitoring.methods.statistics import confidence, wilson
from monitoring.restore_claim import Id, Instant, RestoreInput

Verdict = Literal["kept", "at_risk", "broken", "no_data", "held"]
WORST_LAST = ("kept", "at_risk", "no_data", "broken")
GOOD = frozenset({"success", "warning"})
SECOND = dt.timedelta(seconds=1)


class PointInput(msgspec.Struct, kw_only=True, frozen=True):
    point: Id
    run: Id | None = None
    captured_at: Instant
    available_at: Instant
    expires_at: Instant | None = None
    invalid_from: Instant | None = None
    gone_at: Instant | None = None


class ItemInput(msgspec.Struct, kw_only=True, frozen=True):
    item: Id
    name: str = ""
    tool: Id | None = None
    commissioned_at: Instant | None = None
    points: list[PointInput] = []


class JobInput(msgspec.Struct, kw_only=True, frozen=True):
    job: Id
    name: str = ""
    tool: Id | None = None
    scheduled: bool = True
    bad_streak: int = 0
    good_streak: int = 0
    latest_run: Id | None = None
    latest_outcome: str | None = None
    latest_problem_run: Id | None = None
    cause: str | None = None
    missed_due_at: Instant | None = None
    next_completion_at: Instant | None = None


class SourceInput(msgspec.Struct, kw_only=True, frozen=True):
    tool: Id
    name: str = ""
    silent: bool
    silent_since: Instant | None = None


class HoldInput(msgspec.Struct, kw_only=True, frozen=True, rename={"starts_at": "from"}):
    window: Id
    until: Instant
    starts_at: Instant | None = None


class OccurrencesInput(msgspec.Struct, kw_only=True, frozen=True):
    settled: int = 0
    good: int = 0
    bad: int = 0
    pending: int = 0
    excused: int = 0
    unconfirmed: int = 0
    uncounted: int = 0


class WorkflowInput(msgspec.Struct, kw_only=True, frozen=True):
    at_risk_fraction: float = 0.9
    outage_factor: dict[str, float] = msgspec.field(default_factory=lambda: {"1": 2, "2": 2, "3": 4, "4": 4})
    fall_after: int = 2
    rise_after: int = 3


class PreviousInput(msgspec.Struct, kw_only=True, frozen=True):
    status: str
    since: Instant | None = None
    by_rpo: bool = False


class OverrideInput(msgspec.Struct, kw_only=True, frozen=True):
    override: Id
    status: Literal["operational", "degraded", "outage", "maintenance"]
    until: Instant
    reason: str = ""


class FailedRestoreInput(msgspec.Struct, kw_only=True, frozen=True):
    run: Id
    job: Id
    at: Instant
    until: Instant


class JudgementInputs(msgspec.Struct, kw_only=True, frozen=True):
    at: Instant
    tier: int
    commissioned_at: Instant
    rpo_s: int | None = None
    success_target: float | None = None
    period: tuple[Instant, Instant]
    items: list[ItemInput] = []
    occurrences: OccurrencesInput = OccurrencesInput()
    jobs: list[JobInput] = []
    sources: list[SourceInput] = []
    holds: list[HoldInput] = []
    restore: RestoreInput | None = None
    workflow: WorkflowInput = WorkflowInput()
    previous: PreviousInput | None = None
    override: OverrideInput | None = None
    failed_restore: FailedRestoreInput | None = None

    def __post_init__(self) -> None:
        if self.occurrences.settled != self.occurrences.good + self.occurrences.bad:
            raise ValueError("settled occurrences are the good and the bad ones together")

    def is_silent(self, tool: Id | None) -> bool:
        """Whether nothing can be known through this tool; without a tool, whether all sources are silent."""
        silent = {source.tool for source in self.sources if source.silent}
        return tool in silent if tool is not None else bool(self.sources) and len(silent) == len(self.sources)


class ItemStanding(msgspec.Struct, kw_only=True, frozen=True):
    """Where one item stands. `level`: 0 kept, 1 at risk, 2 broken, 3 broken so far that the service counts as out."""

    item: ItemInput
    exposure_s: int
    point: PointInput | None
    level: int
    next_change_at: dt.datetime | None

    @property
    def verdict(self) -> Verdict:
        return ("kept", "at_risk", "broken", "broken")[self.level]


def limit_s(fraction: float, rpo_s: int) -> int:
    """The largest whole number of seconds not above fraction × RPO; exposure beyond it exceeds the limit."""
    return int(Decimal(str(fraction)) * rpo_s)


def item_standings(inputs: JudgementInputs) -> list[ItemStanding]:
    """Return where each item stands that can be judged; an item behind a silent tool cannot."""
    if inputs.rpo_s is None:
        return []
    workflow = inputs.workflow
    factor = workflow.outage_factor[str(inputs.tier)]
    limits = [limit_s(workflow.at_risk_fraction, inputs.rpo_s), inputs.rpo_s, limit_s(factor, inputs.rpo_s)]
    return [_stand(item, inputs, limits) for item in inputs.items if not inputs.is_silent(item.tool)]


def _stand(item: ItemInput, inputs: JudgementInputs, limits: list[int]) -> ItemStanding:
    commissioned_at = item.commissioned_at or inputs.commissioned_at
    points = [_point(point) for point in item.points]
    exposure_s, best = exposure(points, inputs.at, commissioned_at)
    level = sum(exposure_s > limit for limit in limits)
    if best is None and level == 2:
        level = 3
    base = best.captured_at if best else commissioned_at
    ahead = [base + (limit + 1) * SECOND for limit in limits]
    if best is not None and best.usable_until is not None:
        ahead.append(best.usable_until)
    ahead += [max(point.available_at, point.captured_at) for point in points if point.captured_at > base]
    return ItemStanding(
        item=item,
        exposure_s=exposure_s,
        point=best.ref if best else None,
        level=level,
        next_change_at=min((instant for instant in ahead if instant > inputs.at), default=None),
    )


def _point(point: PointInput) -> Point:
    return Point(
        captured_at=point.captured_at,
        available_at=point.available_at,
        expires_at=point.expires_at,
        invalid_from=point.invalid_from,
        gone_at=point.gone_at,
        ref=point,
    )


def rpo_claim(inputs: JudgementInputs, standings: list[ItemStanding]) -> dict[str, Any]:
    """The RPO claim: the worst item decides. Broken is known even when another item is not; otherwise an unknown one rules."""
    known = {standing.item.item for standing in standings}
    worst = max(standings, key=lambda standing: (standing.level, standing.exposure_s, str(standing.item.item)), default=None)
    unknown = [item.item for item in inputs.items if item.item not in known]
    if not inputs.items:
        verdict, reason = "no_data", "no_items"
    elif worst is None or (unknown and worst.level < 2):
        verdict, reason = "no_data", "source_silent"
    else:
        verdict, reason = worst.verdict, _rpo_reason(worst)
    exposures = sorted(standing.exposure_s for standing in standings)
    return {
        "claim": "rpo",
        "verdict": verdict,
        "reason": reason,
        "measured_s": worst.exposure_s if worst else None,
        "target_s": inputs.rpo_s,
        "used": rate(worst.exposure_s, inputs.rpo_s or 0) if worst else None,
        "item": worst.item.item if worst else None,
        "point": worst.point.point if worst and worst.point else None,
        "run": worst.point.run if worst and worst.point else None,
        "captured_at": iso(worst.point.captured_at) if worst and worst.point else None,
        "counted_from": iso(_counted_from(worst, inputs)) if worst else None,
        "median_s": exposures[(len(exposures) - 1) // 2] if exposures else None,
        "items": len(inputs.items),
        "items_broken": [standing.item.item for standing in standings if standing.level >= 2],
        "items_unknown": unknown,
    }


def _rpo_reason(worst: ItemStanding) -> str:
    if worst.level == 3:
        return "rpo_far_exceeded" if worst.point else "no_usable_point"
    return ("kept", "rpo_nearly_used", "rpo_exceeded")[worst.level]


def _counted_from(standing: ItemStanding, inputs: JudgementInputs) -> dt.datetime:
    return standing.point.captured_at if standing.point else standing.item.commissioned_at or inputs.commissioned_at


def success_claim(inputs: JudgementInputs) -> dict[str, Any]:
    """The success claim of the period. While the period is open it is never broken, at worst at risk.

    `pending` are all occurrences of the period that are not settled, those still to come included. The error budget is
    (1 − target) × (settled + pending).
    """
    counts, target = inputs.occurrences, inputs.success_target
    assert target is not None  # noqa: S101  (only called for a service that promises a rate)
    total = counts.settled + counts.pending
    exact = Decimal(str(target))
    allowed = (1 - exact) * total
    used = rate(counts.bad, float(allowed))
    can_recover = counts.good + counts.pending >= exact * total
    verdict, reason = _success_verdict(inputs, can_recover=can_recover, nearly_used=_is_nearly_used(inputs, allowed))
    bounds = wilson(counts.good, counts.settled)
    return {
        "claim": "success",
        "verdict": verdict,
        "reason": reason,
        "good": counts.good,
        "settled": counts.settled,
        "pending": counts.pending,
        "excused": counts.excused,
        "unconfirmed": counts.unconfirmed,
        **({"uncounted": counts.uncounted} if counts.uncounted else {}),
        "rate": rate(counts.good, counts.settled),
        "target": target,
        "allowed_bad": six(float(allowed)),
        "used": used,
        "can_recover": can_recover,
        "low": six(bounds[0]) if bounds else None,
        "high": six(bounds[1]) if bounds else None,
        "confidence": confidence(counts.good, counts.settled, target),
    }


def _is_nearly_used(inputs: JudgementInputs, allowed: Decimal) -> bool:
    return inputs.occurrences.bad > Decimal(str(inputs.workflow.at_risk_fraction)) * allowed


def _success_verdict(inputs: JudgementInputs, *, can_recover: bool, nearly_used: bool) -> tuple[Verdict, str]:
    scheduled = [job for job in inputs.jobs if job.scheduled]
    if not scheduled:
        return "no_data", "no_schedule" if inputs.jobs else "no_jobs"
    if all(inputs.is_silent(job.tool) for job in scheduled):
        return "no_data", "source_silent"
    if inputs.at < inputs.period[1]:
        if not can_recover:
            return "at_risk", "target_out_of_reach"
        return ("at_risk", "budget_nearly_used") if nearly_used else ("kept", "kept")
    if inputs.occurrences.settled == 0:
        return "no_data", "nothing_settled"
    return ("kept", "kept") if can_recover else ("broken", "success_below_target")
