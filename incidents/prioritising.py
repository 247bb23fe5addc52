"""Whom an alert hurts, how badly, and who has to act: what an incident knows when it opens."""

from __future__ import annotations

import datetime as dt
from typing import Any

from catalogue.impact import consumers_of
from catalogue.models import ServiceVersion
from itsm_backup.common.time import iso
from monitoring import priority
from monitoring.models import Alert, BackupJob, ServiceState

LOWEST = {"impact": "low", "urgency": "low", "priority": "P5", "reason": "Nothing is judged yet: P5."}


def of_alert(alert: Alert, *, at: dt.datetime) -> dict[str, Any]:
    """{"impact", "urgency", "priority", "reason"}: the worst over the services that the alert concerns."""
    services = services_of(alert)
    states = ServiceState.objects.filter(pk__in=services, evaluation__isnull=False).select_related("evaluation")
    found = [priority.of_evaluation(state.evaluation, affected=len(services), at=at) for state in states]
    return min(found, key=lambda one: one["priority"], default=LOWEST)


def services_of(alert: Alert) -> list[int]:
    """The services an alert concerns: its own, or all that depend on the silent tool."""
    if alert.service_id:
        return [alert.service_id]
    jobs = BackupJob.objects.filter(tool=alert.tool_id, service__isnull=False)
    return sorted(set(jobs.values_list("service", flat=True)))


def hardest_hit(alert: Alert) -> int | None:
    """Of several services, the one of the strictest tier."""
    services = services_of(alert)
    versions = ServiceVersion.objects.in_force(alert.opened_at).filter(service__in=services).order_by("tier", "service__code")
    return versions.values_list("service", flat=True).first() or next(iter(services), None)


def team_of(alert: Alert, *, at: dt.datetime) -> int | None:
    """The operations team of the service, or of the one hit hardest."""
    service = alert.service_id or hardest_hit(alert)
    return ServiceVersion.objects.in_force(at).filter(service=service).values_list("operations_team", flat=True).first()


def name_of(service_id: int) -> str:
    newest = ServiceVersion.objects.approved().filter(service=service_id).order_by("-number")
    return newest.values_list("name", flat=True).first() or str(service_id)


def impact_of(alert: Alert, *, at: dt.datetime) -> dict[str, Any]:
    """Who feels it, frozen as it was: the services in breach and everything that stops with them."""
    services = services_of(alert)
    consumers = consumers_of(services, at=at)
    versions = ServiceVersion.objects.in_force(at).filter(service__in=[*services, *(one.service_id for one in consumers)])
    known = {version.service_id: version for version in versions.select_related("service")}
    return {
        "at": iso(at),
        "services": [_entry(known[pk]) for pk in services if pk in known],
        "consumers": [
            {**_entry(known[one.service_id]), "via": one.via_id, "depth": one.depth} for one in consumers if one.service_id in known
        ],
    }


def _entry(version: ServiceVersion) -> dict[str, Any]:
    return {
        "service": version.service_id,
        "code": version.service.code,
        "name": version.name,
        "tier": version.tier,
        "department": version.department,
    }
