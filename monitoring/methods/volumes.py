"""How long backups take, how fast and how much they move, and how far the data shrinks."""

from __future__ import annotations

from typing import Any

from monitoring.methods.canonical import Inputs, instant, rate, six
from monitoring.methods.registry import method
from monitoring.methods.statistics import percentile
from monitoring.methods.success import good_statuses

FEW_RUNS = 20


def _duration_s(run: dict[str, Any]) -> float:
    return (instant(run["ended_at"]) - instant(run["started_at"])).total_seconds()


@method("BM-DUR", "Duration")
def duration(inputs: Inputs) -> dict[str, Any]:
    """Percentiles of the duration of good finished runs (success, and warning or partial as the policy says), end minus start.

    Type-7 percentiles, the same as SQL's `percentile_cont`. Fewer than 20 runs are marked `low_n`: show the median and
    the maximum, not the p95. No run: null.
    """
    good = good_statuses(inputs)
    durations = [_duration_s(run) for run in inputs["runs"] if run["status"] in good and run.get("ended_at")]
    return {
        "n": len(durations),
        "p50_seconds": six(percentile(durations, 0.5)) if durations else None,
        "p95_seconds": six(percentile(durations, 0.95)) if durations else None,
        "max_seconds": six(max(durations)) if durations else None,
        "low_n": len(durations) < FEW_RUNS,
    }


@method("BM-THR", "Throughput")
def throughput(inputs: Inputs) -> dict[str, Any]:
    """Σ bytes / Σ seconds: not the mean of the runs' own rates.

    Runs without duration or of unknown volume are left out.
    """
    moved = [
        (run["bytes_transferred"], _duration_s(run))
        for run in inputs["runs"]
        if run.get("bytes_transferred") is not None and run.get("ended_at") and _duration_s(run) > 0
    ]
    total_bytes, total_s = sum(size for size, _ in moved), sum(seconds for _, seconds in moved)
    return {
        "bytes": total_bytes,
        "seconds": six(total_s),
        "bytes_per_second": rate(total_bytes, total_s),
        "used_runs": len(moved),
    }


def _by_time(inputs: Inputs) -> list[dict[str, Any]]:
    return sorted(inputs["runs"], key=lambda run: instant(run["captured_at"]))


@method("BM-VOL", "Volume")
def volume(inputs: Inputs) -> dict[str, Any]:
    """Σ transferred and Σ stored, in bytes; the logical size is a level: that of the latest point, never a sum.

    A volume that the tool does not tell counts as nothing in the sums.
    """
    runs = _by_time(inputs)
    levels = [run["bytes_logical"] for run in runs if run.get("bytes_logical") is not None]
    return {
        "transferred": sum(run.get("bytes_transferred") or 0 for run in runs),
        "stored": sum(run.get("bytes_stored") or 0 for run in runs),
        "latest_logical": levels[-1] if levels else None,
    }


@method("BM-CHG", "Daily change rate")
def change_rate(inputs: Inputs) -> dict[str, Any]:
    """changed / logical / days since the previous good point, per run by its id, and of the latest.

    Fulls have no change of their own, but the next incremental counts from them. After a missed night the change is
    spread over the days it took.
    """
    rates: dict[str, Any] = {}
    latest = previous_at = None
    for run in _by_time(inputs):
        captured_at = instant(run["captured_at"])
        is_told = run.get("bytes_changed") is not None and run.get("bytes_logical") is not None
        if run["kind"] != "full" and previous_at and captured_at > previous_at and is_told:
            days = (captured_at - previous_at).total_seconds() / 86_400
            latest = rates[run["id"]] = rate(run["bytes_changed"], run["bytes_logical"] * days)
        previous_at = captured_at
    return {**rates, "latest": latest}


@method("BM-DDR", "Data reduction")
def data_reduction(inputs: Inputs) -> dict[str, Any]:
    """Σ logical over the restore points / Σ stored, deduplication and compression together; savings = 1 − 1/ratio.

    Logical is summed here: it is the data that could be restored. Nothing stored: both are null.
    """
    logical = sum(run.get("bytes_logical") or 0 for run in inputs["runs"])
    stored = sum(run.get("bytes_stored") or 0 for run in inputs["runs"])
    return {
        "sum_logical": logical,
        "sum_stored": stored,
        "ratio": rate(logical, stored),
        "savings": six(1 - stored / logical) if logical and stored else None,
    }
