"""The success line: share of good runs, day by day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString

from itsm_backup.common.charts.svg import Chart, Plot, day_words, percent_words, picture, points, tag, text

FLOORS = (0.95, 0.9, 0.8, 0.5, 0.0)  # where the axis may start


@dataclass(frozen=True)
class DayCount:
    """Good and counted runs of one day; total 0 leaves a gap in the line. A note names an odd point."""

    on: dt.date
    good: int
    total: int
    note: str = ""

    @property
    def rate(self) -> float | None:
        return self.good / self.total if self.total else None


WIDE = 600  # from here on the line's end has its labels beside it
LABEL = 14


def success_line(*, days: Sequence[DayCount], target: float | None, width: float = 360, unit: str = "day") -> Chart:
    """Success of each day as a line; the target (0 to 1) dashed with the side below it tinted, days without runs as gaps.

    With `unit="month"` each count is that of a calendar month and is named so.
    """
    words = day_words if unit == "day" else _month_words
    rates = [(index, day.rate) for index, day in enumerate(days) if day.rate is not None]
    lowest = min([*(rate for _, rate in rates), target or 1.0], default=1.0)
    low = next((floor for floor in FLOORS if floor < lowest), 0.0)  # below the target too, so that the line is not the axis
    is_wide = width >= WIDE
    plot = Plot(left=44, right=width - (84 if is_wide else 8), top=12, bottom=168, low=low, high=1.0)
    spots = [(index, plot.x(index / max(1, len(days) - 1)), plot.y(rate)) for index, rate in rates]
    parts = [*plot.level(1.0, "100%"), *plot.level(low, f"{low:.0%}"), *_target(target, plot, is_wide=is_wide)]
    parts += _line(spots)
    for index, x, y in spots:
        if days[index].note:
            parts += [tag("circle", class_="odd", cx=x, cy=y, r=3.5), text(days[index].note, x, y + 17, anchor="middle")]
    if spots:
        _, x, y = spots[-1]
        parts.append(tag("circle", class_="dot", cx=x, cy=y, r=4))
        parts.append(
            _latest(percent_words(rates[-1][1]), x, y, plot.y(target) if is_wide and target is not None else None, is_wide=is_wide)
        )
    if days:
        parts += [text(words(days[0].on), plot.left, 190), text(words(days[-1].on), plot.right, 190, anchor="end")]
    sentence = _sentence(days, unit)
    return Chart(
        svg=picture("success", width, 196, sentence, parts),
        sentence=sentence,
        head=(unit.capitalize(), "Good", "Runs", "Success"),
        rows=_rows(days, words),
    )


def _target(target: float | None, plot: Plot, *, is_wide: bool) -> list[SafeString]:
    if target is None:
        return []
    y, label = plot.y(target), f"{target * 100:.1f}".removesuffix(".0") + "%"
    tint = tag("rect", class_="breach", x=plot.left, y=y, width=plot.right - plot.left, height=plot.bottom - y)
    if is_wide:
        line, _ = plot.level(target, "", promise=True)
        return [tint, line, text(f"promise {label}", plot.right + 8, y + 4, "axis axis--promise")]
    words = [text("below promise", plot.left + 6, y + 15)] if plot.bottom - y > 20 else []
    return [tint, *plot.level(target, label, promise=True), *words]


def _latest(words: str, x: float, y: float, promise_y: float | None, *, is_wide: bool) -> SafeString:
    """The last value: beside the line's end where there is room, clear of the promise's label."""
    if not is_wide:
        return text(words, x, y + (19 if y < 140 else -10), "value", anchor="end")
    if promise_y is not None and abs(y - promise_y) < LABEL:
        y = promise_y - LABEL if y <= promise_y else promise_y + LABEL
    return text(words, x + 8, y + 4, "value")


def _line(spots: Sequence[tuple[int, float, float]]) -> list[SafeString]:
    """One line per unbroken row of days; a day alone is a dot."""
    stretches: list[list[tuple[int, float, float]]] = []
    for spot in spots:
        if not stretches or stretches[-1][-1][0] != spot[0] - 1:
            stretches.append([])
        stretches[-1].append(spot)
    return [
        tag("polyline", class_="line", points=points((x, y) for _, x, y in stretch))
        if len(stretch) > 1
        else tag("circle", class_="dot", cx=stretch[0][1], cy=stretch[0][2], r=2.5)
        for stretch in stretches
    ]


def _month_words(on: dt.date) -> str:
    return f"{on:%b %Y}"


def _sentence(days: Sequence[DayCount], unit: str) -> str:
    good, total = sum(day.good for day in days), sum(day.total for day in days)
    span = f"1 {unit}" if len(days) == 1 else f"{len(days)} {unit}s"
    if not total:
        return f"No runs were counted in {span}."
    return f"{percent_words(good / total)}, {good:,} of {total:,} runs succeeded in {span}."


def _rows(days: Sequence[DayCount], words: Callable[[dt.date], str]) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (words(day.on), f"{day.good:,}", f"{day.total:,}", "no runs" if day.rate is None else percent_words(day.rate)) for day in days
    )
