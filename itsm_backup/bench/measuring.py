"""Rounds that take turns, so that noise hits floor and product alike, and what they come to."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

ROUNDS = 5


class Spread(msgspec.Struct, kw_only=True):
    """Figures of several rounds."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        return cls(median=statistics.median(values), least=min(values), most=max(values))


class Measured(msgspec.Struct, kw_only=True):
    """One goal, what was measured for it, and whether it is kept."""

    goal: str
    what: str
    ratio: float  # product to base, of the medians; for a count or a size, the figure itself
    limit: float
    sense: Literal["at least", "at most"]
    kept: bool
    product: Spread
    base: Spread | None = None  # None where the goal is a plain figure
    base_name: str = ""
    unit: str = ""
    by_round: Spread | None = None  # the ratio round by round
    note: str = ""


Rounds = dict[str, list[float]]


def alternate(sides: Mapping[str, Callable[[], float]], *, rounds: int = ROUNDS) -> Rounds:
    """The figures of each side; every round takes every side once, each second round the other way about."""
    found: Rounds = {name: [] for name in sides}
    for turn in range(rounds):
        names = list(sides) if turn % 2 == 0 else list(sides)[::-1]
        for name in names:
            found[name].append(sides[name]())
    return found


def compared(
    rounds: Rounds, *, goal: str, what: str, product: str, base: str, limit: float, at_least: bool, unit: str, note: str = ""
) -> Measured:
    """The product's figure as a multiple of the base's."""
    ours, theirs = rounds[product], rounds[base]
    ratio = statistics.median(ours) / statistics.median(theirs)
    return Measured(
        goal=goal,
        what=what,
        ratio=ratio,
        limit=limit,
        sense="at least" if at_least else "at most",
        kept=ratio >= limit if at_least else ratio <= limit,
        product=Spread.of(ours),
        base=Spread.of(theirs),
        base_name=base,
        unit=unit,
        by_round=Spread.of([one / other for one, other in zip(ours, theirs, strict=True)]),
        note=note,
    )


def counted(*, goal: str, what: str, value: float, limit: float, unit: str, at_least: bool = False, note: str = "") -> Measured:
    """A figure that is a goal by itself."""
    return Measured(
        goal=goal,
        what=what,
        ratio=value,
        limit=limit,
        sense="at least" if at_least else "at most",
        kept=value >= limit if at_least else value <= limit,
        product=Spread(median=value, least=value, most=value),
        unit=unit,
        note=note,
    )


def tell(words: str) -> None:
    """A line of progress."""
    print(words, file=sys.stderr, flush=True)
