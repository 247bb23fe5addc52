"""A layered graph: what everything rests on stands left, what needs it to the right; readable for some 200 boxes."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString

from itsm_backup.common.charts.svg import Chart, tag, text
from itsm_backup.common.charts.tree import cut

WIDTH, HEIGHT, PITCH, GAP, HEAD, MOST_IN_COLUMN = 176.0, 38.0, 48.0, 64.0, 26.0, 25
LETTERS = 23  # of a title


@dataclass(frozen=True, kw_only=True)
class LayerBox:
    """`tone` is empty, "start" for the one asked about, or "backup" for one of which only the backup stops."""

    key: Hashable
    title: str
    note: str = ""
    tone: str = ""
    href: str = ""


@dataclass(frozen=True, kw_only=True)
class LayerLine:
    """From the provider to the consumer; dashed where the consumer goes on without it."""

    source: Hashable
    target: Hashable
    dashed: bool = False
    words: str = ""


def layers_of(keys: Iterable[Hashable], pairs: Iterable[tuple[Hashable, Hashable]]) -> dict[Hashable, int]:
    """The layer of each key: one more than the highest of what it needs. `pairs` are (needed, needing); circles are cut where met."""
    needs: dict[Hashable, list[Hashable]] = {key: [] for key in keys}
    for source, target in pairs:
        if source in needs and target in needs:
            needs[target].append(source)
    layer: dict[Hashable, int] = {}
    for root in needs:
        work, entered = [root], set()
        while work:
            here = work[-1]
            open_ones = [one for one in needs[here] if one not in layer and one not in entered]
            if here in layer or not open_ones:
                work.pop()
                layer.setdefault(here, 1 + max((layer[one] for one in needs[here] if one in layer), default=-1))
            else:
                entered.add(here)
                work.append(open_ones[0])
    return layer


def layered_graph(*, columns: Sequence[tuple[str, Sequence[LayerBox]]], lines: Sequence[LayerLine], sentence: str) -> Chart:
    """(head, boxes) from left to right, joined by lines. The chart's rows say every line in words."""
    ordered = _untangled([list(boxes) for _, boxes in columns], lines)
    placed, heads, width = _placed([(head, boxes) for (head, _), boxes in zip(columns, ordered, strict=True)])
    titles = {box.key: box.title for boxes in ordered for box in boxes}
    known = [line for line in lines if line.source in placed and line.target in placed]
    boxes = [_box(box, *placed[box.key]) for column in ordered for box in column]
    height = max((y for _, y in placed.values()), default=0.0) + HEIGHT + 4
    parts = [*heads, *(_line(line, placed) for line in known), *boxes]
    svg = tag(
        "svg", *parts, class_="chart chart--layers", viewBox=f"0 0 {width:g} {height:g}", width=width, height=height,
        role="group", aria_label=sentence,
    )  # fmt: skip
    rows = tuple((titles[line.target], line.words, titles[line.source]) for line in known)
    return Chart(svg=svg, sentence=sentence, head=("Service", "Relation", "Needs"), rows=rows)


def _untangled(columns: list[list[LayerBox]], lines: Sequence[LayerLine]) -> list[list[LayerBox]]:
    """Boxes moved towards the middle of their neighbours, to and fro, so that fewer lines cross."""
    near: dict[Hashable, list[Hashable]] = {}
    for line in lines:
        near.setdefault(line.source, []).append(line.target)
        near.setdefault(line.target, []).append(line.source)
    for order in (columns[1:], columns[-2::-1], columns[1:]):
        for column in order:
            spots = {box.key: index / max(1, len(one)) for one in columns for index, box in enumerate(one)}
            column.sort(key=lambda box: (_middle(near.get(box.key, ()), spots), box.title))
    return columns


def _middle(neighbours: Iterable[Hashable], spots: Mapping[Hashable, float]) -> float:
    found = [spots[one] for one in neighbours if one in spots]
    return sum(found) / len(found) if found else 1.0


def _placed(columns: list[tuple[str, list[LayerBox]]]) -> tuple[dict[Hashable, tuple[float, float]], list[SafeString], float]:
    """Where each box stands, the heads, and the width of all; long columns are broken into several side by side."""
    tallest = min(MOST_IN_COLUMN, max((len(boxes) for _, boxes in columns), default=1))
    places: dict[Hashable, tuple[float, float]] = {}
    heads: list[SafeString] = []
    x = 1.0
    for head, boxes in columns:
        heads.append(text(head, x, 14, "tree-head"))
        for first in range(0, len(boxes), MOST_IN_COLUMN):
            part = boxes[first : first + MOST_IN_COLUMN]
            top = HEAD + (tallest - len(part)) * PITCH / 2
            places |= {box.key: (x, top + index * PITCH) for index, box in enumerate(part)}
            x += WIDTH + (24.0 if first + MOST_IN_COLUMN < len(boxes) else GAP)
    return places, heads, x - GAP + 1


def _line(line: LayerLine, placed: Mapping[Hashable, tuple[float, float]]) -> SafeString:
    (x1, y1), (x2, y2) = placed[line.source], placed[line.target]
    y1, y2 = y1 + HEIGHT / 2, y2 + HEIGHT / 2
    if x2 > x1:
        bend = (x2 - x1 - WIDTH) / 2
        drawn = f"M{x1 + WIDTH:g} {y1:g}C{x1 + WIDTH + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}"
    else:  # against the current: a circle, or two of one layer
        drawn = f"M{x1 + WIDTH:g} {y1:g}C{x1 + WIDTH + GAP:g} {y1:g} {x2 + WIDTH + GAP:g} {y2:g} {x2 + WIDTH:g} {y2:g}"
    return tag("path", class_="edge edge--soft" if line.dashed else "edge", d=drawn)


def _box(box: LayerBox, x: float, y: float) -> SafeString:
    parts = [
        tag("rect", class_="node-box", x=x, y=y, width=WIDTH, height=HEIGHT, rx=3),
        text(cut(box.title, LETTERS), x + 10, y + (17 if box.note else 24), "node-title"),
        *([text(cut(box.note, LETTERS + 5), x + 10, y + 32, "node-note")] if box.note else []),
    ]
    drawn = tag("g", *parts, class_=f"node node--{box.tone or 'plain'}")
    return tag("a", drawn, href=box.href, tabindex="-1", aria_label=box.title) if box.href else drawn
