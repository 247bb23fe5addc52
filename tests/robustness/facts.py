"""What two passes over the same estate must agree on, without row ids and without the instants at which somebody looked."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from catalogue.models import ServiceStatus
from incidents.models import Incident, IncidentAlert, IncidentEntry
from itsm_backup.common.models import Notice
from monitoring.models import (
    Alert,
    BackupJob,
    BackupRun,
    ExpectedRun,
    JobState,
    QuarantinedRecord,
    RawAnswer,
    RestorePoint,
    ServiceDay,
    ServiceState,
)

Facts = dict[str, list[Any]]
PINGED = "ping"  # a ping happens when it arrives


def facts(base: dt.datetime) -> Facts:
    """Every kind of fact as sorted rows; what is due after `base` is left out."""
    return {name: sorted(rows, key=repr) for name, rows in _facts(base).items()}


def _facts(base: dt.datetime) -> Facts:
    jobs = {job.pk: f"{job.tool.name}/{job.external_id}" for job in BackupJob.objects.select_related("tool")}
    alerts = {alert.pk: _alert(alert, jobs) for alert in Alert.objects.select_related("service", "job__tool", "tool")}
    incidents = {incident.pk: _cause(incident.cause_key, jobs) for incident in Incident.objects.all()}
    return {
        "runs": [_run(run, jobs) for run in BackupRun.objects.select_related("job__tool", "service")],
        "restore points": list(RestorePoint.objects.values_list("item__external_id", "run__external_id", "invalid_from", "gone_at")),
        "expected runs": [
            (jobs[row.job_id], row.due_at, row.state, row.attempts, row.worst_outcome, row.settled_at, row.backfilled)
            for row in ExpectedRun.objects.filter(due_at__lte=base)
        ],
        "jobs": [
            (jobs[one.pk], _name(one.latest_run), _name(one.good_run), one.good_streak, one.bad_streak, one.touched_at, one.touched_from)
            for one in JobState.objects.select_related("latest_run", "good_run")
        ],
        "services": list(ServiceState.objects.values_list("service__code", "verdict")),
        "statuses": list(ServiceStatus.objects.values_list("service__code", "status")),
        "days": list(
            ServiceDay.objects.filter(day__lt=base.date()).values_list(
                "service__code", "day", "good", "warned", "late", "failed", "missed", "pending", "worst"
            )
        ),
        "alerts": list(alerts.values()),
        "incidents": [
            (incidents[one.pk], one.state, one.cause_is_specific, sorted(alerts[pk] for pk in _members(one)))
            for one in Incident.objects.all()
        ],
        "notices": [
            (incidents[int(one.key.split("/")[1])], *one.key.split("/")[2:], one.recipient, one.sent_at is not None)
            for one in Notice.objects.all()
        ],
        "mail entries": [incidents[pk] for pk in IncidentEntry.objects.filter(kind="mail").values_list("incident", flat=True)],
        "quarantined": list(QuarantinedRecord.objects.values_list("reason", flat=True)),
        "answers not read": list(RawAnswer.objects.filter(read_at=None).values_list("id", flat=True)),
    }


def _run(run: BackupRun, jobs: dict[int, str]) -> tuple[Any, ...]:
    own = (jobs[run.job_id], run.external_id, run.service.code if run.service else None, run.state, run.outcome, run.message)
    times = () if run.job.tool.kind == PINGED else (run.occurred_at, run.started_at, run.ended_at, run.captured_at)
    return own + times


def _alert(alert: Alert, jobs: dict[int, str]) -> tuple[Any, ...]:
    own = (alert.alert_class, alert.service.code, jobs[alert.job_id], alert.state, alert.severity, alert.cause)
    counts = (_cause(alert.cause_key, jobs), alert.occurrences, alert.reopened, len(alert.run_ids))
    happened = alert.job.tool.kind != PINGED and alert.alert_class.startswith("job_")
    times = (alert.opened_at, alert.last_seen_at, alert.resolved_at) if happened else ()
    return tuple(str(value) for value in own + counts + times)


def _members(incident: Incident) -> list[int]:
    return list(IncidentAlert.objects.filter(incident=incident).values_list("alert", flat=True))


def _cause(key: str, jobs: dict[int, str]) -> str:
    """The cause's key with names in place of ids."""
    return re.sub(r"job:(\d+)", lambda found: f"job:{jobs[int(found[1])]}", key)


def _name(run: BackupRun | None) -> str | None:
    return run.external_id if run else None


def differences(found: Facts, expected: Facts) -> str:
    """In words where two passes differ, empty when they agree."""
    lines = []
    for name in expected:
        more, less = _minus(found[name], expected[name]), _minus(expected[name], found[name])
        lines += [f"{name}, only when disturbed: {row}" for row in more[:5]] + [f"{name}, only when undisturbed: {row}" for row in less[:5]]
    return "\n".join(lines)


def _minus(some: list[Any], others: list[Any]) -> list[Any]:
    """The rows that are more often among `some`."""
    left = list(others)
    return [row for row in some if not (row in left and (left.remove(row) or True))]
