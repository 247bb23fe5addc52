"""Bars day by day: what two rules share, what only the new one takes, and what it loses."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString

from itsm_backup.common.charts.svg import Chart, day_words, picture, tag, text

LEFT, TOP, BOTTOM, HEIGHT = 36.0, 10.0, 112.0, 132.0


@dataclass(frozen=True)
class DayBar:
    """Counts of one day."""

    on: dt.date
    both: int = 0
    new: int = 0
    lost: int = 0


def day_bars(*, days: Sequence[DayBar], what: str, width: float = 720) -> Chart:
    """A bar a day, what is shared below and what is new above it; days on which something is lost bear a cross."""
    top = max([day.both + day.new for day in days] + [1])
    step = (width - LEFT) / max(1, len(days))
    parts: list[SafeString] = []
    for value in dict.fromkeys((0, top)):
        y = _y(value, top)
        parts += [tag("line", class_="grid", x1=LEFT, x2=width, y1=y, y2=y), text(f"{value:,}", LEFT - 6, y + 4, anchor="end")]
    for index, day in enumerate(days):
        parts += _day(day, LEFT + index * step, step, top)
    if days:
        parts += [text(day_words(days[0].on), LEFT, HEIGHT - 3), text(day_words(days[-1].on), width, HEIGHT - 3, anchor="end")]
    both, new, lost = (sum(getattr(day, name) for day in days) for name in ("both", "new", "lost"))
    sentence = f"{both + new:,} {what} in {len(days)} days: {both:,} in both, {new:,} only in the draft, {lost:,} lost."
    rows = tuple((day_words(day.on), f"{day.both:,}", f"{day.new:,}", f"{day.lost:,}") for day in days if day.both + day.new + day.lost)
    svg = picture("days", width, HEIGHT, sentence, parts)
    return Chart(svg=svg, sentence=sentence, head=("Day", "Both", "Only the draft", "Lost"), rows=rows)


def _y(value: float, top: int) -> float:
    return BOTTOM - (BOTTOM - TOP) * value / top


def _day(day: DayBar, x: float, step: float, top: int) -> list[SafeString]:
    wide, middle = max(1.0, step * 0.64), x + step / 2
    shared, whole = _y(day.both, top), _y(day.both + day.new, top)
    parts = []
    if day.both:
        parts.append(tag("rect", class_="bar-both", x=middle - wide / 2, y=shared, width=wide, height=BOTTOM - shared))
    if day.new:
        parts.append(tag("rect", class_="bar-new", x=middle - wide / 2, y=whole, width=wide, height=shared - whole))
    if day.lost:
        y, arm = min(whole, BOTTOM) - 8, 3.5
        points = ((-arm, -arm, arm, arm), (-arm, arm, arm, -arm))
        parts += [tag("line", class_="bar-lost", x1=middle + a, y1=y + b, x2=middle + c, y2=y + d) for a, b, c, d in points]
    return parts
