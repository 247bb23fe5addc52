"""What a judgement reads: the canonical inputs of services at an instant, a handful of bounded queries for all of them."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from django.db.models import Min

from catalogue.counted_days import Calendar, calendar_of
from catalogue.models import Commitment, ServiceStatus, ServiceVersion, StatusOverride, Window
from itsm_backup.common.time import iso, local_day, month_bounds
from monitoring import planning, proving, schedules, workflow
from monitoring.asking import array, fetch
from monitoring.models import Alert, BackupJob, ExpectedRun, ProtectedItem, ServiceState, StatusWorkflow

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
WHERE i.service_id = ANY(%(services)s::bigint[]) ORDER BY i.id, p.captured_at DESC
"""
_COUNTED = """
SELECT asked.service, count(*) FILTER (WHERE e.counts AND e.state IN ('satisfied', 'satisfied_late') AND e.settled_at IS NOT NULL),
  count(*) FILTER (WHERE e.counts AND e.state = 'missed' AND e.settled_at IS NOT NULL), count(*) FILTER (WHERE e.state = 'excused'),
  count(*) FILTER (WHERE e.counts AND e.state = 'unconfirmed'), count(*) FILTER (WHERE NOT e.counts AND e.state <> 'expected'),
  count(*) FILTER (WHERE e.counts)
FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) AS asked(service, since, until)
JOIN monitoring_backupjob j ON j.service_id = asked.service
JOIN monitoring_expectedrun e ON e.job_id = j.id AND e.due_at >= asked.since AND e.opens_at >= asked.since AND e.opens_at < asked.until
GROUP BY asked.service
"""
# The newest occurrence that nobody came to, unless a good run came after it.
_MISSES = """
SELECT asked.job, (SELECT max(e.due_at) FROM monitoring_expectedrun e
  WHERE e.job_id = asked.job AND e.state = 'missed' AND e.attempts = 0 AND (asked.since IS NULL OR e.due_at > asked.since))
FROM unnest(%s::bigint[], %s::timestamptz[]) AS asked(job, since)
"""

RESTORE_FELT_S = 24 * 3600  # so long a restore that failed makes everything urgent, unless a later one is good
# The newest restore in earnest that came to a result: its end counts, and none of interest takes more than a day longer.
_RESTORED = """
SELECT asked.service, newest.id, newest.job_id, newest.ended, newest.outcome FROM unnest(%(services)s::bigint[]) AS asked(service)
CROSS JOIN LATERAL (
  SELECT r.id, r.job_id, coalesce(r.ended_at, r.occurred_at) AS ended, r.outcome
  FROM monitoring_backupjob j JOIN monitoring_backuprun r ON r.job_id = j.id AND r.occurred_at > %(at)s - interval '2 days'
  WHERE j.service_id = asked.service AND r.operation = 'restore' AND r.outcome IN ('success', 'warning', 'partial', 'failed')
    AND coalesce(r.ended_at, r.occurred_at) <= %(at)s
  ORDER BY ended DESC, r.id DESC LIMIT 1) newest
"""


class Judged(msgspec.Struct, kw_only=True):
    """A service that is to be judged, with its jobs in order: the inputs of `judging.judge_service` are gathered for many at once."""

    state: ServiceState
    version: ServiceVersion
    jobs: list[BackupJob]

    @property
    def pk(self) -> int:
        return self.state.service_id

    @property
    def commitment(self) -> Commitment | None:
        return getattr(self.version, "commitment", None)

    def mapping(self) -> dict[str, int | None]:
        """History id of the attribution rule that gave each job to the service."""
        return {str(job.pk): job.attribution_rule for job in self.jobs}

    def next_due_at(self) -> dt.datetime | None:
        return min((job.state.next_due_at for job in self.jobs if job.state.next_due_at), default=None)


def jobs_of(service_ids: Iterable[int]) -> dict[int, list[BackupJob]]:
    """The jobs of each service in order, with all that a judgement reads of them."""
    found: dict[int, list[BackupJob]] = defaultdict(list)
    jobs = BackupJob.objects.filter(service__in=list(service_ids)).order_by("pk")
    for job in jobs.select_related("tool__state", "state__latest_run", "state__good_run", "schedule"):
        found[job.service_id or 0].append(job)
    return found


def inputs_of(judged: Sequence[Judged], *, rules: StatusWorkflow, at: dt.datetime) -> list[dict[str, Any]]:
    """The inputs of `judging.judge_service` for each, as canonical JSON values: as many statements for many as for one."""
    ids = [one.pk for one in judged]
    jobs = [job for one in judged for job in one.jobs]
    service_of = {job.pk: one.pk for one in judged for job in one.jobs}
    periods = {one.pk: month_bounds(at, one.version.zone) for one in judged}
    items, holds, previous = _items(ids, at), _holds(ids, at), _previous([one.state for one in judged])
    counted = _counted(periods)
    told = _jobs(jobs)
    overrides, restored = _overrides(ids, at), _failed_restores(ids, at)
    restores = proving.inputs_of(commitments={one.pk: one.commitment for one in judged}, service_of=service_of, at=at)
    return [
        {
            "at": iso(at),
            "tier": one.version.tier,
            "commissioned_at": iso(one.version.commissioned_at),
            "rpo_s": one.commitment.rpo_s if one.commitment else None,
            "success_target": _share(one.commitment),
            "period": [iso(instant) for instant in periods[one.pk]],
            "items": items[one.pk],
            "occurrences": _occurrences(counted.get(one.pk, (0, 0, 0, 0, 0, 0)), one, periods[one.pk][1]),
            "jobs": [told[job.pk] for job in one.jobs],
            "sources": _sources(one.jobs),
            "complete_readings": {
                str(job.tool_id): iso(job.tool.state.latest_complete_at) for job in one.jobs if job.tool.connector.polled
            },
            "holds": holds[one.pk],
            "restore": restores.get(one.pk),
            "workflow": workflow.thresholds(rules),
            "previous": previous.get(one.pk),
            **overrides.get(one.pk, {}),
            **restored.get(one.pk, {}),
        }
        for one in judged
    ]


def _share(commitment: Commitment | None) -> float | None:
    return float(commitment.success_rate) if commitment and commitment.success_rate is not None else None


def _items(ids: Sequence[int], at: dt.datetime) -> dict[int, list[dict[str, Any]]]:
    points: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for item, point, run, *instants in fetch(_NEWEST, {"at": at, "services": array(ids), "limit": NEWEST_POINTS}):
        names = ("captured_at", "available_at", "expires_at", "invalid_from", "gone_at")
        known = {name: iso(instant) for name, instant in zip(names, instants, strict=True) if instant}
        points[item].append({"point": point, "run": run, **known})
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for item in ProtectedItem.objects.filter(service__in=ids).order_by("pk"):
        found[item.service_id or 0].append({"item": item.pk, "name": item.name, "tool": item.tool_id, "points": points[item.pk]})
    return found


def _counted(periods: Mapping[int, tuple[dt.datetime, dt.datetime]]) -> dict[int, tuple[int, ...]]:
    """Occurrences of each service in its period: good, bad, excused, unconfirmed, those of the past that do not count, all that count."""
    asked = [array(periods), array(start for start, _ in periods.values()), array(end for _, end in periods.values())]
    return {service: tuple(counts) for service, *counts in fetch(_COUNTED, asked)}


def _occurrences(counts: tuple[int, ...], judged: Judged, end: dt.datetime) -> dict[str, int]:
    """What was due in the period; what is still to come counts as pending. What does not count is told where there is any."""
    good, bad, excused, unconfirmed, uncounted, everything = counts
    unsettled = everything - good - bad - excused - unconfirmed
    calendar = calendar_of(judged.commitment.measurement_calendar) if judged.commitment else Calendar()
    pending = unsettled + sum(_to_come(job, end, calendar, judged.version.zone) for job in judged.jobs)
    told = {"settled": good + bad, "good": good, "bad": bad, "excused": excused, "unconfirmed": unconfirmed, "pending": pending}
    return told | ({"uncounted": uncounted} if uncounted else {})


def _to_come(job: BackupJob, end: dt.datetime, calendar: Calendar, zone: str) -> int:
    """Occurrences of the period that the ledger does not hold yet, by the calendar in force now."""
    if not hasattr(job, "schedule") or job.state.ledger_until is None or job.state.ledger_until >= end:
        return 0
    schedule = planning.schedule_of(job, job.state.ledger_from)
    ahead = [one for one in schedules.occurrences(schedule, job.state.ledger_until, end) if one.opens_at < end]
    return len(ahead) if calendar == Calendar() else sum(calendar.counts(local_day(one.opens_at, zone)) for one in ahead)


def _jobs(jobs: Sequence[BackupJob]) -> dict[int, dict[str, Any]]:
    failing = Alert.objects.open().filter(job__in=jobs, alert_class__in=("job_failed", "job_flapping")).order_by("-pk")
    causes = dict(failing.values_list("job", "cause"))  # of several the first
    bad = [job for job in jobs if job.state.bad_streak]
    since = [job.state.good_run.occurred_at if job.state.good_run else None for job in bad]
    missed = dict(fetch(_MISSES, [array(job.pk for job in bad), array(since)])) if bad else {}
    return {job.pk: _job(job, causes.get(job.pk), missed.get(job.pk)) for job in jobs}


def _job(job: BackupJob, cause: str | None, missed_due_at: dt.datetime | None) -> dict[str, Any]:
    latest = job.state.latest_run
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
        "cause": cause or None,
        "missed_due_at": iso(missed_due_at),
        "next_completion_at": iso(_next_completion_at(job)),
    }


def _next_completion_at(job: BackupJob) -> dt.datetime | None:
    """When the next due run can be done: after as long as the last good one took, where that is known."""
    due_at, good = job.state.next_due_at, job.state.good_run
    took = good.ended_at - good.started_at if good and good.started_at and good.ended_at else dt.timedelta()
    return due_at + max(took, dt.timedelta()) if due_at else None


def _sources(jobs: Sequence[BackupJob]) -> list[dict[str, Any]]:
    tools = {job.tool_id: job.tool for job in jobs}
    return [
        {"tool": pk, "name": tool.name, "silent": tool.state.tells_nothing, "silent_since": iso(tool.state.silent_since)}
        for pk, tool in sorted(tools.items())
    ]


def _holds(ids: Sequence[int], at: dt.datetime) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    near = Window.objects.filter(service__in=ids, ends_at__gt=at, starts_at__lt=at + dt.timedelta(days=40)).order_by("starts_at", "pk")
    for window in near:
        found[window.service_id].append({"window": window.pk, "from": iso(window.starts_at), "until": iso(window.ends_at)})
    return found


def _overrides(ids: Sequence[int], at: dt.datetime) -> dict[int, dict[str, Any]]:
    """What people said about the status, where somebody did."""
    return {
        row.service_id: {"override": {"override": row.pk, "status": row.status, "until": iso(row.expires_at), "reason": row.reason}}
        for row in StatusOverride.objects.standing(at).filter(service__in=ids)
    }


def _failed_restores(ids: Sequence[int], at: dt.datetime) -> dict[int, dict[str, Any]]:
    """The newest restore in earnest, where it failed and is felt still."""
    found = {}
    for service, run, job, ended_at, outcome in fetch(_RESTORED, {"services": array(ids), "at": at}):
        until = ended_at + dt.timedelta(seconds=RESTORE_FELT_S)
        if outcome in ("partial", "failed") and at < until:
            found[service] = {"failed_restore": {"run": run, "job": job, "at": iso(ended_at), "until": iso(until)}}
    return found


def _previous(states: Sequence[ServiceState]) -> dict[int, dict[str, Any]]:
    """Where they stood before; a status that was set by hand says nothing about what is computed after it."""
    results = {state.pk: state.evaluation.result if state.evaluation else {} for state in states}
    by_rpo = {pk: bool(result.get("by_rpo")) for pk, result in results.items() if result.get("status_reason") != "set_by_hand"}
    found = ServiceStatus.objects.filter(service__in=by_rpo)
    return {row.service_id: {"status": row.status, "since": iso(row.since), "by_rpo": by_rpo[row.service_id]} for row in found}


def next_versions_at(service_ids: Iterable[int], at: dt.datetime) -> dict[int, dt.datetime]:
    """When the next approved version of each entry takes effect, of those that have one ahead."""
    ahead = ServiceVersion.objects.approved().filter(service__in=list(service_ids), effective__startswith__gt=at).order_by()
    return dict(ahead.values("service").annotate(first=Min("effective__startswith")).values_list("service", "first"))


def occurrence_of(row: ExpectedRun) -> schedules.Occurrence:
    """The ledger's row as the pure matching reads it."""
    return schedules.Occurrence(
        due_at=row.due_at, opens_at=row.opens_at, deadline_at=row.deadline_at, cutoff_at=row.cutoff_at, local_on=row.local_on
    )
