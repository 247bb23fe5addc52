"""What a service is measured by: objectives derived from the commitment in force and the defaults of its tier. Pure.

Nothing is typed twice: a target is the promise of the version, or, where it promises nothing, what entries of its tier start with
(shown as such, for nobody promised it). The warning level follows from the share of a promise that may be used before it counts as
at risk, which the status thresholds hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from catalogue.counted_days import calendar_of
from catalogue.models import Commitment, TierDefault
from monitoring.unusual import DURATION_EFFECT, VOLUME_EFFECT

Unit = Literal["share", "seconds", "days", "scheme", "usual"]
COUNTED_BY_DAY = ("success_rate", "on_time_rate")  # by the measurement calendar; every second of the others counts
AT_LEAST = ("immutability_days",)  # of days and seconds less is better, but of these


class Objective(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is measured against a target. `warning` is the level from which it is at risk, in the target's unit."""

    key: str
    name: str
    method: str
    unit: Unit
    target: float | None
    warning: float | None
    window: str
    promised: bool
    scheme: str = ""


# key, name, method, unit, window; a field of the commitment bears each key. On the left of the way people ask.
_KNOWN: tuple[tuple[str, str, str, Unit, str], ...] = (
    ("rpo_s", "Recovery point (RPO)", "BM-RPO-EXP", "seconds", "at any time"),
    ("rpo_attainment_rate", "Time within the recovery point", "BM-RPO-TW", "share", "calendar month"),
    ("success_rate", "Run success", "BM-SR-WIN", "share", "calendar month"),
    ("on_time_rate", "Done on time", "BM-CIW", "share", "calendar month"),
    ("rto_s", "Recovery time (RTO)", "BM-RTO", "seconds", "newest ten full restore tests"),
    ("restore_test_days", "Restore test", "BM-RTC", "days", "at any time"),
    ("encryption", "Copies encrypted", "BM-ENC", "share", "copies that can be restored now"),
    ("copy_scheme", "Copies and places", "BM-32110", "scheme", "at any time"),
    ("immutability_days", "Copies locked", "BM-IMM", "days", "at any time"),
)


def objectives_of(*, commitment: Commitment | None, default: TierDefault | None, at_risk_fraction: float) -> tuple[Objective, ...]:
    """The objectives of a version, in the order people ask."""
    found = tuple(_derived(commitment, default, at_risk_fraction))
    return (*found, *_UNUSUAL) if found else ()


# Nobody types what is usual: each weekday's history says it, the same for every tier.
_UNUSUAL = tuple(
    Objective(
        key=key,
        name=name,
        method="BM-ANO-WD",
        unit="usual",
        target=None,
        warning=None,
        window="calendar month",
        promised=False,
        scheme=target,
    )
    for key, name, target in (
        ("volume", "Data volume", f"Within × {VOLUME_EFFECT:g} of its weekday"),
        ("duration", "Duration", f"Within × {DURATION_EFFECT:g} of its weekday"),
    )
)


def _derived(commitment: Commitment | None, default: TierDefault | None, fraction: float) -> Iterator[Objective]:
    text = commitment.measurement_calendar if commitment else ""
    counted = calendar_of(text).words if text else ""
    for key, name, method, unit, window in _KNOWN:
        promise = getattr(commitment, key, None) or None
        value = promise or getattr(default, key, None)
        if value is None or (key == "encryption" and value == "none"):
            continue
        target = None if unit == "scheme" else 1.0 if key == "encryption" else float(value)
        yield Objective(
            key=key,
            name=name,
            method=method,
            unit=unit,
            target=target,
            warning=None if key in AT_LEAST else _warning(unit, target, fraction),
            window=f"{window}, {counted}" if counted and key in COUNTED_BY_DAY else window,
            promised=promise is not None,
            scheme=str(value) if unit == "scheme" else "",
        )


def _warning(unit: Unit, target: float | None, fraction: float) -> float | None:
    """Of a limit its used share; of a rate the one at which that share of what may go wrong has gone wrong."""
    if target is None:
        return None
    return 1 - (1 - target) * fraction if unit == "share" else target * fraction
