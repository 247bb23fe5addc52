"""Find anything one may see: services, incidents and what belongs to them, jobs and tools."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from itsm_backup.common.time import is_tellable
from itsm_backup.portal import searching_records
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.standing import standings, worst_first
from itsm_backup.portal.words import VERDICTS, day, many, zone
from monitoring.models import BackupJob, Tool
from monitoring.naming import is_told_all, tells_of

MOST = 10


@dataclass(frozen=True)
class Hit:
    link: Link
    note: str
    also: Link | None = None


@dataclass(frozen=True, kw_only=True)
class HitGroup:
    name: str
    found: tuple[Hit, ...]
    more: Link | None = None


@dataclass(frozen=True, kw_only=True)
class SearchPage:
    sentence: str
    groups: tuple[HitGroup, ...]


def search_page(*, user: Any, moment: Moment, query: str) -> SearchPage:
    """Hits by kind, at most ten each; an empty query finds nothing."""
    query = query.strip().replace("\x00", "")[:100]
    if not query:
        return SearchPage(sentence="What are you looking for?", groups=())
    groups = tuple(
        group
        for group in (
            _days(query, moment),
            _services(query, user, moment),
            *_records(query, user, moment),
            _jobs(query, user, moment),
        )
        if group.found
    )
    count = sum(len(group.found) for group in groups)
    return SearchPage(sentence=f"{many(count, 'hit')} for “{query}”." if count else f"Nothing found for “{query}”.", groups=groups)


def _records(query: str, user: Any, moment: Moment) -> tuple[HitGroup, ...]:
    found = searching_records.records(query, user, moment)
    names = [searching_records.RETIRED, *(kind.name for kind in searching_records.KINDS.values())]
    return tuple(HitGroup(name=name, found=tuple(Hit(link, note) for link, note in found[name])) for name in names)


def _days(query: str, moment: Moment) -> HitGroup:
    """A day, written as 2026-07-13, leads to the calendar that ends with it."""
    try:
        on = dt.date.fromisoformat(query)
    except ValueError:
        return HitGroup(name="Days", found=())
    if not is_tellable(on) or on > moment.at.astimezone(zone()).date():
        return HitGroup(name="Days", found=())
    link = Link(f"{on:%A} {day(on)}", moment.href("calendar", ending=on.isoformat()))
    return HitGroup(name="Days", found=(Hit(link, "the calendar that ends with it"),))


def _services(query: str, user: Any, moment: Moment) -> HitGroup:
    words = Q(name__icontains=query) | Q(short_name__icontains=query) | Q(service__code__icontains=query) | Q(department__icontains=query)
    rows = list(worst_first(standings(user, moment).filter(words | Q(labels__icontains=query)))[: MOST + 1])
    hits = tuple(
        Hit(
            Link(row.name, moment.href("service", row.service.code)),
            f"{row.service.code}, tier {row.tier}, {VERDICTS[row.verdict].lower()}",
            Link("Calendar", moment.href("service_calendar", row.service.code)),
        )
        for row in rows[:MOST]
    )
    more = Link("All services that match", moment.href("services", text=query)) if len(rows) > MOST else None
    return HitGroup(name="Services", found=hits, more=more)


def _jobs(query: str, user: Any, moment: Moment) -> HitGroup:
    """Jobs by name, host or repository, and tools through their jobs; a hit leads to the service that the job protects."""
    tools = Tool.objects.visible_to(user).filter(Q(name__icontains=query) | Q(label__icontains=query))
    words = Q(name__icontains=query) | Q(target_name__icontains=query) | Q(repository_name__icontains=query) | Q(tool__in=tools)
    rows = BackupJob.objects.visible_to(user).filter(words, service__isnull=False).select_related("service", "tool").order_by("name")
    jobs = (rows if is_told_all(user) else rows.filter(tells_of(user, "service")))[:MOST]  # others read neither its name nor its tool
    return HitGroup(
        name="Jobs and tools",
        found=tuple(
            Hit(Link(job.name, moment.href("service", job.service.code)), f"of {job.tool}, protects {job.service.code}") for job in jobs
        ),
    )
