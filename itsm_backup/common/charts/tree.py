"""The impact tree: cause, service, dependants, departments, from left to right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString

from itsm_backup.common.charts.svg import Chart, number, picture, tag, text

WIDTHS = (204, 198, 214, 186)
GAP, PITCH, HEAD, BOX = 38, 58, 28, 50


@dataclass(frozen=True)
class TreeNode:
    """A box of the tree; `parents` are indexes of boxes in the column before. Without a title it is the line that passes this column."""

    title: str
    note: str = ""
    verdict: str = ""
    parents: tuple[int, ...] = ()


def impact_tree(*, columns: Sequence[tuple[str, Sequence[TreeNode]]], sentence: str) -> Chart:
    """Up to four (head, boxes) columns joined by lines; the chart's rows say the same as text, with the words in full."""
    tallest = max((len(nodes) for _, nodes in columns), default=1)
    parts: list[SafeString] = []
    before: list[float] = []
    x = 0.5
    for (head, nodes), width in zip(columns, WIDTHS, strict=False):
        first = HEAD + (tallest - len(nodes)) * PITCH / 2 + BOX / 2
        middles = [first + index * PITCH for index in range(len(nodes))]
        parts.append(text(head, x, 12, "tree-head"))
        for node, middle in zip(nodes, middles, strict=True):
            parts += [_edge(x, before[parent], middle) for parent in node.parents]
            parts.append(_box(node, x, middle - BOX / 2, width) if node.title else _passing(x, middle, width))
        before, x = middles, x + width + GAP
    rows = tuple((head, node.title, node.note, node.verdict.replace("_", " ")) for head, nodes in columns for node in nodes if node.title)
    svg = picture("tree", x - GAP + 0.5, HEAD + tallest * PITCH - 6, sentence, parts, fixed=True)
    return Chart(svg=svg, sentence=sentence, head=("Step", "Name", "What we know", "Verdict"), rows=rows)


def _edge(x: float, from_y: float, to_y: float) -> SafeString:
    return tag("path", class_="edge", d=f"M{number(x - GAP)} {number(from_y)}H{number(x - GAP / 2)}V{number(to_y)}H{number(x)}")


def _passing(x: float, y: float, width: float) -> SafeString:
    return tag("path", class_="edge", d=f"M{number(x)} {number(y)}H{number(x + width)}")


def _box(node: TreeNode, x: float, y: float, width: float) -> SafeString:
    room = int((width - (44 if node.verdict else 24)) / 6.4)  # letters of the title's size
    parts = [
        tag("rect", class_="node-box", x=x, y=y, width=width, height=BOX, rx=3),
        text(cut(node.title, room), x + 12, y + 21, "node-title"),
        text(cut(node.note, room + 5), x + 12, y + 38, "node-note"),
    ]
    if node.verdict:
        parts.append(tag("use", class_="node-mark", href=f"#mark-{node.verdict}", x=x + width - 26, y=y + 9, width=16, height=16))
    return tag("g", *parts, class_=f"node node--{node.verdict or 'plain'}")


def cut(words: str, room: int) -> str:
    """At most `room` letters; an ellipsis tells what is missing."""
    return words if len(words) <= room else words[: room - 1].rstrip() + "…"
