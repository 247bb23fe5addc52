"""Items of the CMDB that belong to no entry yet: those that something speaks for, with the entry, first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from catalogue import linking
from catalogue.models import ConfigurationItem, Service
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.words import many
from monitoring.models import BackupJob

MOST = 100


@dataclass(frozen=True, kw_only=True)
class ProposalRow:
    item: int
    name: str
    kind: str
    code: str
    because: str


@dataclass(frozen=True, kw_only=True)
class FreeRow:
    item: int
    name: str
    kind: str
    state: str


@dataclass(frozen=True, kw_only=True)
class LinkingPage:
    sentence: str
    proposals: tuple[ProposalRow, ...]
    free: tuple[FreeRow, ...]
    more: int
    may_link: bool
    text: str
    problems: tuple[str, ...] = ()


def linking_page(*, user: Any, moment: Moment, text: str, problems: tuple[str, ...] = ()) -> LinkingPage:
    """Proposals, and the first items that nothing speaks for; `text` narrows the latter by name."""
    free = ConfigurationItem.objects.there().visible_to(user).filter(link=None, retired=False).select_related("cmdb")
    total = free.count()
    named = free.filter(name__icontains=text) if text else free
    rows = named.order_by("name", "pk")[: MOST + 1]
    found = linking.proposals(services=Service.objects.listed().visible_to(user), targets=targets(user), most=MOST)
    visible = set(free.filter(pk__in=[one.item.pk for one in found]).values_list("pk", flat=True))
    return LinkingPage(
        sentence=f"{many(total, 'item')} of the CMDB {'belongs' if total == 1 else 'belong'} to no entry yet."
        if total else "Every item of the CMDB belongs to an entry.",
        proposals=tuple(
            ProposalRow(item=one.item.pk, name=one.item.name, kind=one.item.table, code=one.service.code, because=one.because)
            for one in found if one.item.pk in visible
        ),
        free=tuple(FreeRow(item=one.pk, name=one.name, kind=f"{one.table} in {one.cmdb}", state=one.state) for one in rows[:MOST]),
        more=max(0, len(rows) - MOST), text=text, problems=problems,
        may_link=not moment.past and user.has_perm("catalogue.change_itemlink"),
    )  # fmt: skip


def targets(user: Any) -> dict[str, set[int]]:
    """What jobs of visible entries protect, by name in lower case, with the ids of the entries."""
    found: dict[str, set[int]] = {}
    jobs = BackupJob.objects.filter(service__in=Service.objects.listed().visible_to(user)).exclude(target_name=None)
    for name, service in jobs.values_list("target_name", "service_id").distinct():
        found.setdefault(name.casefold(), set()).add(service)
    return found
