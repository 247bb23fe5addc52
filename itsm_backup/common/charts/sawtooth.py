"""The sawtooth: how old the newest restorable copy was over the last hours, against the promise."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from zoneinfo import ZoneInfo

from django.utils.safestring import SafeString

from itsm_backup.common.charts.svg import Chart, Plot, number, picture, points, tag, text
from itsm_backup.common.time import clock_words, duration_words

RUNS_Y, HOURS_Y, HEIGHT = 164, 190, 196


@dataclass(frozen=True)
class AgeStep:
    """From `at` on, the newest restorable copy is the one captured at `captured_at`; None: no usable copy is known."""

    at: dt.datetime
    captured_at: dt.datetime | None


@dataclass(frozen=True)
class RunMark:
    """One run below the chart; kind is good, warning, failed, missed or other."""

    at: dt.datetime
    kind: str


@dataclass(frozen=True)
class _Tooth:
    """A stretch of time with one and the same newest copy."""

    begin: dt.datetime
    end: dt.datetime
    captured_at: dt.datetime

    def age_s(self, at: dt.datetime) -> float:
        return (at - self.captured_at).total_seconds()

    def over(self, promise_s: float | None) -> _Tooth | None:
        """The part of it in which the copy was older than promised."""
        if promise_s is None:
            return None
        crossed = max(self.begin, self.captured_at + dt.timedelta(seconds=promise_s))
        return _Tooth(crossed, self.end, self.captured_at) if crossed < self.end else None


def sawtooth(
    *,
    steps: Sequence[AgeStep],
    runs: Sequence[RunMark],
    promise_s: float | None,
    now: dt.datetime,
    zone: ZoneInfo,
    dated: bool = False,
    hours: int = 48,
    width: float = 760,
) -> Chart:
    """Age of the newest restorable copy over the last hours, the promise dashed, red above it, run marks below.

    Steps may begin before the window; where no usable copy is known the line has a gap. `width` in picture units of 1 px.
    `dated` is for windows that end in the past: nothing is called now.
    """
    start = now - dt.timedelta(hours=hours)
    teeth = _teeth(steps, start, now)
    top_s = max([*(tooth.age_s(tooth.end) for tooth in teeth), 1.5 * (promise_s or 0), 3_600.0])
    plot = Plot(left=46, right=width - 112, top=12, bottom=148, low=0, high=top_s * 1.06)
    canvas = _Canvas(plot, start, now)
    shown = [run for run in runs if start <= run.at <= now]
    sentence = _sentence(teeth, promise_s, now, hours, dated)
    parts = [part for level in _levels(top_s, promise_s) for part in plot.level(level, duration_words(level) if level else "0 h")]
    parts += canvas.teeth(teeth, promise_s)
    if promise_s:
        parts += plot.level(promise_s, duration_words(promise_s), promise=True)
    parts += _labels(teeth, promise_s, plot, now)
    parts += [_mark(run.kind, canvas.x(run.at)) for run in shown]
    parts += _legend(plot.right + 8, {run.kind for run in shown})
    parts += canvas.hours(zone, dated)
    rows = tuple((clock_words(run.at, now=now, zone=zone, dated=dated), run.kind) for run in shown)
    return Chart(svg=picture("saw", width, HEIGHT, sentence, parts), sentence=sentence, head=("Run", "Result"), rows=rows)


def _teeth(steps: Sequence[AgeStep], start: dt.datetime, now: dt.datetime) -> list[_Tooth]:
    ordered = [*sorted((step for step in steps if step.at < now), key=lambda step: step.at), AgeStep(now, None)]
    return [
        _Tooth(max(step.at, start), after.at, step.captured_at)
        for step, after in pairwise(ordered)
        if step.captured_at is not None and max(step.at, start) < after.at
    ]


def _without_gaps(teeth: Sequence[_Tooth]) -> Iterator[list[_Tooth]]:
    line: list[_Tooth] = []
    for tooth in teeth:
        if line and line[-1].end != tooth.begin:
            yield line
            line = []
        line.append(tooth)
    if line:
        yield line


def _levels(top_s: float, promise_s: float | None) -> list[float]:
    step = promise_s / 2 if promise_s and top_s <= 2.5 * promise_s else max(3_600.0, math.ceil(top_s / 4 / 3_600) * 3_600.0)
    levels = (step * count for count in range(int(top_s / step) + 1))
    # A level this close to the promise would print over its label.
    return [level for level in levels if not promise_s or abs(level - promise_s) > step / 3]


@dataclass(frozen=True)
class _Canvas:
    plot: Plot
    start: dt.datetime
    now: dt.datetime

    def x(self, at: dt.datetime) -> float:
        return self.plot.x((at - self.start) / (self.now - self.start))

    def teeth(self, teeth: Sequence[_Tooth], promise_s: float | None) -> list[SafeString]:
        """Tinted breach, area, red peaks and the line, painted in that order."""
        plot = self.plot
        breaches = [over for tooth in teeth if (over := tooth.over(promise_s))]
        lines = [[point for tooth in line for point in self._edge(tooth)] for line in _without_gaps(teeth)]
        parts = [
            tag(
                "rect",
                class_="breach",
                x=self.x(over.begin),
                y=plot.top,
                width=self.x(over.end) - self.x(over.begin),
                height=plot.bottom - plot.top,
            )
            for over in breaches
        ]
        parts += [
            tag("polygon", class_="area", points=points([(line[0][0], plot.bottom), *line, (line[-1][0], plot.bottom)])) for line in lines
        ]
        for over in breaches:
            ground = [(self.x(over.end), plot.y(promise_s or 0)), (self.x(over.begin), plot.y(promise_s or 0))]
            parts.append(tag("polygon", class_="peak", points=points([*self._edge(over), *ground])))
        return parts + [tag("polyline", class_="line", points=points(line)) for line in lines]

    def _edge(self, tooth: _Tooth) -> list[tuple[float, float]]:
        return [(self.x(at), self.plot.y(tooth.age_s(at))) for at in (tooth.begin, tooth.end)]

    def hours(self, zone: ZoneInfo, dated: bool) -> list[SafeString]:
        """Both ends of the window, and the midnights and noons with room between them."""
        first, last = self.start.astimezone(zone), self.now.astimezone(zone)
        parts = [
            text(f"{first:%a %H:%M}", self.plot.left, HOURS_Y),
            text(f"{last:%a %H:%M}" if dated else f"now {last:%H:%M}", self.plot.right, HOURS_Y, anchor="end"),
        ]
        for days in range((last.date() - first.date()).days + 1):
            for hour in (0, 12):
                at = dt.datetime.combine(first.date() + dt.timedelta(days=days), dt.time(hour), tzinfo=zone)
                if self.plot.left + 95 < self.x(at) < self.plot.right - 85:
                    parts.append(text(f"{at:%a %H:%M}" if hour == 0 else f"{at:%H:%M}", self.x(at), HOURS_Y, anchor="middle"))
        return parts


def _labels(teeth: Sequence[_Tooth], promise_s: float | None, plot: Plot, now: dt.datetime) -> list[SafeString]:
    x = plot.right + 8
    parts = [text(f"promise, {duration_words(promise_s)}", x, plot.y(promise_s) + 4, "axis axis--promise")] if promise_s else []
    if teeth and teeth[-1].end == now:
        age_s = teeth[-1].age_s(now)
        over = promise_s is not None and age_s > promise_s
        y = plot.y(age_s) + 4
        if promise_s and abs(plot.y(age_s) - plot.y(promise_s)) < 15:  # keep clear of the promise's own label
            y = plot.y(promise_s) + (-11 if over else 19)
        parts.append(text(duration_words(age_s), x, y, "value value--over" if over else "value"))
    return parts


def _mark(kind: str, x: float) -> SafeString:
    if kind == "failed":
        return tag("path", class_="run run--failed", d=f"M{number(x - 4)} {RUNS_Y - 4}l8 8m0-8l-8 8")
    if kind == "missed":
        return tag("circle", class_="run run--missed", cx=x, cy=RUNS_Y, r=3.5)
    return tag("path", class_=f"run run--{kind}", d=f"M{number(x)} {RUNS_Y - 5}v10")


def _legend(x: float, kinds: set[str]) -> list[SafeString]:
    """What the run marks mean: only the kinds that are there, and no more than fit."""
    parts = [text("runs:", x, RUNS_Y + 4)]
    x += 32
    for kind in [kind for kind in ("failed", "missed", "good", "warning") if kind in kinds][:2]:
        parts += [_mark(kind, x), text(kind, x + 7, RUNS_Y + 4, f"axis axis--{kind}")]
        x += 47
    return parts


def _sentence(teeth: Sequence[_Tooth], promise_s: float | None, now: dt.datetime, hours: int, dated: bool) -> str:
    if not teeth or teeth[-1].end != now:
        known = "was known then" if dated else "is known now"
        return f"No usable copy {known}; the last {hours} hours are shown."
    age_s = teeth[-1].age_s(now)
    words = f"The newest restorable copy is {duration_words(age_s)} old"
    if promise_s is None:
        return f"{words}; no promise is set."
    times = sum(1 for tooth in teeth if tooth.over(promise_s))
    state = f"{duration_words(age_s - promise_s)} over" if age_s > promise_s else "within"
    past = f"in the last {hours} hours the promise was passed {times} time{'' if times == 1 else 's'}"
    return f"{words}, {state} the promise of {duration_words(promise_s)}; {past}."
