"""The arithmetic of method BM-FEAS: whether promised times can hold at all. Pure; monitoring publishes it as a method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Bound = int | float | None


def worst_case_s(*, interval_s: Bound, p95_duration_s: Bound, copy_lag_s: Bound, tolerated_failures: int = 0) -> Bound:
    """The oldest that the newest copy can get: (f + 1)·I + D + C; None while nothing says how often the backup runs."""
    if interval_s is None:
        return None
    return (tolerated_failures + 1) * interval_s + (p95_duration_s or 0) + (copy_lag_s or 0)


def violations(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The worst case and the codes of the inequalities that do not hold, in the order of BM-FEAS. A bound that is null is not checked."""
    worst = worst_case_s(
        interval_s=inputs["interval_seconds"],
        p95_duration_s=inputs["p95_duration_seconds"],
        copy_lag_s=inputs["copy_lag_seconds"],
        tolerated_failures=inputs["tolerated_failures"],
    )
    restore_s, rto_s, wrt_s = inputs["measured_restore_p95_seconds"], inputs["rto_seconds"], inputs["wrt_seconds"]
    checks: list[tuple[bool, str]] = [
        (_exceeds(worst, inputs["rpo_seconds"]), "SCHEDULE_EXCEEDS_RPO"),
        (_exceeds(inputs["rpo_seconds"], inputs["bia_data_loss_tolerance_seconds"]), "RPO_EXCEEDS_BIA_TOLERANCE"),
        (_exceeds(None if rto_s is None else rto_s + (wrt_s or 0), inputs["mtpd_seconds"]), "RTO_PLUS_WRT_EXCEEDS_MTPD"),
        (restore_s is None, "RESTORE_TIME_UNMEASURED"),
        (_exceeds(restore_s, rto_s), "MEASURED_RESTORE_EXCEEDS_RTO"),
        (_exceeds(inputs["retention_min_days"], inputs["retention_days"]), "RETENTION_BELOW_MINIMUM"),
        (_exceeds(inputs["retention_days"], inputs["retention_max_days"]), "RETENTION_ABOVE_MAXIMUM"),
    ]
    return {"worst_case_exposure_seconds": worst, "violations": [code for violated, code in checks if violated]}


def _exceeds(value: Bound, bound: Bound) -> bool:
    return value is not None and bound is not None and value > bound
