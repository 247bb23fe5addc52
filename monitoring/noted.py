"""Questions for lasting conditions: damage that a check found, copies that are not encrypted, jobs without service, changed backups."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import msgspec

from catalogue.models import ServiceVersion
from monitoring import detecting
from monitoring.asking import fetch
from monitoring.models import DetectedChange

ACTIVE = dt.timedelta(days=7)  # a job that was not seen for longer is no longer at work
SETTLING_IN = dt.timedelta(days=1)  # a new job has a day in which a rule may come


class Noted(msgspec.Struct, frozen=True, kw_only=True):
    """One condition that lasts."""

    key: str
    alert_class: str
    title: str
    severity: str = "warning"
    service: int | None = None
    tool: int | None = None
    job: int | None = None
    counted: tuple[str, str, dict[str, Any]] | None = None  # method, version and inputs of the figure that says so


# The newest check of each job that came to a result. Where a restore is promised, damage refutes the promise and is told as that.
_DAMAGED = """
SELECT j.id, j.name, j.service_id, s.code, j.tool_id FROM monitoring_backupjob j LEFT JOIN catalogue_service s ON s.id = j.service_id
CROSS JOIN LATERAL (
  SELECT verified FROM monitoring_backuprun r
  WHERE r.job_id = j.id AND r.operation = 'verify' AND r.state = 'finished' AND r.verified IS NOT NULL AND r.occurred_at <= %(at)s
  ORDER BY r.occurred_at DESC, r.id DESC LIMIT 1) newest
WHERE NOT newest.verified AND s.lifecycle IS DISTINCT FROM 'retired' AND NOT EXISTS (
  SELECT FROM catalogue_serviceversion v JOIN catalogue_commitment c ON c.version_id = v.id
  WHERE v.service_id = j.service_id AND v.state = 'approved' AND v.effective @> %(at)s::timestamptz
    AND (c.rto_s IS NOT NULL OR c.restore_test_days IS NOT NULL))
"""


def damaged(at: dt.datetime) -> Iterator[Noted]:
    """Jobs whose newest check found damage and whose service promises no restore, which would be refuted by it."""
    for job, name, service, code, tool in fetch(_DAMAGED, {"at": at}):
        yield Noted(
            key=f"{code or f'tool/{tool}'}/{job}/integrity_error", alert_class="integrity_error", severity="error",
            service=service, job=job, tool=None if service else tool, title=f"{name} has damaged copies, a check found",
        )  # fmt: skip


# Of each job the newest good copy, where the entry in force promises encryption. Not to be known is another thing than not to be so.
_UNENCRYPTED = """
SELECT v.service_id, s.code, v.name, array_agg(j.name ORDER BY j.name)
FROM catalogue_serviceversion v JOIN catalogue_commitment c ON c.version_id = v.id JOIN catalogue_service s ON s.id = v.service_id
JOIN monitoring_backupjob j ON j.service_id = v.service_id
CROSS JOIN LATERAL (
  SELECT encrypted FROM monitoring_backuprun r
  WHERE r.job_id = j.id AND r.operation = 'backup' AND r.state = 'finished' AND r.outcome IN ('success', 'warning')
    AND r.occurred_at <= %(at)s
  ORDER BY r.occurred_at DESC, r.id DESC LIMIT 1) newest
WHERE v.state = 'approved' AND v.effective @> %(at)s::timestamptz AND c.encryption NOT IN ('', 'none') AND NOT newest.encrypted
GROUP BY v.service_id, s.code, v.name
"""


def unencrypted(at: dt.datetime) -> Iterator[Noted]:
    """Services that promise encrypted copies and whose newest ones are not."""
    for service, code, name, jobs in fetch(_UNENCRYPTED, {"at": at}):
        yield Noted(
            key=f"{code}/service/unencrypted", alert_class="unencrypted", service=service,
            title=f"{name} promises encrypted copies, and the newest of {few(jobs)} is not",
        )  # fmt: skip


_UNMAPPED = """
SELECT t.id, t.name, array_agg(j.name ORDER BY j.name) FROM monitoring_backupjob j JOIN monitoring_tool t ON t.id = j.tool_id
WHERE j.service_id IS NULL AND j.last_seen_at >= %(seen)s AND j.first_seen_at < %(known)s AND t.enabled AND NOT EXISTS (
  SELECT FROM monitoring_scopeclaim c WHERE c.ended_at IS NULL AND (c.job_id = j.id
    OR c.job_id IS NULL AND c.tool_id = j.tool_id AND c.repository_name = j.repository_name))
GROUP BY t.id, t.name
"""


def unmapped(at: dt.datetime) -> Iterator[Noted]:
    """Tools with jobs at work that belong to no service, for a day and longer."""
    for tool, name, jobs in fetch(_UNMAPPED, {"seen": at - ACTIVE, "known": at - SETTLING_IN}):
        verb = "belongs" if len(jobs) == 1 else "belong"
        yield Noted(
            key=f"tool/{tool}/unmapped_job", alert_class="unmapped_job", tool=tool, title=f"{few(jobs)} of {name} {verb} to no service"
        )  # fmt: skip


def drifted(at: dt.datetime) -> Iterator[Noted]:
    """Services whose backups are set otherwise than when their entry was approved, and nobody has settled it."""
    waiting: dict[int, set[str]] = defaultdict(set)
    for service, aspect in DetectedChange.objects.waiting(at).values_list("service", "aspect"):
        waiting[service].add(detecting.aspect_words(aspect).lower())
    for version in ServiceVersion.objects.in_force(at).filter(service__in=waiting).select_related("service"):
        yield Noted(
            key=f"{version.service.code}/service/drift", alert_class="drift", service=version.service_id,
            title=f"{version.name} is backed up otherwise than when it was approved: {few(sorted(waiting[version.service_id]))}",
        )  # fmt: skip


def few(names: list[str]) -> str:
    """`a`, `a and b`, `a, b and 7 more`."""
    if len(names) > 3:
        return f"{', '.join(names[:2])} and {len(names) - 2} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
