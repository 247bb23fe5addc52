"""The day strip: one cell a day, good pale and without a letter, failed the only dark one."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString

from itsm_backup.common.charts.svg import Chart, day_words, picture, tag, text

LETTERS = {"warning": "W", "late": "L", "failed": "F", "missed": "M", "no_data": "?", "held": "H", "not_scheduled": "·"}
PITCH, ROW = 18, 28


@dataclass(frozen=True)
class DayCell:
    """One day: good, warning, late, failed, missed, no_data, held or not_scheduled; the words say what happened."""

    on: dt.date
    kind: str
    words: str
    restore_passed: bool = False


def day_strip(*, cells: Sequence[DayCell], per_row: int = 31) -> Chart:
    """Cells in the day cell alphabet, a blue corner where a restore test passed."""
    parts = [part for index, cell in enumerate(cells) for part in _cell(cell, PITCH * (index % per_row), ROW * (index // per_row))]
    height = ROW * math.ceil(max(1, len(cells)) / per_row) - 4
    bad = sum(1 for cell in cells if cell.kind in ("failed", "missed", "late"))
    sentence = f"{len(cells)} days, {bad or 'none'} with failed, missed or late runs."
    rows = tuple((f"{cell.on:%a} {day_words(cell.on)}", cell.words) for cell in cells)
    svg = picture("strip", PITCH * per_row, height, sentence, parts)
    return Chart(svg=svg, sentence=sentence, head=("Day", "What happened"), rows=rows)


def _cell(cell: DayCell, x: float, y: float) -> list[SafeString]:
    radius = 8 if cell.kind == "no_data" else 2
    parts = [tag("rect", class_=f"cell cell--{cell.kind}", x=x + 0.5, y=y + 0.5, width=16, height=23, rx=radius)]
    if letter := LETTERS.get(cell.kind):
        parts.append(text(letter, x + 8.5, y + 16, f"letter letter--{cell.kind}", anchor="middle"))
    if cell.restore_passed:
        parts.append(tag("path", class_="restored", d=f"M{x + 9} {y + 1}h7v7z"))
    return parts
