"""How CMDBs say that entries hang together, beside the catalogue's relations: what both say, what one lacks, and what is proposed."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection
from typing import Any, NamedTuple

from django.db.models import F, Q

from catalogue.models import ItemLink, ItemRelation, Relation, Service
from catalogue.seeing import Sighting, keep_seen

DEPENDS_ON, HOSTED_ON, PART_OF = Relation.Kind.DEPENDS_ON, Relation.Kind.HOSTED_ON, Relation.Kind.PART_OF
KINDS = (DEPENDS_ON, HOSTED_ON, PART_OF)
# a CMDB's word from the item that tells it → (kind, whether the other one is the consumer)
MEANINGS = {
    "runs on": (HOSTED_ON, False), "runs in": (HOSTED_ON, False), "hosted on": (HOSTED_ON, False), "virtualized by": (HOSTED_ON, False),
    "hosts": (HOSTED_ON, True), "runs": (HOSTED_ON, True), "virtualizes": (HOSTED_ON, True),
    "is in": (PART_OF, False), "is part of": (PART_OF, False), "contained by": (PART_OF, False), "member of": (PART_OF, False),
    "contains": (PART_OF, True), "members": (PART_OF, True),
    "depends on": (DEPENDS_ON, False), "uses": (DEPENDS_ON, False), "receives data from": (DEPENDS_ON, False),
    "impacts": (DEPENDS_ON, True), "used by": (DEPENDS_ON, True),
}  # fmt: skip


class Told(NamedTuple):
    """One relation between the items of two entries. `kind` is None where the CMDB's word has no meaning here."""

    consumer_id: int
    provider_id: int
    kind: str | None
    words: str


class Beside(NamedTuple):
    """What both sides say of one other entry, from the consumer to the provider. `agrees` when both know a relation that way."""

    consumer: Service
    provider: Service
    catalogue: tuple[str, ...]
    cmdb: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        return bool(self.catalogue and self.cmdb)


def told(services: Collection[int] | None = None) -> list[Told]:
    """Relations between items of different entries, of these entries or of all."""
    rows = ItemRelation.objects.filter(item__gone_at=None, other__gone_at=None, item__link__isnull=False, other__link__isnull=False)
    rows = rows.exclude(item__link__service=F("other__link__service"))
    if services is not None:
        rows = rows.filter(Q(item__link__service__in=services) | Q(other__link__service__in=services))
    found = []
    for row in rows.select_related("item__cmdb", "item__link", "other__link").order_by("pk"):
        kind, turned = MEANINGS.get(row.kind.casefold(), (None, False))
        ends = (row.item.link.service_id, row.other.link.service_id)
        consumer, provider = reversed(ends) if turned else ends
        found.append(Told(consumer, provider, kind, f"{row.item.cmdb} says that {row.item} {row.kind} {row.other}"))
    return found


def beside(*, service: Service, at: dt.datetime) -> list[Beside]:
    """Every other entry with which this one hangs together, as the catalogue or a CMDB says.

    A relation of the catalogue that no CMDB could know, because one end has no item, is left out; so is one that supersedes.
    """
    cmdb: dict[tuple[int, int], list[str]] = defaultdict(list)
    for one in told([service.pk]):
        cmdb[one.consumer_id, one.provider_id].append(one.words)
    ours: dict[tuple[int, int], list[str]] = defaultdict(list)
    for relation in _standing(service, at):
        ours[relation.consumer_id, relation.provider_id].append(relation.get_kind_display())
    pairs = cmdb.keys() | ours.keys()
    linked = set(
        ItemLink.objects.filter(item__gone_at=None, service__in={pk for pair in pairs for pk in pair}).values_list("service", flat=True)
    )
    known = Service.objects.in_bulk({pk for pair in pairs for pk in pair})
    found = [
        Beside(known[pair[0]], known[pair[1]], tuple(dict.fromkeys(ours[pair])), tuple(dict.fromkeys(cmdb[pair])))
        for pair in pairs
        if set(pair) <= linked
    ]
    return sorted(found, key=lambda one: (one.agrees, one.consumer.code, one.provider.code))


def _standing(service: Service, at: dt.datetime) -> Any:
    rows = Relation.objects.standing(at).filter(Q(consumer=service) | Q(provider=service))
    return rows.exclude(kind=Relation.Kind.SUPERSEDES).order_by("kind")


def see_relations(*, at: dt.datetime) -> int:
    """Propose the relations that CMDBs know and the catalogue lacks in any kind; returns how many proposals came or went."""
    stand = set(Relation.objects.standing(at).exclude(kind=Relation.Kind.SUPERSEDES).values_list("consumer", "provider", "kind"))
    joined = {(consumer, provider) for consumer, provider, _ in stand}
    sightings = [
        Sighting(one.consumer_id, one.provider_id, one.kind, f"{one.words}.")
        for one in told()
        if one.kind and ((one.consumer_id, one.provider_id) not in joined or (one.consumer_id, one.provider_id, one.kind) in stand)
    ]
    return keep_seen(kinds=KINDS, sightings=sightings, at=at)
