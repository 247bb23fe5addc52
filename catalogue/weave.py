"""The weave of relations at an instant: which stand, what each means for the consumer, circles in it, and who stands alone."""

from __future__ import annotations

import datetime as dt
import re
from collections import deque
from collections.abc import Collection, Hashable, Iterable
from typing import Any, NamedTuple, TypeVar

from django.db import connection
from django.db.models import BooleanField, Func

from catalogue.models import Relation

Key = TypeVar("Key", bound=Hashable)
# Without the provider the consumer's backup stops, not the consumer: what it then lacks.
ONLY_BACKUP = {
    "copies_to": "its copies have nowhere to go",
    "protects": "nothing makes its backup",
    "stores_to": "its backup has nowhere to go",
}
STOPS, BACKUP_STOPS, GOES_ON, SEEN = "S", "B", "G", "?"
MEANINGS = {
    STOPS: "stops without it",
    BACKUP_STOPS: "only its backup stops",
    GOES_ON: "goes on without it",
    SEEN: "seen by monitoring, not in the catalogue",
}
# What a relation carries when its provider stops, as conditions of a row: the stop itself; or that the backup of the consumer stops, which
# goes no further, because a consumer whose backup stops goes on by itself.
CARRIES_STOP = f"strength = 'hard' AND kind NOT IN {tuple(sorted(ONLY_BACKUP))}"
STOPS_BACKUP = f"strength = 'hard' AND kind IN {tuple(sorted(ONLY_BACKUP))}"
_COLUMNS = ", ".join(
    ("id", "consumer_id", "provider_id", "kind", "strength", "origin", "confirmed_at", "confirmed_by_id", "valid_from", "valid_until")
)
_NAMED = re.compile(r"%\((\w+)\)s")


class Standing(NamedTuple):
    """One relation as it stands, or stood and was known to stand."""

    id: int
    consumer_id: int
    provider_id: int
    kind: str
    strength: str
    origin: str
    confirmed_at: dt.datetime | None
    confirmed_by_id: int | None
    valid_from: dt.datetime | None
    valid_until: dt.datetime | None

    @property
    def letter(self) -> str:
        """What happens to the consumer when the provider stops."""
        return letter_of(self.kind, self.strength)

    def begins_after(self, at: dt.datetime) -> bool:
        return self.valid_from is not None and self.valid_from > at

    @property
    def words(self) -> str:
        return Relation.Kind(self.kind).label


def letter_of(kind: str, strength: str) -> str:
    if strength == Relation.Strength.SOFT:
        return GOES_ON
    return BACKUP_STOPS if kind in ONLY_BACKUP else STOPS


def relations_at(
    at: dt.datetime,
    *,
    known_then: bool,
    consumers: Collection[int] | None = None,
    touching: Collection[int] | None = None,
    kinds: Collection[str] = (),
    planned: bool = False,
) -> list[Standing]:
    """Relations that stand at `at`, or with `known_then` those that were known to stand; of these consumers, touching these
    services, of these kinds; with `planned` also those that begin later. One query."""
    wanted = ["TRUE"]
    values: dict[str, Any] = {"at": at, "consumers": list(consumers or ()), "touching": list(touching or ()), "kinds": list(kinds)}
    if consumers is not None:
        wanted.append("consumer_id = ANY(%(consumers)s)")
    if touching is not None:
        wanted.append("(consumer_id = ANY(%(touching)s) OR provider_id = ANY(%(touching)s))")
    if kinds:
        wanted.append("kind = ANY(%(kinds)s)")
    with connection.cursor() as cursor:
        cursor.execute(f"{standing_sql(known_then, ' AND '.join(wanted), planned)} ORDER BY consumer_id, provider_id, kind", values)
        return [Standing(*row) for row in cursor.fetchall()]


def standing_sql(known_then: bool, wanted: str = "TRUE", planned: bool = False) -> str:
    """SELECT of what stands at %(at)s. As known then, it is the newest entry of each relation's history; `wanted` may speak of
    its services and kind, which never change. With `planned` also what begins later."""
    holds = "(valid_until IS NULL OR valid_until > %(at)s)" + ("" if planned else " AND (valid_from IS NULL OR valid_from <= %(at)s)")
    if not known_then:
        return f"SELECT {_COLUMNS} FROM catalogue_relation WHERE {holds} AND {wanted}"  # noqa: S608 - our own words
    newest = (
        f"SELECT DISTINCT ON (id) {_COLUMNS}, history_type FROM catalogue_historicalrelation"  # noqa: S608
        f" WHERE history_date <= %(at)s AND {wanted} ORDER BY id, history_date DESC, history_id DESC"
    )
    return f"SELECT {_COLUMNS} FROM ({newest}) known WHERE history_type <> '-' AND {holds}"  # noqa: S608


class Needs(Func):
    """As a condition of a row: whether its service needs another one at `at` over a relation of these kinds (none: of any), as was known
    then with `known_then`. Where few `of_few` rows are asked, each looks at its own relations; else all are read once."""

    output_field = BooleanField()
    end = "consumer_id"

    def __init__(
        self, service: Any, *, at: dt.datetime, known_then: bool = False, kinds: Collection[str] = (), of_few: bool = False
    ) -> None:
        super().__init__(service)
        self.at, self.known_then, self.kinds, self.of_few = at, known_then, list(kinds), of_few

    def as_sql(self, compiler: Any, connection: Any, **more: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        service, params = compiler.compile(self.source_expressions[0])
        standing = standing_sql(self.known_then, "kind = ANY(%(kinds)s)" if self.kinds else "TRUE")
        values = {"at": self.at, "kinds": self.kinds}
        asked, standing = [values[name] for name in _NAMED.findall(standing)], _NAMED.sub("%s", standing)
        if self.of_few and not self.known_then:  # OFFSET keeps PostgreSQL from reading all relations first
            return f"EXISTS ({standing} AND {self.end} = {service} OFFSET 0)", [*asked, *params]
        return f"({service} IN (SELECT {self.end} FROM ({standing}) standing))", [*params, *asked]  # noqa: S608


class Needed(Needs):
    """The same of the other end: whether another one needs its service."""

    end = "provider_id"


class Knot(NamedTuple):
    """Services that all need one another: every one of them, and one shortest way round among them."""

    members: list[Any]
    way: list[Any]


def circles(pairs: Iterable[tuple[Key, Key]]) -> list[Knot]:
    """Of (consumer, provider) pairs, every knot of services that all need one another; largest first."""
    needs: dict[Key, list[Key]] = {}
    for consumer, provider in pairs:
        needs.setdefault(consumer, []).append(provider)
    knots = [knot for knot in _knots(needs) if len(knot) > 1]
    return [
        Knot(sorted(knot, key=str), _way_round(min(knot, key=str), knot, needs))
        for knot in sorted(knots, key=lambda knot: (-len(knot), min(map(str, knot))))
    ]


def _knots(needs: dict[Key, list[Key]]) -> list[set[Key]]:
    """Strongly connected parts (Tarjan), without recursion: chains may be long."""
    number: dict[Key, int] = {}
    low: dict[Key, int] = {}
    stack: list[Key] = []
    on_stack: set[Key] = set()
    found: list[set[Key]] = []
    for root in list(needs):
        if root in number:
            continue
        work = [(root, iter(needs[root]))]
        _enter(root, number, low, stack, on_stack)
        while work:
            here, rest = work[-1]
            for there in rest:
                if there not in number:
                    _enter(there, number, low, stack, on_stack)
                    work.append((there, iter(needs.get(there, ()))))
                    break
                if there in on_stack:
                    low[here] = min(low[here], number[there])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[here])
                if low[here] == number[here]:
                    found.append(_leave(here, stack, on_stack))
    return found


def _enter(key: Key, number: dict[Key, int], low: dict[Key, int], stack: list[Key], on_stack: set[Key]) -> None:
    number[key] = low[key] = len(number)
    stack.append(key)
    on_stack.add(key)


def _leave(key: Key, stack: list[Key], on_stack: set[Key]) -> set[Key]:
    knot: set[Key] = set()
    while key not in knot:
        knot.add(stack.pop())
    on_stack -= knot
    return knot


def _way_round(start: Key, knot: set[Key], needs: dict[Key, list[Key]]) -> list[Key]:
    came: dict[Key, Key] = {}
    waiting = deque([start])
    while waiting:
        here = waiting.popleft()
        for there in needs.get(here, ()):
            if there == start:
                way = [here]
                while way[-1] != start:
                    way.append(came[way[-1]])
                return [*reversed(way), start]
            if there in knot and there not in came:
                came[there] = here
                waiting.append(there)
    return [start]
