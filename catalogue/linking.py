"""Which configuration item belongs to which entry: what speaks for it, and what people decide."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from django.db import transaction

from catalogue.duties import NotAllowed
from catalogue.models import ConfigurationItem, ItemLink, Service
from itsm_backup.common.models import because


class Proposal(NamedTuple):
    """An item that nobody has linked yet, the entry that it seems to belong to, and why."""

    item: ConfigurationItem
    service: Service
    because: str


def check(user: Any) -> None:
    """Raises NotAllowed unless the person may say which item belongs to which entry."""
    if not user.has_perm("catalogue.change_itemlink"):
        raise NotAllowed("You may read what the CMDB says, but not link it. Stewards and monitoring administrators do.")


def link(*, item: ConfigurationItem, service: Service, by: Any, at: dt.datetime, reason: str) -> ItemLink:
    """The item belongs to this entry from now on, in place of the one before. Raises NotAllowed."""
    check(by)
    with transaction.atomic(), because(reason, by=by):
        held = ItemLink.objects.select_for_update().filter(item=item).first() or ItemLink(item=item)
        if held.pk and held.service_id == service.pk:
            return held
        held.service, held.made_at = service, at
        held.save()
    return held


def unlink(*, row: ItemLink, by: Any, at: dt.datetime, reason: str) -> None:
    """The item belongs to no entry any more. Raises NotAllowed."""
    check(by)
    with transaction.atomic(), because(reason, by=by):
        row.delete()


def proposals(*, services: Iterable[Service], targets: Mapping[str, set[int]], most: int) -> list[Proposal]:
    """Items without an entry that say themselves which one they belong to, or that bear the name of what its jobs protect.

    `targets` are names of what jobs protect, in lower case, with the ids of the entries. An item that two entries claim is left out.
    """
    known = {service.pk: service for service in services}
    by_code = {service.code.casefold(): service for service in known.values()}
    free = ConfigurationItem.objects.there().filter(link=None).select_related("cmdb")
    found = []
    for item in free.iterator(chunk_size=2_000):
        code = str(item.fields.get("entry") or "").casefold()
        claimed = targets.get(item.name.casefold(), set()) or targets.get(item.name.partition(".")[0].casefold(), set())
        if code in by_code:
            found.append(Proposal(item, by_code[code], f"{item.cmdb} says that it belongs to {by_code[code].code}."))
        elif len(claimed) == 1 and (service := known.get(next(iter(claimed)))):
            found.append(Proposal(item, service, f"A backup job of {service.code} names it as what it protects."))
        if len(found) >= most:
            break
    return found
