"""Relations that the jobs themselves tell of: two services in one repository, or a repository that bears an entry's name."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import NamedTuple

from catalogue.models import Relation, Service, ServiceVersion
from catalogue.seeing import Sighting, keep_seen
from monitoring.models import BackupJob

STORES_TO = Relation.Kind.STORES_TO


class _Place(NamedTuple):
    """A repository: an address means the same to every tool (tool 0), a bare name such as repo1 only to the tool that says it."""

    tool: int
    name: str


def see_relations(*, at: dt.datetime) -> int:
    """Bring the suggestions in line with the jobs of today; returns how many came or went. What people answered stays."""
    return keep_seen(kinds=[STORES_TO], sightings=_sightings(at), at=at)


def _sightings(at: dt.datetime) -> Iterator[Sighting]:
    users: dict[_Place, dict[int, str]] = {}  # repository → service → the name of one of its jobs
    repositories: dict[int, set[_Place]] = {}
    jobs = BackupJob.objects.filter(service__isnull=False).exclude(repository_name=None).exclude(repository_name="")
    for name, told, tool, service in jobs.order_by("name").values_list("name", "repository_name", "tool_id", "service_id"):
        if told and service:
            place = _Place(0 if "/" in told else tool, told)
            users.setdefault(place, {}).setdefault(service, name)
            repositories.setdefault(service, set()).add(place)
    named = _entries_by_name(at)
    stores = _stores(repositories)
    codes = dict(Service.objects.filter(pk__in={pk for found in users.values() for pk in found}).values_list("pk", "code"))
    for (_, repository), services in sorted(users.items()):
        store = named.get(repository.casefold()) or named.get(repository.rstrip("/").rpartition("/")[2].casefold())
        neighbour = next((pk for pk in services if len(repositories[pk]) == 1 and len(stores.get(pk, ())) == 1), None)
        for service, job in services.items():
            if store is not None and store != service:
                yield Sighting(service, store, STORES_TO, f"Its job {job} writes to {repository}, which bears the name of that entry.")
            elif neighbour is not None and neighbour != service and stores[neighbour][0] != service:
                told = f"Its job {job} writes to {repository}, as do those of {codes[neighbour]}, which stores to that entry."
                yield Sighting(service, stores[neighbour][0], STORES_TO, told)


def _entries_by_name(at: dt.datetime) -> dict[str, int]:
    """Entries by code, name and short name; a name that two entries bear names none."""
    found: dict[str, set[int]] = {}
    for version in ServiceVersion.objects.in_force(at).select_related("service"):
        for name in (version.service.code, version.name, version.short_name):
            found.setdefault(name.casefold(), set()).add(version.service_id)
    return {name: next(iter(services)) for name, services in found.items() if len(services) == 1}


def _stores(repositories: dict[int, set[_Place]]) -> dict[int, list[int]]:
    """What the services that have jobs store to, by relations that stand without end."""
    found: dict[int, list[int]] = {}
    rows = Relation.objects.filter(consumer__in=repositories, kind=STORES_TO, valid_until=None).order_by("provider")
    for consumer, provider in rows.values_list("consumer", "provider"):
        found.setdefault(consumer, []).append(provider)
    return found
