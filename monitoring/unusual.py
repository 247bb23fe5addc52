"""Whether a day is unlike the same weekday before it (BM-ANO-WD). Pure.

Unusual is a fact about numbers and nothing more: it names no cause. Where a weekday is not known often enough, the day is held
against the plain history (BM-ANO-MAD), and is unusual only where it also lies outside of all that was seen, so that the first full
backups of a new job are not reported. Unusual days are no history of others.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from statistics import median
from typing import Any

import msgspec

from monitoring.methods import measure

WEEKS, LEAST_PER_WEEKDAY, THRESHOLD = 8, 4, 3.5
VOLUME_EFFECT, DURATION_EFFECT, LEAST_S = 1.25, 2.0, 60  # how far from the usual value it must be to be worth a word
VERSION = "1"


class Comparison(msgspec.Struct, kw_only=True, frozen=True):
    """The comparison of one value with its history: method, inputs and result as they are kept, and what was usual."""

    method: str
    inputs: dict[str, Any]
    result: dict[str, Any]
    usual: float
    unusual: bool


def compare(*, on: dt.date, value: float, history: Sequence[tuple[dt.date, float]], effect: float) -> Comparison | None:
    """The value of a day against those of the days before; None while too few are known."""
    known = [{"captured_at": _noon(day), "gib": each} for day, each in history]
    inputs: dict[str, Any] = {
        "at": _noon(on),
        "value": value,
        "history": known,
        "min_per_weekday": LEAST_PER_WEEKDAY,
        "min_effect_ratio": effect,
        "threshold": THRESHOLD,
    }
    found = measure("BM-ANO-WD", inputs, version=VERSION)
    if "state" not in found:
        return Comparison(method="BM-ANO-WD", inputs=inputs, result=found, usual=found["weekday_median"], unusual=found["anomalous"])
    plain = {"value": value, "history": known, "threshold": THRESHOLD}
    found = measure("BM-ANO-MAD", plain, version=VERSION)
    if "state" in found:
        return None
    values = [each for _, each in history]
    outside = value * effect <= min(values) or value >= max(values) * effect
    return Comparison(method="BM-ANO-MAD", inputs=plain, result=found, usual=median(values), unusual=found["anomalous"] and outside)


def _noon(on: dt.date) -> str:
    return f"{on.isoformat()}T12:00:00Z"


def arithmetic(method: str, inputs: dict[str, Any], result: dict[str, Any], unit: str) -> list[str]:
    """The comparison in lines that a person can follow."""
    score = "none: nothing before it differed" if result["score"] is None else f"{result['score']:.2f}"
    if method == "BM-ANO-WD":
        usual, ratio = result["weekday_median"], result["log_ratio"]
        lines = [f"median of its weekday over {len(inputs['history'])} days before: {usual:.6g} {unit}"]
        lines.append("nothing at all came" if ratio is None else f"ln({inputs['value']:.6g} / {usual:.6g}) = {ratio:.3f}")
        lines.append(f"robust score {score}, unusual beyond {inputs['threshold']} and from × {inputs['min_effect_ratio']:g} on")
        return lines
    return [
        f"median of {len(inputs['history'])} days before: {result['median']:.6g} {unit}; this day {inputs['value']:.6g}",
        f"robust score {score}, unusual beyond {inputs['threshold']} where it lies outside of all that was seen",
    ]
