"""Escaped SVG elements, and the frame every line chart shares."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe


@dataclass(frozen=True, kw_only=True)
class Chart:
    svg: SafeString
    sentence: str
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def number(value: object) -> object:
    """A float with one decimal at most, so that the same data always give the same bytes; anything else as it is."""
    return f"{value:.1f}".rstrip("0").rstrip(".") if isinstance(value, float) else value


def tag(name: str, *children: object, **attributes: object) -> SafeString:
    """One element; every attribute and text is escaped. None leaves an attribute out, underscores in names become hyphens."""
    pairs = (
        (key.rstrip("_").replace("_", "-") if key != "viewBox" else key, value) for key, value in attributes.items() if value is not None
    )
    opened = "".join(f' {key}="{conditional_escape(number(value))}"' for key, value in pairs)
    inner = "".join(conditional_escape(child) for child in children)
    return mark_safe(f"<{name}{opened}>{inner}</{name}>")  # noqa: S308  # every part is escaped above


def picture(kind: str, width: float, height: float, sentence: str, parts: Iterable[SafeString], *, fixed: bool = False) -> SafeString:
    """The whole SVG, read out as one picture with its sentence; a fixed one never grows beyond its own size."""
    box, own = f"0 0 {number(float(width))} {number(float(height))}", float(width) if fixed else None
    return tag("svg", tag("title", sentence), *parts, class_=f"chart chart--{kind}", viewBox=box, width=own, role="img")


def points(pairs: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{number(float(x))},{number(float(y))}" for x, y in pairs)


def percent_words(share: float, *, places: int = 1) -> str:
    """A share as per cent, rounded down: nothing looks met that is not, and 100% is only where nothing is missing.

    With one place always, with more of them only as many as it needs.
    """
    scale: int = 10**places
    cut = math.floor(share * 100 * scale + 1e-6) / scale
    return (f"{cut:.{places}f}".rstrip("0").rstrip(".") if places > 1 or cut == 100 else f"{cut:.1f}") + "%"


def day_words(on: dt.date) -> str:
    return f"{on.day} {on:%b}"


@dataclass(frozen=True, kw_only=True)
class Plot:
    """The frame of a line chart: turns (share of the width, value) into picture points."""

    left: float
    right: float
    top: float
    bottom: float
    low: float
    high: float

    def x(self, share: float) -> float:
        return self.left + (self.right - self.left) * share

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.bottom - (self.bottom - self.top) * min(1.0, max(0.0, share))

    def level(self, value: float, label: str, *, promise: bool = False) -> list[SafeString]:
        """A horizontal line with its label at the left end; dashed and bold for the promise."""
        y = self.y(value)
        line = tag("line", class_="promise" if promise else "grid", x1=self.left, x2=self.right, y1=y, y2=y)
        return [line, text(label, self.left - 8, y + 4, "axis axis--promise" if promise else "axis", anchor="end")]


def text(words: str, x: float, y: float, class_: str = "axis", *, anchor: str | None = None) -> SafeString:
    return tag("text", words, class_=class_, x=float(x), y=float(y), text_anchor=anchor)
