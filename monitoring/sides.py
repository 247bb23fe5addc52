"""What each of the three sides says of entries: the catalogue, the CMDB, and what monitoring saw. One set of questions for many entries."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from django.db.models import Count, Q

from catalogue.agreed_fields import plain
from catalogue.models import ConfigurationItem, Service, ServiceStatus, ServiceVersion
from monitoring.models import BackupJob, ExpectedRun, ServiceState
from monitoring.wording import rule_words, times_of

SEEN_WITHIN = dt.timedelta(days=35)  # a job that ran once a month is still seen
COUNTED_DAYS = 7
State = ExpectedRun.State


class Sides(msgspec.Struct, kw_only=True):
    """An entry's three sides by field; a field that a side does not keep is absent. `items` are what the CMDB has of it."""

    service: Service
    catalogue: dict[str, Any] = {}
    monitoring: dict[str, Any] = {}
    items: list[ConfigurationItem] = []

    def cmdb(self, field: str) -> dict[int, Any]:
        """Item → what the CMDB says; items that have no such column are absent."""
        if field == "in_use":
            return {item.pk: "no" if item.retired else "yes" for item in self.items}
        return {item.pk: item.fields[field] for item in self.items if field in item.fields}


def sides_of(services: Sequence[Service], *, at: dt.datetime) -> list[Sides]:
    """The sides of each entry, in their order."""
    found = {service.pk: Sides(service=service) for service in services}
    _catalogue(found, at)
    _jobs(found, at)
    _judged(found)
    items = ConfigurationItem.objects.there().filter(link__service__in=found).select_related("cmdb", "link").order_by("name", "pk")
    for item in items:
        found[item.link.service_id].items.append(item)
    return list(found.values())


def _put(side: dict[str, Any], **told: Any) -> None:
    side.update({field: plain(field, value) for field, value in told.items()})


def _catalogue(found: dict[int, Sides], at: dt.datetime) -> None:
    versions = ServiceVersion.objects.in_force(at).filter(service__in=found)
    for version in versions.select_related("commitment", "owner", "operations_team"):
        one = found[version.service_id]
        owner = version.owner
        _put(
            one.catalogue, owner=owner.get_full_name() or owner.get_username() if owner else None,
            team=str(version.operations_team) if version.operations_team else None, rpo_s=version.commitment.rpo_s,
        )  # fmt: skip
    statuses = dict(ServiceStatus.objects.filter(service__in=found).values_list("service", "status"))
    for pk, one in found.items():
        live = one.service.lifecycle in (Service.Lifecycle.CATALOGUE, Service.Lifecycle.PENDING_RETIREMENT)
        _put(one.catalogue, entry=one.service.code, in_use="yes" if live else "no", status=statuses.get(pk, "unknown"))


def _jobs(found: dict[int, Sides], at: dt.datetime) -> None:
    """What is expected of the jobs stands on the catalogue's side, what they did on that of monitoring."""
    jobs = BackupJob.objects.filter(service__in=found).select_related("schedule", "state__latest_run").order_by("name", "pk")
    by_service: dict[int, list[BackupJob]] = defaultdict(list)
    for job in jobs:
        by_service[job.service_id or 0].append(job)
    counted = _counted(by_service, at)
    for pk, mine in by_service.items():
        agreed = [job for job in mine if hasattr(job, "schedule")]
        seen = [job for job in mine if _seen_at(job) and at - _seen_at(job) <= SEEN_WITHIN]
        due, good = counted.get(pk, (0, 0))
        one = found[pk]
        _put(one.catalogue, jobs=[job.name for job in agreed], schedule=_schedules(agreed))
        _put(one.monitoring, jobs=[job.name for job in seen], in_use="yes" if seen else "no", store=_stores(seen))
        if due:
            one.catalogue["runs"], one.monitoring["runs"] = due, good


def _seen_at(job: BackupJob) -> Any:
    run = job.state.latest_run if hasattr(job, "state") else None
    return run.occurred_at if run else None


def _stores(jobs: Iterable[BackupJob]) -> list[str]:
    return sorted({job.repository_name for job in jobs if job.repository_name})


def _schedules(jobs: Sequence[BackupJob]) -> str | None:
    """`nightly: Daily 01:30 UTC; hourly: …`; the name is left out where there is but one job."""
    told = []
    for job in jobs:
        words = " ".join(filter(None, [rule_words(job.schedule.rrule), ", ".join(times_of(job.schedule)), job.schedule.zone]))
        told.append(" ".join(words.split()) if len(jobs) == 1 else f"{job.name}: {' '.join(words.split())}")
    return "; ".join(told) or None


def _counted(services: Iterable[int], at: dt.datetime) -> dict[int, tuple[int, int]]:
    """Service → (backups that were due in the last whole days and are settled, those of them that came right)."""
    today = at.date()
    due = ExpectedRun.objects.filter(
        counts=True, job__service__in=list(services), local_on__gte=today - dt.timedelta(days=COUNTED_DAYS), local_on__lt=today
    ).exclude(state__in=[State.EXPECTED, State.EXCUSED])
    right = Count("pk", filter=Q(state__in=[State.SATISFIED, State.SATISFIED_LATE]))
    rows = due.order_by().values("job__service").annotate(due=Count("pk"), right=right).values_list("job__service", "due", "right")
    return {service: (all_due, came) for service, all_due, came in rows}


def _judged(found: dict[int, Sides]) -> None:
    for state in ServiceState.objects.filter(service__in=found).select_related("evaluation"):
        one = found[state.service_id]
        _put(one.monitoring, last_good=state.captured_at)
        if state.evaluation:
            _put(one.monitoring, status=state.evaluation.status)
