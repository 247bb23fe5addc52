"""Priority from impact and urgency (method BM-PRIO), with the arithmetic in words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec

from catalogue import impact
from itsm_backup.common.time import duration_words, parse_instant
from monitoring import methods

WIDE = 10  # services that share a cause
SOON = 0.75  # of the promise


class Stood(msgspec.Struct, kw_only=True, frozen=True):
    """What a priority stands on. `exposure_s` is the work that would be lost; None where the age of the newest copy is not known."""

    effective_tier: int
    affected: int
    rpo_s: int
    exposure_s: int | None
    ahead_s: int  # exposure when the next run can have completed
    damaged: bool  # no copy counts
    restore_failed_at: dt.datetime | None = None  # when the newest restore in earnest failed, while that is felt
    copied: bool = True  # whether there is a copy that counts: without one exposure is counted from where data began


def of_evaluations(
    evaluations: Iterable[Any],
    *,
    affected: int,
    at: dt.datetime,
    tiers: Mapping[int, int] | None = None,
    damaged: Collection[int] = (),
) -> dict[int, dict[str, Any]]:
    """{"impact", "urgency", "priority", "reason"} by judged service, for many that share a cause.

    One walk through the catalogue for all of them, none where their effective `tiers` are known. Of `damaged` services an open alert
    says that a check found their copies damaged.
    """
    judged = {one.service_id: one for one in evaluations}
    tiers = impact.effective_tiers(judged, at=at) if tiers is None else tiers
    return {
        pk: prioritise(
            inputs=one.inputs, result=one.result, effective_tier=tiers.get(pk, one.inputs["tier"]), affected=affected, damaged=pk in damaged
        )
        for pk, one in judged.items()
    }


def prioritise(
    *, inputs: dict[str, Any], result: dict[str, Any], effective_tier: int, affected: int, damaged: bool = False
) -> dict[str, Any]:
    """Pure: the priority of what a judgement found."""
    stood = stood_on(inputs=inputs, result=result, effective_tier=effective_tier, affected=affected, damaged=damaged)
    exposed = bool(stood.rpo_s or stood.damaged)
    found = methods.measure(
        "BM-PRIO",
        {
            "effective_tier": effective_tier,
            "affected_services": affected,
            "exposure_seconds": (stood.exposure_s or 0) if exposed else 0,
            "exposure_at_next_completion_seconds": stood.ahead_s if stood.rpo_s else 0,
            "rpo_seconds": stood.rpo_s or 1,
            "wide_threshold": WIDE,
            "restore_in_progress_failed": stood.restore_failed_at is not None,
        },
    )
    return {**found, "reason": _reason(found, stood)}


def stood_on(*, inputs: dict[str, Any], result: dict[str, Any], effective_tier: int, affected: int, damaged: bool = False) -> Stood:
    """Pure: what the priority of a judgement stands on.

    Copies that a check found damaged are none that could be restored: exposure counts from where data began, as it does without any copy.
    """
    rpo = next((claim for claim in result["claims"] if claim["claim"] == "rpo"), None)
    damaged = damaged or any(claim.get("detail") == "damage_found" for claim in result["claims"])
    exposure_s = (rpo or {}).get("measured_s")
    if damaged:
        exposure_s = max(0, int((parse_instant(inputs["at"]) - parse_instant(inputs["commissioned_at"])).total_seconds()))
    return Stood(
        effective_tier=effective_tier,
        affected=affected,
        rpo_s=inputs.get("rpo_s") or 0,
        exposure_s=exposure_s,
        ahead_s=_at_next_completion_s(inputs, rpo),
        damaged=damaged,
        restore_failed_at=parse_instant(inputs["failed_restore"]["at"]) if inputs.get("failed_restore") else None,
        copied=not (rpo and rpo.get("counted_from") and not rpo.get("captured_at")),
    )


def _at_next_completion_s(inputs: dict[str, Any], rpo: dict[str, Any] | None) -> int:
    """How old the newest copy will be when the next run can have completed; the present age where no run is due."""
    ahead = [job["next_completion_at"] for job in inputs["jobs"] if job.get("next_completion_at")]
    since = (rpo or {}).get("counted_from")
    if not ahead or not since:
        return (rpo or {}).get("measured_s") or 0
    return int((parse_instant(min(ahead)) - parse_instant(since)).total_seconds())


def _reason(found: dict[str, Any], stood: Stood) -> str:
    wide = f", one step up because {stood.affected} services share the cause" if stood.affected >= WIDE else ""
    if stood.damaged:
        age = f"a check found its copies damaged, so none counts and {duration_words(stood.exposure_s or 0)} of data are exposed"
    elif not stood.copied and stood.exposure_s is not None:
        age = f"no copy, {duration_words(stood.exposure_s)} of data exposed"
    else:
        age = f"newest copy {duration_words(stood.exposure_s)} old" if stood.exposure_s is not None else "age of the newest copy not known"
    promise = f"promise {duration_words(stood.rpo_s)}" if stood.rpo_s else "no recovery point promised"
    measured = f"{age}, {promise}" if stood.rpo_s or stood.damaged else promise
    measured = f"a restore failed, {measured}" if stood.restore_failed_at else measured
    return f"Impact {found['impact']} (tier {stood.effective_tier}{wide}), urgency {found['urgency']} ({measured}): {found['priority']}."


def steps(found: dict[str, Any], stood: Stood) -> list[str]:
    """How `found` follows from what it stood on, one line a step: exposure against promise, urgency, impact, and what both make."""
    lines = [*_exposure(found, stood), f"Tier {stood.effective_tier}: impact {_by_tier(stood)} (1 is high, 2 medium, 3 and 4 low)"]
    if stood.affected > 1:
        up = f"at least {WIDE}: one step up, impact {found['impact']}" if stood.affected >= WIDE else f"fewer than {WIDE}: no step up"
        lines.append(f"{stood.affected} services share the cause, {up}")
    return [*lines, f"Impact {found['impact']} × urgency {found['urgency']} = {found['priority']}"]


def _by_tier(stood: Stood) -> str:
    return {1: "high", 2: "medium"}.get(stood.effective_tier, "low")


def _exposure(found: dict[str, Any], stood: Stood) -> list[str]:
    lines = []
    if stood.restore_failed_at:
        when = f"{stood.restore_failed_at.day} {stood.restore_failed_at:%b %Y, %H:%M} UTC"
        return [f"A restore failed on {when}, and no later one was good: urgency {found['urgency']}"]
    if stood.damaged:
        lines.append(f"A check found its copies damaged: none counts, {duration_words(stood.exposure_s or 0)} of data are exposed")
    if stood.exposure_s is None or not (stood.rpo_s or stood.damaged):
        told = "The age of the newest copy is not known" if stood.rpo_s else "No recovery point is promised"
        return [*lines, f"{told}: urgency {found['urgency']}"]
    if not stood.rpo_s:
        return [*lines, f"Nothing could be restored: urgency {found['urgency']}"]
    share = stood.exposure_s / stood.rpo_s
    lines.append(f"{duration_words(stood.exposure_s)} exposed ÷ {duration_words(stood.rpo_s)} promised = {share:.2f}")
    if stood.exposure_s > stood.rpo_s:
        return [*lines, f"Above 1: urgency {found['urgency']}"]
    if share >= SOON:
        return [*lines, f"From {SOON:g} on, and not above 1: urgency {found['urgency']}"]
    ahead = f"{duration_words(stood.ahead_s)} exposed when the next run can be done"
    beyond = "more" if stood.ahead_s > stood.rpo_s else "not more"
    return [*lines, f"Below {SOON:g}, and {ahead}, {beyond} than promised: urgency {found['urgency']}"]
