"""Promises of many entries weighed together: each against the others of the same batch, not only against the catalogue in force.

Counted is the promise of a row that can come into force: one that breaks an inequality by itself does not, and of two that exclude each
other the earlier does, as when they are approved in their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from catalogue.impact import Walked
from catalogue.inheriting import INHERITED, Promises, promises_with
from catalogue.levels import Gap, Question

MOST_ROUNDS = 40
Look = Callable[[Promises], list[list[Gap]]]  # what is broken of each row, when this is promised by all
Stops = Callable[[int, Gap], bool]  # whether a gap of the row at this place stops it, or is borne or only to consider


def weighed(asked: Sequence[Question], *, told: Promises, relations: Iterable[Walked], look: Look, stops: Stops) -> list[list[Gap]]:
    """What is broken of each row, with the promises of the other rows that can come into force. Pure, but for what it is given."""
    part = _parts(relations)

    def bad(found: list[list[Gap]], places: Iterable[int]) -> list[int]:
        return [place for place in places if any(stops(place, gap) for gap in found[place])]

    found = look(told)
    at_fault = {place for place, gaps in enumerate(found) if any(gap.code != INHERITED and stops(place, gap) for gap in gaps)}
    linked = [place for place, one in enumerate(asked) if place not in at_fault and one.service.pk in part]
    counted = set(linked)
    for tried in range(MOST_ROUNDS):
        if not counted:
            break
        found = look(promises_with(told, [asked[place] for place in counted]))
        broken = bad(found, sorted(counted))
        if not broken:
            break
        counted -= set(broken) if tried == MOST_ROUNDS - 1 else _one_of_each(reversed(broken), asked, part)
    else:
        found = look(promises_with(told, [asked[place] for place in counted]))
    return _taken_up(found, counted, linked, asked, told=told, part=part, look=look, bad=bad)


def _taken_up(
    found: list[list[Gap]], counted: set[int], linked: Sequence[int], asked: Sequence[Question], *, told: Promises,
    part: Mapping[int, int], look: Look, bad: Callable[[list[list[Gap]], Iterable[int]], list[int]],
) -> list[list[Gap]]:  # fmt: skip
    """Rows that were left out and hold after all count, too, where they break none that counts already."""
    never: set[int] = set()
    for _ in range(MOST_ROUNDS):
        left = [place for place in linked if place not in counted | never]
        holding = [place for place in left if place not in set(bad(found, left))]
        more = _one_of_each(holding, asked, part)
        if not more:
            break
        wider = look(promises_with(told, [asked[place] for place in counted | more]))
        if bad(wider, sorted(counted | more)):
            never |= more
        else:
            counted, found = counted | more, wider
    return found


def _one_of_each(places: Iterable[int], asked: Sequence[Question], part: Mapping[int, int]) -> set[int]:
    """Of each part of the weave the first of these places: what is not joined does not wait for one another."""
    first: dict[int, int] = {}
    for place in places:
        first.setdefault(part[asked[place].service.pk], place)
    return set(first.values())


def _parts(relations: Iterable[Walked]) -> dict[int, int]:
    """Service → the part of the weave in which it stands."""
    beside: dict[int, list[int]] = {}
    for relation in relations:
        beside.setdefault(relation.provider_id, []).append(relation.consumer_id)
        beside.setdefault(relation.consumer_id, []).append(relation.provider_id)
    part: dict[int, int] = {}
    for start in beside:
        waiting: list[int] = [] if start in part else [start]
        while waiting:
            here = waiting.pop()
            if here not in part:
                part[here] = start
                waiting += beside[here]
    return part
