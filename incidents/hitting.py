"""Which services incidents hit: not only the one hit hardest, but every one that an alert is about, or that a silent tool protects."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable

from incidents.models import Incident, IncidentAlert
from monitoring.models import BackupJob


def services_hit(incidents: Iterable[Incident], *, by: dt.datetime | None = None) -> dict[int, set[int]]:
    """By incident, the services of its alerts, of those that had joined by then, and the one that it names."""
    rows = list(incidents)
    found: dict[int, set[int]] = {one.pk: {one.service_id} if one.service_id else set() for one in rows}
    links = IncidentAlert.objects.filter(incident__in=found)
    links = links.filter(attached_at__lte=by) if by else links
    silent = defaultdict(set)
    for incident, service, tool in links.values_list("incident", "alert__service", "alert__tool").distinct():
        if service:
            found[incident].add(service)
        elif tool:
            silent[tool].add(incident)
    for tool, service in _protected_by(silent):
        for incident in silent[tool]:
            found[incident].add(service)
    return found


def _protected_by(tools: Collection[int]) -> Iterable[tuple[int, int]]:
    if not tools:
        return ()
    return BackupJob.objects.filter(tool__in=tools, service__isnull=False).values_list("tool", "service").distinct()
