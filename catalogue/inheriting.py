"""What a promise takes from the services that it hangs on, and from those that hang on it (INHERITED_COMMITMENT_TOO_WEAK).

A recovery point is taken along the relations over which a stop travels. A recovery time also is where only the backup needs the other
one (`weave.ONLY_BACKUP`): without a store nothing is restored from it, while what that store promises of its own copies means nothing here.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from django.db.models import Exists, F, OuterRef, Value

from catalogue import impact
from catalogue.levels import INHERITABLE, Gap, Level, Question, times
from catalogue.models import Commitment, Service, ServiceVersion
from catalogue.weave import STOPS

INHERITED = "INHERITED_COMMITMENT_TOO_WEAK"
OVER_BACKUPS = frozenset({"rto_s"})  # levels that a restore takes from what only the backup needs
Promises = Mapping[int, Mapping[str, Any]]  # service → its name, whether the reader may see it, and its levels


class Other(NamedTuple):
    """What another service promises of one level; `name` is empty where the reader may not see it, None where nobody is named."""

    value: Any
    name: str | None
    only_backup: bool = False  # between the two stands one of which only the backup needs the other


class Ends(NamedTuple):
    """Of one level: the weakest service on which it hangs, and the strictest that hangs on it."""

    below: Other | None = None
    above: Other | None = None


Chain = Mapping[str, Ends]  # level → both ends


def gaps(asked: Question, chain: Chain) -> Iterator[Gap]:
    """No provider along hard relations promises less than what stops with it: the weakest provider and the strictest consumer count."""
    for level in INHERITABLE:
        ends = chain.get(level.name, Ends())
        below, above = ends.below, ends.above
        for package, mine in [("", asked.promise[level.name]), *((f"{one['name']}: ", one[level.name]) for one in asked.offerings)]:
            if mine is None:
                continue
            if below and below.value > mine:
                said = f"{package}{_too_weak(below, mine, level)}"
                yield Gap(INHERITED, said, f"{package}below {level.name}", times(below.value, mine))
            if above and above.value < mine and not package:
                yield Gap(INHERITED, _too_strict(above, mine, level), f"above {level.name}", times(mine, above.value))


def chain_of(asked: Question, at: dt.datetime, *, beside: Sequence[Question] = ()) -> Chain:
    """Both ends of the chain of one service, those `beside` with what they are asked to promise; three queries."""
    service = asked.service.pk
    walked = {up: impact.closure([service], up=up, at=at, known_then=asked.known_then) for up in (True, False)}
    stopping = {up: {one.service_id for one in impact.nearest_first([service], _stops(walked[up]), up=up)} for up in walked}
    above = {relation.consumer_id for relation in walked[True]} - {service}
    below = {relation.provider_id for relation in walked[False]} - {service}
    if not above | below:
        return {}
    told = promises_with(promises_of(above | below, at=at, reader=asked.reader), beside)
    found = {}
    for level in INHERITABLE:
        over = (below, above) if level.name in OVER_BACKUPS else (stopping[False], stopping[True])
        weakest, strictest = (
            [
                (row[level.name], row["name"] if row["seen"] else "", pk)
                for pk in side
                if (row := told.get(pk)) and row[level.name] is not None
            ]
            for side in over
        )
        found[level.name] = Ends(
            _end(told, max(weakest, default=None), stopping[False], level, nobody=asked.for_many),
            _end(told, min(strictest, default=None), stopping[True], level, nobody=asked.for_many),
        )
    return found


def _stops(relations: Iterable[impact.Walked]) -> list[impact.Walked]:
    return [one for one in relations if one.letter == STOPS]


def _end(told: Promises, end: tuple[Any, str, int] | None, stopping: Collection[int], level: Level, *, nobody: bool) -> Other | None:
    return _other(told[end[2]], level, nobody, only_backup=end[2] not in stopping) if end else None


def chains_of(services: Collection[int], *, at: dt.datetime, reader: Any = None, nobody: bool = False) -> dict[int, Chain]:
    """The same of many services; two queries, however many. `nobody` names no other service at all."""
    relations = impact.around(services, at=at)
    told = promises_of({pk for relation in relations for pk in relation[:2]}, at=at, reader=reader)
    found = ends_of(relations, told, nobody=nobody)
    return {pk: found.get(pk, {}) for pk in services}


def promises_of(services: Collection[int], *, at: dt.datetime, reader: Any = None) -> dict[int, dict[str, Any]]:
    """What these services promise in force, and whether the reader may see them (all, without one); one query."""
    versions = ServiceVersion.objects.in_force(at).filter(service__in=services)
    seen: Any = Value(True)
    if reader is not None:
        seen = Exists(Service.objects.visible_to(reader).filter(pk=OuterRef("version__service")))
    rows = Commitment.objects.filter(version__in=versions).annotate(seen=seen)
    return {row["pk"]: row for row in rows.values("rpo_s", "rto_s", "seen", pk=F("version__service"), name=F("version__name"))}


def promises_with(told: Promises, rows: Iterable[Question]) -> Promises:
    """What all promise, with what these rows want in the place of what is in force."""
    wanted = {
        one.service.pk: {
            "name": one.service.code, "seen": True, **told.get(one.service.pk, {}),
            **{level.name: one.promise[level.name] for level in INHERITABLE},
        }
        for one in rows
    }  # fmt: skip
    return {**told, **wanted}


def ends_of(relations: Iterable[impact.Walked], told: Promises, *, nobody: bool = False) -> Mapping[int, Chain]:
    """Both ends of every chain among these hard relations, by service. Pure."""
    every = list(relations)
    stopping = _stops(every)
    found: defaultdict[int, dict[str, Ends]] = defaultdict(dict)
    for level in INHERITABLE:
        known = sorted((row[level.name], pk) for pk, row in told.items() if row[level.name] is not None)
        with_stop = _both_ends(known, stopping)
        both = _both_ends(known, every) if level.name in OVER_BACKUPS and len(every) > len(stopping) else with_stop
        for pk in both[0].keys() | both[1].keys():
            # Whoever comes first over all relations, and over those of a stop alone, too, is reached by a stop.
            below, above = (
                _other(told[side[pk]], level, nobody, only_backup=side[pk] != alone.get(pk)) if pk in side else None
                for side, alone in zip(both, with_stop, strict=True)
            )
            found[pk][level.name] = Ends(below, above)
    return dict(found)


def _both_ends(known: Sequence[tuple[Any, int]], relations: Iterable[impact.Walked]) -> tuple[dict[int, int], dict[int, int]]:
    """Of each service over these relations: the weakest on which it hangs, and the strictest that hangs on it."""
    consumers: dict[int, list[int]] = {}
    providers: dict[int, list[int]] = {}
    for relation in relations:
        consumers.setdefault(relation.provider_id, []).append(relation.consumer_id)
        providers.setdefault(relation.consumer_id, []).append(relation.provider_id)
    return _spread([pk for _, pk in reversed(known)], consumers), _spread([pk for _, pk in known], providers)


def _spread(order: Iterable[int], beyond: Mapping[int, list[int]]) -> dict[int, int]:
    """Of every service the first in this order, but itself, from which it is reached.

    Two are remembered of each, so that a circle, in which a service reaches itself, hides nothing that stands behind it.
    """
    met: dict[int, list[int]] = {}
    for start in order:
        waiting = [start]
        while waiting:
            for reached in beyond.get(waiting.pop(), ()):
                firsts = met.setdefault(reached, [])
                if len(firsts) < 2 and start not in firsts:
                    firsts.append(start)
                    waiting.append(reached)
    return {pk: others[0] for pk, firsts in met.items() if (others := [one for one in firsts if one != pk])}


def _other(row: Mapping[str, Any], level: Level, nobody: bool, *, only_backup: bool) -> Other:
    return Other(row[level.name], None if nobody else row["name"] if row["seen"] else "", only_backup)


def _unnamed(other: Other) -> str:
    return "another service" if other.name is None else "a service that you may not see"


def _too_weak(other: Other, mine: Any, level: Level) -> str:
    if other.only_backup:
        if not other.name:
            return f"Its restore needs {_unnamed(other)}, and that promises less than {level.words(mine)}: that cannot hold."
        return f"Its restore needs {other.name}, which promises only {level.words(other.value)}: {level.words(mine)} cannot hold."
    if not other.name:
        return f"It stops with {_unnamed(other)}, and that promises less than {level.words(mine)}: that cannot hold."
    return f"It stops with {other.name}, which promises only {level.words(other.value)}: {level.words(mine)} cannot hold."


def _too_strict(other: Other, mine: Any, level: Level) -> str:
    if other.only_backup:
        promised = f"{level.words(other.value)} is" if other.name else "more is"
        return (
            f"The restore of {other.name or _unnamed(other)} needs it, and {promised} promised: {level.words(mine)} is too weak for that."
        )
    if not other.name:
        return f"{_unnamed(other).capitalize()} stops with it and promises more: {level.words(mine)} is too weak for that."
    return f"{other.name} stops with it and promises {level.words(other.value)}: {level.words(mine)} is too weak for that."
