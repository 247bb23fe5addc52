"""Who is hurt when something fails: impact travels from provider to consumer, over hard relations only (method BM-TIER)."""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Hashable, Iterable, Mapping
from typing import NamedTuple, TypeVar

from django.db import connection

from catalogue.models import ServiceVersion

Key = TypeVar("Key", bound=Hashable)

# UNION drops a relation that was met before: each is walked once, so cycles end and dense graphs stay cheap.
_HARD_RELATIONS_ABOVE = """
WITH RECURSIVE felt(provider_id, consumer_id) AS (
    SELECT provider_id, consumer_id FROM catalogue_relation WHERE strength = 'hard' AND provider_id = ANY(%s)
  UNION
    SELECT r.provider_id, r.consumer_id
    FROM felt JOIN catalogue_relation r ON r.provider_id = felt.consumer_id AND r.strength = 'hard'
)
SELECT provider_id, consumer_id FROM felt ORDER BY provider_id, consumer_id
"""


class Consumer(NamedTuple):
    """A service that stops when one of the asked ones stops: through which provider, and how many steps away (1 = directly)."""

    service_id: int
    via_id: int
    depth: int


def consumers_of(service_ids: Iterable[int]) -> list[Consumer]:
    """Everything that stops with these services, nearest first, each once by its shortest way; without the services themselves."""
    asked = sorted(set(service_ids))
    consumers: dict[int, list[int]] = {}
    for provider_id, consumer_id in _relations_above(asked):
        consumers.setdefault(provider_id, []).append(consumer_id)
    met, found, waiting = set(asked), [], deque((service_id, 0) for service_id in asked)
    while waiting:
        provider_id, depth = waiting.popleft()
        for consumer_id in consumers.get(provider_id, ()):
            if consumer_id not in met:
                met.add(consumer_id)
                found.append(Consumer(consumer_id, provider_id, depth + 1))
                waiting.append((consumer_id, depth + 1))
    return found


def effective_tiers(service_ids: Iterable[int], *, at: dt.datetime) -> dict[int, int]:
    """The strictest tier among each service and all that stops with it, by the versions in force at `at`.

    A service without a version in force is absent, unless something that has one depends on it.
    """
    asked = set(service_ids)
    relations = _relations_above(sorted(asked))
    involved = asked.union(*relations) if relations else asked
    tiers = dict(ServiceVersion.objects.in_force(at).filter(service__in=involved).values_list("service_id", "tier"))
    strictest = inherited_tiers(tiers, [(consumer, provider, "hard") for provider, consumer in relations])
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


def _relations_above(service_ids: list[int]) -> list[tuple[int, int]]:
    with connection.cursor() as cursor:
        cursor.execute(_HARD_RELATIONS_ABOVE, [service_ids])
        relations: list[tuple[int, int]] = cursor.fetchall()
        return relations
