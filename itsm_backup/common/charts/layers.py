"""A layered graph: what everything rests on stands left, what needs it to the right; readable for some 200 boxes."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString

from itsm_backup.common.charts import lanes
from itsm_backup.common.charts.lanes import HEIGHT, WIDTH
from itsm_backup.common.charts.svg import Chart, tag, text
from itsm_backup.common.charts.tree import cut

MOST_IN_COLUMN = 25
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
    heads, parts = _broken([(head, boxes) for (head, _), boxes in zip(columns, ordered, strict=True)])
    boxes = {box.key: box for part in parts for box in part}
    known = [line for line in lines if line.source in boxes and line.target in boxes]
    plan = lanes.planned([[box.key for box in part] for part in parts], [(line.source, line.target, line.dashed) for line in known])
    place = {box.key: index for index, part in enumerate(parts) for box in part}
    ways = lanes.drawn(plan, place)
    svg = tag(
        "svg",
        *(text(head, plan.x[index], 14, "tree-head") for index, head in heads),
        *(_line(line, way, boxes) for line, way in zip(known, ways, strict=True)),
        *(_box(box, plan.x[place[key]], plan.y[key] - HEIGHT / 2) for key, box in boxes.items()),
        class_="chart chart--layers", viewBox=f"0 0 {plan.width:g} {plan.height:g}", width=plan.width, height=plan.height,
        role="group", aria_label=sentence,
    )  # fmt: skip
    rows = tuple((boxes[line.target].title, line.words, boxes[line.source].title) for line in known)
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


def _broken(columns: list[tuple[str, list[LayerBox]]]) -> tuple[list[tuple[int, str]], list[list[LayerBox]]]:
    """The heads, each with the column above which it stands, and the columns; long ones are broken into several side by side."""
    heads, parts = [], []
    for head, boxes in columns:
        heads.append((len(parts), head))
        parts += [boxes[first : first + MOST_IN_COLUMN] for first in range(0, len(boxes), MOST_IN_COLUMN)] or [[]]
    return heads, parts


def _line(line: LayerLine, way: str, boxes: Mapping[Hashable, LayerBox]) -> SafeString:
    """Under the pointer it says what it joins; the two ends are named for the page, which shows the lines of one box alone."""
    title = [tag("title", f"{boxes[line.target].title} → {boxes[line.source].title}: {line.words}")] if line.words else []
    return tag("path", *title, class_="edge edge--soft" if line.dashed else "edge", d=way, data_ends=f"{line.source} {line.target}")


def _box(box: LayerBox, x: float, y: float) -> SafeString:
    parts = [
        tag("rect", class_="node-box", x=x, y=y, width=WIDTH, height=HEIGHT, rx=3),
        text(cut(box.title, LETTERS), x + 10, y + (17 if box.note else 24), "node-title"),
        *([text(cut(box.note, LETTERS + 5), x + 10, y + 32, "node-note")] if box.note else []),
    ]
    drawn = tag("g", *parts, class_=f"node node--{box.tone or 'plain'}", data_key=str(box.key))
    return tag("a", drawn, href=box.href, tabindex="-1", aria_label=box.title) if box.href else drawn
