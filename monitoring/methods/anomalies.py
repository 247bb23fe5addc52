"""Whether a value is unlike its history: robust scores, with and without a weekly pattern."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from statistics import fmean, median
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from monitoring.methods.canonical import Inputs, instant, six
from monitoring.methods.registry import method

LEAST_HISTORY = 14
TO_SIGMA = 0.6745
MEAN_DEVIATION_TO_SIGMA = 1.253314


class Robust(NamedTuple):
    """A value's distance from a history. `score` is None when the history is constant and the value is not like it."""

    median: float
    mad: float
    score: float | None
    scale: str


def robust_score(history: Sequence[float], value: float, *, relative_tolerance: float = 0.01) -> Robust:
    """Return the modified z-score 0.6745·(x − median)/MAD, falling back to the mean deviation, then to a tolerance."""
    middle = median(history)
    deviations = [abs(known - middle) for known in history]
    mad, mean_deviation = median(deviations), fmean(deviations)
    if mad > 0:
        return Robust(middle, mad, TO_SIGMA * (value - middle) / mad, "mad")
    if mean_deviation > 0:
        return Robust(middle, 0.0, (value - middle) / (MEAN_DEVIATION_TO_SIGMA * mean_deviation), "meanad")
    alike = abs(value - middle) <= relative_tolerance * abs(middle) + 1e-9
    return Robust(middle, 0.0, 0.0 if alike else None, "constant")


def is_beyond(score: float | None, threshold: float) -> bool:
    """Whether a score calls for attention; no score at all means that a constant history was left."""
    return score is None or abs(score) > threshold + 1e-9


@method("BM-ANO-MAD", "Anomaly against the plain history")
def anomaly(inputs: Inputs) -> dict[str, Any]:
    """Modified z-score 0.6745·(x − median)/MAD; anomalous beyond the threshold (3.5).

    At least 14 known values, else `insufficient_history`. A MAD of 0 falls back to the mean absolute deviation × 1.253314
    (`meanad`); a constant history to a relative tolerance of 1 % (`constant`), outside of which the score is null.
    Flags every normal weekly full where incrementals are the rule: use BM-ANO-WD there. Source: Iglewicz & Hoaglin 1993.
    """
    history = [float(entry["gib"]) for entry in inputs["history"] if entry["gib"] is not None]
    if len(history) < LEAST_HISTORY:
        return {"state": "insufficient_history", "minimum": LEAST_HISTORY}
    found = robust_score(history, inputs["value"], relative_tolerance=inputs.get("relative_tolerance", 0.01))
    return {
        "median": six(found.median),
        "mad": six(found.mad),
        "score": None if found.score is None else six(found.score),
        "scale": found.scale,
        "anomalous": is_beyond(found.score, inputs["threshold"]),
    }


@method("BM-ANO-WD", "Anomaly against the weekday's history")
def weekday_anomaly(inputs: Inputs) -> dict[str, Any]:
    """BM-ANO-MAD on ln(x / median of its weekday), the residuals of all weekdays pooled.

    Anomalous when the score is beyond the threshold *and* the value differs from its weekday's median by at least the
    effect ratio (× 1.25): odd but trivial is not reported. Needs `min_per_weekday` (4) values of that weekday, else
    `insufficient_history`. Weekdays (0 = Monday) in `timezone`, UTC by default. A value of 0 is always anomalous;
    zeros and what is not known are left out of the history.
    """
    zone = ZoneInfo(inputs.get("timezone", "UTC"))
    by_weekday: dict[int, list[float]] = {}
    for entry in inputs["history"]:
        if entry["gib"] is not None and entry["gib"] > 0:
            by_weekday.setdefault(instant(entry["captured_at"]).astimezone(zone).weekday(), []).append(float(entry["gib"]))
    weekday = instant(inputs["at"]).astimezone(zone).weekday()
    if len(by_weekday.get(weekday, [])) < inputs["min_per_weekday"]:
        return {"state": "insufficient_history", "minimum": inputs["min_per_weekday"]}
    medians = {day: median(values) for day, values in by_weekday.items()}
    residuals = [log(value / medians[day]) for day, values in by_weekday.items() for value in values]
    value, usual = inputs["value"], medians[weekday]
    log_ratio = log(value / usual) if value > 0 else None
    found = robust_score(residuals, log_ratio or 0.0)
    strong = log_ratio is None or abs(log_ratio) >= log(inputs["min_effect_ratio"]) - 1e-9
    score = found.score if log_ratio is not None else None
    return {
        "weekday": weekday,
        "weekday_median": six(usual),
        "residual_median": six(found.median),
        "residual_mad": six(found.mad),
        "log_ratio": None if log_ratio is None else six(log_ratio),
        "score": None if score is None else six(score),
        "anomalous": strong and is_beyond(score, inputs["threshold"]),
    }
