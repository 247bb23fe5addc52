"""Ways of lines through a layered graph: in gaps they bend, past a column they run straight between its boxes, each in its lane."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

WIDTH, HEIGHT, PITCH, LANE, GAP, HEAD = 176.0, 38.0, 48.0, 7.0, 64.0, 26.0
MOST_WIDER = 72.0  # how much wider a gap becomes where many lines pass
PORTS, PORT = 26.0, 6.0  # of a box: how much of its side lines end on, and how far apart at most

Key = Hashable


class Lane(NamedTuple):
    """A place in a column kept free for the lines of one source; those that are dashed, or lead back, have another one."""

    source: Key
    dashed: bool
    back: bool
    column: int


@dataclass
class Plan:
    """Boxes and lanes of each column from top to bottom, and for each line the places it goes through."""

    columns: list[list[Key]]
    ways: list[tuple[Key, ...]]
    x: list[float] = field(default_factory=list)
    y: dict[Key, float] = field(default_factory=dict)  # the middle of each box and lane
    width: float = 0.0
    height: float = 0.0


def planned(columns: Sequence[Sequence[Key]], lines: Sequence[tuple[Key, Key, bool]]) -> Plan:
    """Where everything stands. `lines` are (source, target, dashed) between boxes of the columns."""
    place = {key: index for index, column in enumerate(columns) for key in column}
    ways = [_way(source, target, dashed, place) for source, target, dashed in lines]
    full = [list(column) for column in columns]
    for lane in dict.fromkeys(step for way in ways for step in way if isinstance(step, Lane)):
        full[lane.column].append(lane)
    plan = Plan(columns=_untangled(full, ways), ways=ways)
    _stand(plan, place)
    return plan


def _way(source: Key, target: Key, dashed: bool, place: Mapping[Key, int]) -> tuple[Key, ...]:
    """From its source through a lane of every column between, to its target; a line that leads back passes its own column, too."""
    start, end = place[source], place[target]
    if end >= start:
        return (source, *(Lane(source, dashed, False, column) for column in range(start + 1, end)), target)
    return (source, *(Lane(source, dashed, True, column) for column in range(start, end, -1)), target)


def _untangled(columns: list[list[Key]], ways: Iterable[tuple[Key, ...]]) -> list[list[Key]]:
    """Boxes and lanes moved towards the middle of their neighbours, to and fro, so that fewer lines cross."""
    near: dict[Key, set[Key]] = {}
    for way in ways:
        for one, other in pairwise(way):
            near.setdefault(one, set()).add(other)
            near.setdefault(other, set()).add(one)
    for order in (columns[1:], columns[-2::-1], columns[1:]):
        for column in order:
            spots = {key: (index + 0.5) / len(one) for one in columns for index, key in enumerate(one)}
            column.sort(key=lambda key: _middle(near.get(key, ()), spots))
    return columns


def _middle(neighbours: Iterable[Key], spots: Mapping[Key, float]) -> float:
    found = [spots[one] for one in neighbours if one in spots]
    return sum(found) / len(found) if found else 1.0


def _stand(plan: Plan, place: Mapping[Key, int]) -> None:
    tall = [sum(LANE if isinstance(key, Lane) else PITCH for key in column) for column in plan.columns]
    tallest, x = max(tall, default=0.0), 1.0
    passing = _passing(plan, place)
    for index, column in enumerate(plan.columns):
        y = HEAD + (tallest - tall[index]) / 2
        for key in column:
            lane = isinstance(key, Lane)
            plan.y[key] = y - (PITCH - HEIGHT - LANE) / 2 if lane else y + HEIGHT / 2
            y += LANE if lane else PITCH
        plan.x.append(x)
        x += WIDTH + GAP + min(MOST_WIDER, 1.5 * passing[index])
    plan.width, plan.height = x - GAP + (GAP if passing[-1:] != [0] else 0.0), HEAD + tallest + 4


def _passing(plan: Plan, place: Mapping[Key, int]) -> list[int]:
    """How many different lines bend in the gap right of each column."""
    through: list[set[tuple[Key, Key]]] = [set() for _ in plan.columns]
    for way in plan.ways:
        for one, other in pairwise(way):
            through[min(_column(one, place), _column(other, place))].add((one, other))
    return [len(each) for each in through]


def _column(key: Key, place: Mapping[Key, int]) -> int:
    return key.column if isinstance(key, Lane) else place[key]


def drawn(plan: Plan, columns: Mapping[Key, int]) -> list[str]:
    """The `d` of each line, in their order. At a box where several lines end, each ends at a point of its own."""
    ends = _ends(plan, columns)
    return [_path(plan, way, columns, ends[index]) for index, way in enumerate(plan.ways)]


def _ends(plan: Plan, columns: Mapping[Key, int]) -> dict[int, float]:
    """How far from the middle of its target's side each line ends: from top to bottom as they come."""
    arriving: dict[tuple[Key, bool], dict[Key, list[int]]] = {}
    for index, way in enumerate(plan.ways):
        back = columns[way[0]] >= columns[way[-1]]
        arriving.setdefault((way[-1], back), {}).setdefault(way[-2], []).append(index)
    found: dict[int, float] = {}
    for groups in arriving.values():
        order = sorted(groups, key=lambda key: plan.y[key])
        apart = min(PORT, PORTS / max(1, len(order) - 1))
        for nth, key in enumerate(order):
            found |= dict.fromkeys(groups[key], (nth - (len(order) - 1) / 2) * apart)
    return found


def _path(plan: Plan, way: tuple[Key, ...], columns: Mapping[Key, int], end: float) -> str:
    start, target = columns[way[0]], columns[way[-1]]
    back = start >= target
    x, y = plan.x[start] + WIDTH, plan.y[way[0]]
    parts = [f"M{x:.1f} {y:.1f}"]
    if back:  # round the end of its own column, then to the left
        turn = plan.x[start] + WIDTH + GAP * 0.8
        after = plan.y[way[1]] + (end if len(way) == 2 else 0.0)
        parts.append(f"C{turn:.1f} {y:.1f} {turn:.1f} {after:.1f} {x:.1f} {after:.1f}")
        if len(way) == 2:
            return "".join(parts)
        x = plan.x[start]
        y = after
        parts.append(f"H{x:.1f}")
    for key in way[2:] if back else way[1:]:
        column = columns[key] if key == way[-1] else key.column  # type: ignore[attr-defined]
        near, far = (plan.x[column] + WIDTH, plan.x[column]) if back else (plan.x[column], plan.x[column] + WIDTH)
        reached = plan.y[key] + (end if key == way[-1] else 0.0)
        middle = (x + near) / 2
        parts.append(f"C{middle:.1f} {y:.1f} {middle:.1f} {reached:.1f} {near:.1f} {reached:.1f}")
        x, y = near, reached
        if key != way[-1]:
            parts.append(f"H{far:.1f}")
            x = far
    return "".join(parts)
