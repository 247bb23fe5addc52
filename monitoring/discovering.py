"""Backup services that tools discover: repositories with the jobs that write to them, and jobs that name no repository."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Case, Count, Exists, F, Min, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce, Lower

from catalogue import scoping
from catalogue.models import ServiceVersion
from catalogue.scoping import Said
from monitoring.models import BackupJob, ScopeClaim

CLOUD = frozenset({"s3", "gs", "b2", "azure", "swift"})


@dataclass(frozen=True, kw_only=True)
class Thing:
    """A repository of a tool, or a job without one, as tools told of it."""

    job_id: int  # of the jobs that write there, the one known longest: it stands for the thing in addresses
    tool_id: int
    tool: str
    repository: str
    job: str  # the name of the job, where no repository is known
    since: dt.datetime
    jobs: int
    consumers: tuple[int, ...]

    @property
    def name(self) -> str:
        return self.repository or self.job


def unclaimed(jobs: QuerySet[BackupJob], at: dt.datetime) -> QuerySet[BackupJob]:
    """Jobs known at `at` that belong to no backup service of the register: neither they nor their repository."""
    claims: Any = ScopeClaim.objects.standing(at)
    alone = Exists(claims.filter(job=OuterRef("pk")))
    together = Exists(claims.filter(tool=OuterRef("tool"), repository_name=OuterRef("repository_name"), job=None))
    return jobs.filter(~alone, ~together, first_seen_at__lte=at)


def things(jobs: QuerySet[BackupJob], at: dt.datetime) -> Any:
    """These jobs as things, each a dict; `thing_of` makes a Thing of one. Ordered by tool, repository and age."""
    used = Q(service__isnull=False) & Q(attributed_at__lte=at)
    return (
        jobs.annotate(repository=Coalesce("repository_name", Value("")))
        .annotate(alone=Case(When(repository="", then=F("pk")), default=Value(0)))
        .values("tool", "tool__name", "tool__label", "repository", "alone")
        .annotate(
            first=Min("pk"), since=Min("first_seen_at"), jobs=Count("pk"), job_name=Min("name"),
            consumers=ArrayAgg("service", distinct=True, filter=used, default=Value([])),
        )
        .order_by("tool__name", "repository", "first")
    )  # fmt: skip


def thing_of(row: Mapping[str, Any]) -> Thing:
    return Thing(
        job_id=row["first"], tool_id=row["tool"], tool=row["tool__label"] or row["tool__name"], repository=row["repository"],
        job="" if row["repository"] else row["job_name"], since=row["since"], jobs=row["jobs"], consumers=tuple(row["consumers"]),
    )  # fmt: skip


def thing_at(jobs: QuerySet[BackupJob], job_id: int, at: dt.datetime) -> Thing | None:
    """The thing to which this job belongs, if it is among these jobs."""
    job = jobs.filter(pk=job_id).first()
    if job is None:
        return None
    same = jobs.filter(tool=job.tool_id, repository_name=job.repository_name) if job.repository_name else jobs.filter(pk=job.pk)
    return next((thing_of(row) for row in things(same, at)), None)


def evidence_of(found: Collection[Thing], at: dt.datetime) -> dict[int, dict[str, Said]]:
    """What is known of each thing, question by question; three queries for all of them."""
    versions = versions_of({pk for thing in found for pk in thing.consumers}, at)
    named = _bearing_names([thing.name for thing in found], at)
    return {
        thing.job_id: scoping.evidence(
            consumers=[versions[pk] for pk in thing.consumers if pk in versions], bears_name=named.get(_last(thing.name))
        )
        for thing in found
    }


def versions_of(services: Collection[int], at: dt.datetime) -> dict[int, ServiceVersion]:
    """Service → its version in force, as far as evidence and lists tell of it: many services may use one repository."""
    rows = ServiceVersion.objects.in_force(at).only("service", "name", "labels", "regulations") if services else ()
    return {row.service_id: row for row in rows.filter(service__in=services)} if services else {}


def hosting_of(name: str) -> str:
    """Where a store of this address lies, as far as the address tells."""
    return "cloud" if name.partition(":")[0] in CLOUD else "on_premises"


def _last(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2].casefold()


def _bearing_names(names: Iterable[str], at: dt.datetime) -> dict[str, ServiceVersion]:
    """Entries that bear the last part of a repository's name; a name that two entries bear names none."""
    wanted = {_last(name) for name in names} - {""}
    if not wanted:
        return {}
    rows = ServiceVersion.objects.in_force(at).annotate(lower=Lower("name"), lower_short=Lower("short_name"), code=Lower("service__code"))
    rows = rows.filter(Q(lower__in=wanted) | Q(lower_short__in=wanted) | Q(code__in=wanted)).prefetch_related("offerings")
    found: dict[str, list[ServiceVersion]] = {}
    for row in rows:
        for name in {row.lower, row.lower_short, row.code} & wanted:
            found.setdefault(name, []).append(row)
    return {name: same[0] for name, same in found.items() if len(same) == 1}


def users_of(lines: Collection[int], at: dt.datetime) -> dict[int, list[tuple[int, int]]]:
    """Line → (job, service or 0) of what belongs to it; two queries."""
    found: dict[int, list[tuple[int, int]]] = {}
    stores: dict[tuple[int, str], int] = {}
    alone: dict[int, int] = {}
    claimed = ScopeClaim.objects.standing(at).filter(line__in=lines).values_list("line", "tool", "repository_name", "job")
    for line, tool, name, job in claimed:
        if job:
            alone[job] = line
        else:
            stores[tool, name or ""] = line
    if not stores and not alone:
        return {}
    jobs = BackupJob.objects.filter(Q(pk__in=alone) | Q(repository_name__in={name for _, name in stores}), first_seen_at__lte=at)
    for pk, tool, repository, service in jobs.values_list("pk", "tool", "repository_name", "service"):
        owner = alone.get(pk) or stores.get((tool, repository or ""))
        if owner:
            found.setdefault(owner, []).append((pk, service or 0))
    return found
