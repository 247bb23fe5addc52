"""The tally: one cell for each thing counted, grouped by verdict; shares instead of cells when there are too many to see."""

from __future__ import annotations

import math
from collections.abc import Sequence

from django.utils.safestring import SafeString

from itsm_backup.common.charts.svg import picture, tag

MOST_CELLS, WIDTH, HEIGHT, GAP = 120, 400.0, 26, 2.0


def tally(*, counts: Sequence[tuple[str, int]], sentence: str, rows: int = 1) -> SafeString:
    """`counts` are (verdict, how many) in the order to paint; `rows` breaks the cells into lines for a narrow page."""
    total = sum(count for _, count in counts)
    if total > MOST_CELLS:
        return picture("tally", WIDTH, HEIGHT, sentence, _shares(counts, total))
    per_row = math.ceil(max(1, total) / rows)
    width = WIDTH / per_row
    verdicts = [verdict for verdict, count in counts for _ in range(count)]
    cells = [
        _cell(verdict, width * (index % per_row), width - GAP, index // per_row * (HEIGHT + GAP)) for index, verdict in enumerate(verdicts)
    ]
    return picture("tally", WIDTH, rows * (HEIGHT + GAP) - GAP, sentence, cells)


def _shares(counts: Sequence[tuple[str, int]], total: int) -> list[SafeString]:
    """Blocks by share; a verdict that occurs is always wide enough to be seen."""
    seen = [(verdict, count) for verdict, count in counts if count]
    least = 6.0
    room = WIDTH - (least + GAP) * len(seen)
    parts, x = [], 0.0
    for verdict, count in seen:
        width = least + room * count / total
        parts.append(_cell(verdict, x, width, 0))
        x += width + GAP
    return parts


def _cell(verdict: str, x: float, width: float, y: float) -> SafeString:
    inset = 0 if verdict in ("kept", "broken") else 0.8  # outlined cells stay inside their place
    return tag("rect", class_=f"tally-cell--{verdict}", x=x + inset, y=y + inset, width=width - 2 * inset, height=HEIGHT - 2 * inset, rx=1)
