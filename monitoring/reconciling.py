"""Catalogue, CMDB and monitoring are compared, field by field; what differs is kept, and told to the CMDB where we may."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import F

from catalogue.agreed_fields import CATALOGUE, CMDB, FIELDS, MONITORING, same
from catalogue.duties import NotAllowed
from catalogue.models import ConfigurationItem, Service
from catalogue.models.configuration import masters
from monitoring import writing_back
from monitoring.models import Agreement, Comparison
from monitoring.sides import Sides, sides_of

EVERY = dt.timedelta(minutes=15)
AT_ONCE = 100
ABSENT = object()


def compare_due(*, at: dt.datetime) -> int:
    """Compare the entries that are due; returns how many were compared."""
    _begin(at)
    Agreement.objects.filter(service__status__since__gt=F("compared_at"), due_at__gt=at).update(due_at=at)
    with transaction.atomic():
        due = Agreement.objects.filter(due_at__lte=at).select_for_update(skip_locked=True).order_by("due_at")[:AT_ONCE]
        services = Service.objects.in_bulk([row.service_id for row in due])
        compare(services=list(services.values()), at=at)
    return len(services)


def _begin(at: dt.datetime) -> None:
    """Entries that belong to the catalogue, or still have an item, are compared; nothing is where no CMDB was ever read."""
    if not ConfigurationItem.objects.exists():
        return
    fresh = Service.objects.filter(agreement=None).exclude(lifecycle=Service.Lifecycle.PIPELINE)
    Agreement.objects.bulk_create([Agreement(service=service, due_at=at) for service in fresh], ignore_conflicts=True)


def compare(*, services: Sequence[Service], at: dt.datetime) -> None:
    """Compare these entries now; keeps a comparison where something changed, and hands on what a CMDB has to be told."""
    who = masters()
    states = {row.service_id: row for row in Agreement.objects.filter(service__in=services).select_related("comparison")}
    found = sides_of(services, at=at)
    for sides in found:
        rows = rows_of(sides, who)
        state = states[sides.service.pk]
        if state.comparison is None or state.comparison.rows != rows:
            differing = sum(row["agrees"] is False for row in rows)
            state.comparison = Comparison.objects.create(service=sides.service, at=at, rows=rows, differing=differing)
            state.differing = differing
        state.compared_at, state.due_at = at, at + EVERY
    Agreement.objects.bulk_update(states.values(), ["comparison", "differing", "compared_at", "due_at"])
    writing_back.plan(found, who, at=at)


def again(*, services: Any, by: Any, at: dt.datetime) -> int:
    """Have these entries compared within seconds; returns how many. Raises NotAllowed for who may not change what they say."""
    if not by.has_perm("catalogue.change_itemlink"):
        raise NotAllowed("You may read the comparison, but not ask for a new one. Stewards and monitoring administrators do.")
    _begin(at)
    return touch(service_ids=services.values("pk"), at=at)


def begin(*, services: Sequence[Service], at: dt.datetime) -> None:
    """What belongs to these entries changed: they are compared next."""
    Agreement.objects.bulk_create([Agreement(service=service, due_at=at) for service in set(services)], ignore_conflicts=True)
    touch(service_ids=[service.pk for service in services], at=at)


def touch(*, service_ids: Any, at: dt.datetime) -> int:
    """What these entries say changed somewhere: they are compared next."""
    return Agreement.objects.filter(service__in=service_ids, due_at__gt=at).update(due_at=at)


def rows_of(sides: Sides, who: Mapping[str, str]) -> list[dict[str, Any]]:
    """A row for each field that at least one side keeps."""
    found = []
    for field in FIELDS:
        cmdb = sides.cmdb(field)
        said = {CATALOGUE: sides.catalogue.get(field, ABSENT), MONITORING: sides.monitoring.get(field, ABSENT)}
        if not cmdb and all(value is ABSENT for value in said.values()):
            continue
        odd = odd_ones(field, {**said, **dict(cmdb.items())}, who[field])
        row: dict[str, Any] = {"field": field, "master": who[field]}
        row |= {side: None if value is ABSENT else value for side, value in said.items()}
        row["keeps"] = [side for side, value in said.items() if value is not ABSENT] + ([CMDB] if cmdb else [])
        row[CMDB] = {str(pk): value for pk, value in cmdb.items()}
        row["odd"] = [str(one) for one in odd]
        row["agrees"] = None if len(row["keeps"]) + max(0, len(cmdb) - 1) < 2 else not odd
        found.append(row)
    return found


def odd_ones(field: str, said: Mapping[Any, Any], master: str) -> list[Any]:
    """The sides, and items of the CMDB, that say something else than the master; without its word, than the first that says anything.

    An item that says nothing differs where the others say something: the column is there and empty.
    """
    kept = {side: value for side, value in said.items() if value is not ABSENT}
    own = [side for side in kept if (side not in (CATALOGUE, MONITORING) if master == CMDB else side == master)]
    right = next((kept[side] for side in own if kept[side] is not None), ABSENT)
    if right is ABSENT:
        right = next((value for value in kept.values() if value is not None), None)
    return [side for side, value in kept.items() if not same(field, value, right)]
