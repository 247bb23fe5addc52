"""Who is hurt when something fails, and what it needs itself: impact travels from provider to consumer, over hard relations (BM-TIER).

A stop travels on through all that stop; where only the backup of a consumer stops (`weave.ONLY_BACKUP`), it ends there. The effective
tier says how much weighs on a service: it travels over both, because a lost backup weighs as much as what it was made for.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Hashable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

from django.db import connection
from django.db.models import Func, SmallIntegerField

from catalogue.models import ServiceVersion
from catalogue.weave import BACKUP_STOPS, CARRIES_STOP, STOPS, STOPS_BACKUP, letter_of, standing_sql

Key = TypeVar("Key", bound=Hashable)
STRICTEST_TIER = 1
ENDS = {True: ("provider_id", "consumer_id"), False: ("consumer_id", "provider_id")}  # upwards: from provider to consumer

# UNION drops a service that was met before: each is walked from once, so cycles end and dense graphs stay cheap.
_WALK = """
WITH RECURSIVE standing AS {materialized} ({standing}), reached AS (
    SELECT unnest(%(ids)s::bigint[]) AS id
  UNION
    SELECT r.{far} FROM reached JOIN standing r ON r.{near} = reached.id AND r.{strengths}
)
SELECT r.provider_id, r.consumer_id, r.kind, r.strength, r.id FROM reached JOIN standing r ON r.{near} = reached.id AND r.{strengths}
ORDER BY r.provider_id, r.consumer_id, r.kind, r.id
"""

# A level takes all that stop with the one before it and were not met yet, each through the provider with the smallest id. What does
# not stop itself loses its backup with the nearest that does.
_LEVELS = """
WITH RECURSIVE standing AS NOT MATERIALIZED ({standing}), level AS (
    SELECT 0 AS depth, %(ids)s::bigint[] AS ids, NULL::bigint[] AS via, %(ids)s::bigint[] AS met
  UNION ALL
    SELECT level.depth + 1, found.ids, found.via, level.met || found.ids FROM level, LATERAL (
        SELECT array_agg(consumer_id ORDER BY consumer_id) AS ids, array_agg(provider_id ORDER BY consumer_id) AS via FROM (
            SELECT consumer_id, min(provider_id) AS provider_id FROM standing
            WHERE provider_id = ANY(level.ids) AND {carries_stop} AND consumer_id NOT IN (SELECT unnest(level.met))
            GROUP BY consumer_id
        ) next_level
    ) found
    WHERE found.ids IS NOT NULL
), stopped AS (
    SELECT depth, unnest(ids) AS id FROM level
), left_without AS (
    SELECT DISTINCT ON (r.consumer_id) stopped.depth + 1 AS depth, r.consumer_id, r.provider_id
    FROM stopped JOIN (SELECT * FROM standing WHERE {stops_backup}) r ON r.provider_id = stopped.id
    WHERE r.consumer_id NOT IN (SELECT id FROM stopped)
    ORDER BY r.consumer_id, stopped.depth, r.provider_id
)
SELECT depth, FALSE, ids, via FROM level WHERE depth > 0
UNION ALL
SELECT depth, TRUE, array_agg(consumer_id ORDER BY consumer_id), array_agg(provider_id ORDER BY consumer_id)
FROM left_without GROUP BY depth
ORDER BY 1, 2
"""


# Of one service, as a column of another question: level by level, and no further once the strictest tier that there is was met.
_STRICTEST = f"""(
WITH RECURSIVE standing AS {{materialized}} ({{standing}}), level AS (
    SELECT ARRAY[asked.id] AS ids, ARRAY[asked.id] AS met, (
        SELECT min(v.tier) FROM catalogue_serviceversion v
        WHERE v.service_id = asked.id AND v.state = 'approved' AND v.effective @> %(at)s::timestamptz
    ) AS tier FROM (SELECT {{service}} AS id) asked
  UNION ALL
    SELECT found.ids, level.met || found.ids, least(level.tier, found.tier) FROM level, LATERAL (
        SELECT array_agg(hung.id) AS ids, min(v.tier) AS tier FROM (
            SELECT DISTINCT consumer_id AS id FROM standing
            WHERE provider_id = ANY(level.ids) AND strength = 'hard' AND consumer_id NOT IN (SELECT unnest(level.met))
        ) hung LEFT JOIN catalogue_serviceversion v
            ON v.service_id = hung.id AND v.state = 'approved' AND v.effective @> %(at)s::timestamptz
    ) found
    WHERE found.ids IS NOT NULL AND level.tier IS DISTINCT FROM {STRICTEST_TIER}
)
SELECT min(tier) FROM level)"""  # noqa: S608 - our own words


class EffectiveTier(Func):
    """As a column: the strictest tier among the service of a row and all that hangs on it (BM-TIER), by the versions in force at `at`.

    For questions of one row or few: every row walks by itself. Many are asked of `effective_tiers` at once.
    """

    output_field = SmallIntegerField()

    def __init__(self, service: Any, *, at: dt.datetime, known_then: bool = False) -> None:
        super().__init__(service)
        self.at, self.known_then = at, known_then

    def as_sql(self, compiler: Any, connection: Any, **more: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        service, params = compiler.compile(self.source_expressions[0])
        walk = _STRICTEST.format(
            standing=standing_sql(self.known_then), materialized="MATERIALIZED" if self.known_then else "NOT MATERIALIZED", service=service
        )
        before, after = (part.count("%(at)s") for part in walk.split(f"SELECT {service} AS id", 1))
        return walk.replace("%(at)s", "%s"), [*[self.at] * before, *params, *[self.at] * after]


class Consumer(NamedTuple):
    """A service that stops when one of the asked ones stops, or of which only the backup does: through which provider, and how many steps
    away (1 = directly)."""

    service_id: int
    via_id: int
    depth: int
    only_backup: bool = False


class Walked(NamedTuple):
    """One relation that a closure passes over."""

    provider_id: int
    consumer_id: int
    kind: str
    strength: str
    id: int

    @property
    def letter(self) -> str:
        """What happens to the consumer when the provider stops."""
        return letter_of(self.kind, self.strength)


def closure(service_ids: Iterable[int], *, up: bool, at: dt.datetime, hard_only: bool = True, known_then: bool = False) -> list[Walked]:
    """Every relation on any way from these services: upwards to all that need them, or downwards to all that they need.

    With `known_then` only what was known at `at` counts. One query, each relation once, whatever circles there are.
    """
    near, far = ENDS[up]
    query = _WALK.format(
        standing=standing_sql(known_then),
        materialized="MATERIALIZED" if known_then else "NOT MATERIALIZED",
        near=near,
        far=far,
        strengths="strength = 'hard'" if hard_only else "strength IS NOT NULL",
    )
    with connection.cursor() as cursor:
        cursor.execute(query, {"ids": sorted(set(service_ids)), "at": at})
        return list(map(Walked._make, cursor.fetchall()))


def around(service_ids: Iterable[int], *, at: dt.datetime) -> set[Walked]:
    """Every hard relation on any way from these services, upwards and downwards; one query."""
    walks = [
        _WALK.format(standing=standing_sql(False), materialized="NOT MATERIALIZED", near=near, far=far, strengths="strength = 'hard'")
        for near, far in ENDS.values()
    ]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(f"({walk})" for walk in walks), {"ids": sorted(set(service_ids)), "at": at})
        return set(map(Walked._make, cursor.fetchall()))


def nearest_first(service_ids: Iterable[int], relations: Iterable[Walked], *, up: bool = True) -> list[Consumer]:
    """Everything that these relations reach from the services, each once by its shortest way; without the services themselves."""
    asked = sorted(set(service_ids))
    beyond: dict[int, list[int]] = {}
    for relation in relations:
        ends = (relation.provider_id, relation.consumer_id)
        near, far = ends if up else ends[::-1]
        beyond.setdefault(near, []).append(far)
    met, found, waiting = set(asked), [], deque((service_id, 0) for service_id in asked)
    while waiting:
        service_id, depth = waiting.popleft()
        for reached in beyond.get(service_id, ()):
            if reached not in met:
                met.add(reached)
                found.append(Consumer(reached, service_id, depth + 1))
                waiting.append((reached, depth + 1))
    return found


def hit(service_ids: Iterable[int], relations: Iterable[Walked]) -> list[Consumer]:
    """Of these relations: what stops with the services and of what only the backup stops, nearest first, each once by its shortest way."""
    relations = list(relations)
    stopped = nearest_first(service_ids, [one for one in relations if one.letter == STOPS])
    depths = dict.fromkeys(service_ids, 0) | {one.service_id: one.depth for one in stopped}
    nearest: dict[int, tuple[int, int]] = {}
    for one in relations:
        if one.letter == BACKUP_STOPS and one.provider_id in depths and one.consumer_id not in depths:
            way = (depths[one.provider_id] + 1, one.provider_id)
            nearest[one.consumer_id] = min(way, nearest.get(one.consumer_id, way))
    without = [Consumer(pk, via, depth, only_backup=True) for pk, (depth, via) in nearest.items()]
    return sorted([*stopped, *without], key=lambda one: (one.depth, one.only_backup))


def needed(service_ids: Iterable[int], relations: Iterable[Walked]) -> list[Consumer]:
    """The other way: with what the services stop, and with what only their backup does."""
    relations = list(relations)
    stopping = [one for one in relations if one.letter == STOPS]
    with_it = nearest_first(service_ids, stopping, up=False)
    known = {*service_ids, *(one.service_id for one in with_it)}
    asked = set(service_ids)
    seeds = {one.provider_id: one.consumer_id for one in relations if one.letter == BACKUP_STOPS and one.consumer_id in asked}
    behind = [Consumer(pk, via, 1, only_backup=True) for pk, via in seeds.items()]
    behind += [one._replace(depth=one.depth + 1, only_backup=True) for one in nearest_first(seeds, stopping, up=False)]
    return sorted([*with_it, *(one for one in behind if one.service_id not in known)], key=lambda one: (one.depth, one.only_backup))


def consumers_of(service_ids: Iterable[int], *, at: dt.datetime) -> list[Consumer]:
    """Everything that stops with these services at `at`, and everything of which only the backup does, nearest first, each once by its
    shortest way; without the services themselves.

    One query, level by level: its cost grows with the services found, times the levels where they are very many.
    """
    with connection.cursor() as cursor:
        statement = _LEVELS.format(standing=standing_sql(False), carries_stop=CARRIES_STOP, stops_backup=STOPS_BACKUP)
        cursor.execute(statement, {"ids": sorted(set(service_ids)), "at": at})
        levels = cursor.fetchall()
    return [Consumer(one, via, depth, only) for depth, only, ids, vias in levels for one, via in zip(ids, vias, strict=True)]


def effective_tiers(service_ids: Iterable[int], *, at: dt.datetime, known_then: bool = False) -> dict[int, int]:
    """The strictest tier among each service and all that hangs on it, by the versions in force at `at`.

    A service without a version in force is absent, unless something that has one hangs on it.
    """
    asked = set(service_ids)
    relations = closure(asked, up=True, at=at, known_then=known_then)
    involved = asked.union(*(relation[:2] for relation in relations))
    tiers = dict(ServiceVersion.objects.in_force(at).filter(service__in=involved).values_list("service_id", "tier"))
    strictest = inherited_tiers(tiers, [(relation.consumer_id, relation.provider_id, "hard") for relation in relations])
    return {service_id: strictest[service_id] for service_id in asked if service_id in strictest}


def inherited_tiers(tiers: Mapping[Key, int], relations: Iterable[tuple[Key, Key, str]]) -> dict[Key, int]:
    """BM-TIER, pure: `relations` are (consumer, provider, strength); the strictest tier travels up every hard relation."""
    providers: dict[Key, list[Key]] = {}
    for consumer, provider, strength in relations:
        if strength == "hard":
            providers.setdefault(consumer, []).append(provider)
    inherited: dict[Key, int] = {}
    for service, tier in sorted(tiers.items(), key=lambda item: item[1]):
        waiting = [service]
        while waiting:  # the strictest comes first, so whoever has a tier already keeps it
            reached = waiting.pop()
            if reached not in inherited:
                inherited[reached] = tier
                waiting.extend(providers.get(reached, ()))
    return inherited
