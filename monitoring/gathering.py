"""What a judgement reads: the canonical inputs of a service at an instant, a handful of bounded queries."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from typing import Any

from django.db import connection
from django.db.models import Count, Min, Q

from catalogue.models import Service, ServiceStatus, ServiceVersion, Window
from itsm_backup.common.time import iso, month_bounds
from monitoring import planning, proving, schedules, workflow
from monitoring.models import Alert, BackupJob, ExpectedRun, JobState, ProtectedItem, ServiceState, StatusWorkflow

NEWEST_POINTS = 3
# The newest points that can be used now, and the next one that will be: clocks run ahead, and copies take their time.
_NEWEST = """
SELECT i.id, p.id, p.run_id, p.captured_at, p.available_at, p.expires_at, p.invalid_from, p.gone_at
FROM monitoring_protecteditem i CROSS JOIN LATERAL (
  (SELECT * FROM monitoring_restorepoint p WHERE p.item_id = i.id AND p.captured_at <= %(at)s AND p.available_at <= %(at)s
    AND (p.gone_at IS NULL OR p.gone_at > %(at)s) AND (p.invalid_from IS NULL OR p.invalid_from > %(at)s)
    AND (p.expires_at IS NULL OR p.expires_at > %(at)s) AND p.first_seen_at <= %(at)s
  ORDER BY p.captured_at DESC LIMIT %(limit)s)
  UNION ALL
  (SELECT * FROM monitoring_restorepoint p WHERE p.item_id = i.id AND p.captured_at > %(at)s - interval '7 days'
    AND (p.captured_at > %(at)s OR p.available_at > %(at)s) AND p.gone_at IS NULL AND p.invalid_from IS NULL AND p.first_seen_at <= %(at)s
  ORDER BY p.captured_at LIMIT 1)) p
WHERE i.service_id = %(service)s ORDER BY i.id, p.captured_at DESC
"""


def inputs_of(*, service: Service, version: ServiceVersion, rules: StatusWorkflow, at: dt.datetime) -> dict[str, Any]:
    """The inputs of `judging.judge_service`, as canonical JSON values."""
    start, end = month_bounds(at, version.zone)
    commitment = getattr(version, "commitment", None)
    jobs = list(
        BackupJob.objects.filter(service=service)
        .select_related("tool__state", "state__latest_run", "state__good_run", "schedule")
        .order_by("pk")
    )
    return {
        "at": iso(at),
        "tier": version.tier,
        "commissioned_at": iso(version.commissioned_at),
        "rpo_s": commitment.rpo_s if commitment else None,
        "success_target": float(commitment.success_rate) if commitment and commitment.success_rate is not None else None,
        "period": [iso(start), iso(end)],
        "items": _items(service, at),
        "occurrences": _occurrences(jobs, start, end, at),
        "jobs": [_job(job) for job in jobs],
        "sources": _sources(jobs),
        "complete_readings": {str(job.tool_id): iso(job.tool.state.latest_complete_at) for job in jobs if job.tool.connector.polled},
        "holds": _holds(service, at),
        "restore": proving.inputs_of(jobs=jobs, commitment=commitment, at=at),
        "workflow": workflow.thresholds(rules),
        "previous": _previous(service),
    }


def _items(service: Service, at: dt.datetime) -> list[dict[str, Any]]:
    points: dict[int, list[dict[str, Any]]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST, {"at": at, "service": service.pk, "limit": NEWEST_POINTS})
        for item, point, run, *instants in cursor.fetchall():
            names = ("captured_at", "available_at", "expires_at", "invalid_from", "gone_at")
            known = {name: iso(instant) for name, instant in zip(names, instants, strict=True) if instant}
            points[item].append({"point": point, "run": run, **known})
    items = ProtectedItem.objects.filter(service=service).order_by("pk")
    return [{"item": item.pk, "name": item.name, "tool": item.tool_id, "points": points[item.pk]} for item in items]


def _occurrences(jobs: list[BackupJob], start: dt.datetime, end: dt.datetime, at: dt.datetime) -> dict[str, int]:
    """What was due in the period; what is still to come counts as pending."""
    good = Q(state__in=["satisfied", "satisfied_late"], settled_at__isnull=False)
    bad = Q(state="missed", settled_at__isnull=False)
    counted = ExpectedRun.objects.filter(job__in=jobs, opens_at__gte=start, opens_at__lt=end).aggregate(
        good=Count("pk", filter=good),
        bad=Count("pk", filter=bad),
        excused=Count("pk", filter=Q(state="excused")),
        unconfirmed=Count("pk", filter=Q(state="unconfirmed")),
        all=Count("pk"),
    )
    unsettled = counted.pop("all") - counted["good"] - counted["bad"] - counted["excused"] - counted["unconfirmed"]
    settled = counted["good"] + counted["bad"]
    return {"settled": settled, **counted, "pending": unsettled + sum(_to_come(job, end, at) for job in jobs)}


def _to_come(job: BackupJob, end: dt.datetime, at: dt.datetime) -> int:
    """Occurrences of the period that the ledger does not hold yet."""
    if not hasattr(job, "schedule") or job.state.ledger_until is None or job.state.ledger_until >= end:
        return 0
    schedule = planning.schedule_of(job, job.state.ledger_from)
    return len([one for one in schedules.occurrences(schedule, job.state.ledger_until, end) if one.opens_at < end])


def _job(job: BackupJob) -> dict[str, Any]:
    latest = job.state.latest_run
    alert = Alert.objects.open().filter(job=job, alert_class="job_failed").first()
    missed = _latest_miss(job) if job.state.bad_streak else None
    return {
        "job": job.pk,
        "name": job.name,
        "tool": job.tool_id,
        "scheduled": hasattr(job, "schedule"),
        "bad_streak": job.state.bad_streak,
        "good_streak": job.state.good_streak,
        "latest_run": latest.pk if latest else None,
        "latest_outcome": latest.outcome if latest else None,
        "latest_problem_run": latest.pk if latest and not latest.is_good else None,
        "cause": (alert.cause or None) if alert else None,
        "missed_due_at": iso(missed.due_at) if missed else None,
        "next_completion_at": iso(job.state.next_due_at),
    }


def _latest_miss(job: BackupJob) -> ExpectedRun | None:
    """The newest occurrence that nobody came to, unless a good run came after it."""
    missed = job.expected_runs.filter(state="missed", attempts=0)
    if job.state.good_run:
        missed = missed.filter(due_at__gt=job.state.good_run.occurred_at)
    return missed.order_by("-due_at").first()


def _sources(jobs: list[BackupJob]) -> list[dict[str, Any]]:
    tools = {job.tool_id: job.tool for job in jobs}
    return [
        {"tool": pk, "name": tool.name, "silent": tool.state.tells_nothing, "silent_since": iso(tool.state.silent_since)}
        for pk, tool in sorted(tools.items())
    ]


def _holds(service: Service, at: dt.datetime) -> list[dict[str, Any]]:
    windows = Window.objects.filter(service=service, ends_at__gt=at, starts_at__lt=at + dt.timedelta(days=40)).order_by("starts_at", "pk")
    return [{"window": window.pk, "from": iso(window.starts_at), "until": iso(window.ends_at)} for window in windows]


def _previous(service: Service) -> dict[str, Any] | None:
    status = ServiceStatus.objects.filter(service=service).first()
    if status is None:
        return None
    state = ServiceState.objects.select_related("evaluation").filter(service=service).first()
    by_rpo = bool(state and state.evaluation and state.evaluation.result.get("by_rpo"))
    return {"status": status.status, "since": iso(status.since), "by_rpo": by_rpo}


def mapping_of(service_id: int) -> dict[str, int | None]:
    """History id of the attribution rule that gave each job to the service."""
    jobs = BackupJob.objects.filter(service=service_id).order_by("pk").values_list("pk", "attribution_rule")
    return {str(pk): rule for pk, rule in jobs}


def next_due_at(service_id: int) -> dt.datetime | None:
    return JobState.objects.filter(job__service=service_id).aggregate(first=Min("next_due_at"))["first"]


def next_version_at(service_id: int, at: dt.datetime) -> dt.datetime | None:
    """When the next approved version of the entry takes effect."""
    ahead = ServiceVersion.objects.approved().filter(service=service_id, effective__startswith__gt=at)
    return ahead.aggregate(first=Min("effective__startswith"))["first"]


def occurrence_of(row: ExpectedRun) -> schedules.Occurrence:
    """The ledger's row as the pure matching reads it."""
    return schedules.Occurrence(
        due_at=row.due_at, opens_at=row.opens_at, deadline_at=row.deadline_at, cutoff_at=row.cutoff_at, local_on=row.local_on
    )
