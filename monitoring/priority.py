"""Priority from impact and urgency (method BM-PRIO), with the arithmetic in words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from catalogue import impact
from itsm_backup.common.time import duration_words, parse_instant
from monitoring import methods

WIDE = 10  # services that share a cause


def of_evaluation(evaluation: Any, *, at: dt.datetime) -> dict[str, Any]:
    """{"impact", "urgency", "priority", "reason"} for a judged service, its effective tier taken from the catalogue at `at`."""
    return of_evaluations([evaluation], affected=1, at=at)[evaluation.service_id]


def of_evaluations(
    evaluations: Iterable[Any], *, affected: int, at: dt.datetime, tiers: Mapping[int, int] | None = None
) -> dict[int, dict[str, Any]]:
    """The same by service for many that share a cause: one walk through the catalogue for all of them, none where `tiers` are known."""
    judged = {one.service_id: one for one in evaluations}
    tiers = impact.effective_tiers(judged, at=at) if tiers is None else tiers
    return {
        pk: prioritise(inputs=one.inputs, result=one.result, effective_tier=tiers.get(pk, one.inputs["tier"]), affected=affected)
        for pk, one in judged.items()
    }


def prioritise(*, inputs: dict[str, Any], result: dict[str, Any], effective_tier: int, affected: int) -> dict[str, Any]:
    """Pure: the priority of what a judgement found."""
    rpo = next((claim for claim in result["claims"] if claim["claim"] == "rpo"), None)
    exposure_s = (rpo or {}).get("measured_s") or 0
    rpo_s = inputs.get("rpo_s") or 0
    found = methods.measure(
        "BM-PRIO",
        {
            "effective_tier": effective_tier,
            "affected_services": affected,
            "exposure_seconds": exposure_s if rpo_s else 0,
            "exposure_at_next_completion_seconds": _at_next_completion_s(inputs, rpo) if rpo_s else 0,
            "rpo_seconds": rpo_s or 1,
            "wide_threshold": WIDE,
            "restore_in_progress_failed": False,
        },
    )
    known = rpo is not None and rpo.get("measured_s") is not None
    return {**found, "reason": _reason(found, effective_tier, affected, exposure_s if known else None, rpo_s)}


def _at_next_completion_s(inputs: dict[str, Any], rpo: dict[str, Any] | None) -> int:
    """How old the newest copy will be when the next run can have completed; the present age where no run is due."""
    ahead = [job["next_completion_at"] for job in inputs["jobs"] if job.get("next_completion_at")]
    since = (rpo or {}).get("counted_from")
    if not ahead or not since:
        return (rpo or {}).get("measured_s") or 0
    return int((parse_instant(min(ahead)) - parse_instant(since)).total_seconds())


def _reason(found: dict[str, Any], tier: int, affected: int, exposure_s: int | None, rpo_s: int) -> str:
    wide = f", one step up because {affected} services share the cause" if affected >= WIDE else ""
    age = f"newest copy {duration_words(exposure_s)} old" if exposure_s is not None else "age of the newest copy not known"
    measured = f"{age}, promise {duration_words(rpo_s)}" if rpo_s else "no recovery point promised"
    return f"Impact {found['impact']} (tier {tier}{wide}), urgency {found['urgency']} ({measured}): {found['priority']}."
