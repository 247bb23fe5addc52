"""Conditions → alerts: one open alert per key, raised and cleared by what happened, in the order it happened.

Job alerts follow runs and missed occurrences by their own times, not by when the journey came by: a slow or interrupted
pass makes the same alerts as an undisturbed one.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from catalogue.models import Window
from monitoring.causes import Cause, read_cause
from monitoring.models import Alert, BackupJob, BackupRun, Evaluation, ExpectedRun, JobState, ServiceState

REOPEN_WITHIN = dt.timedelta(hours=1)
ERROR_FROM = 2  # the first failure is a warning, a repeated one an error
RUNS_KEPT = 50
_BAD = ("failed", "partial", "cancelled")
_ALERTING = ("backup", "copy", "replicate", "log_backup")


class Event(msgspec.Struct, kw_only=True, frozen=True):
    """Something that happened to a job: a run that ended, or an occurrence that nobody came to."""

    at: dt.datetime
    run: BackupRun | None = None
    missed: ExpectedRun | None = None

    @property
    def is_good(self) -> bool:
        return self.run is not None and self.run.is_good

    @property
    def order(self) -> tuple[dt.datetime, int]:
        return self.at, self.run.pk if self.run else 0


def follow_job(*, job: BackupJob, state: JobState, at: dt.datetime) -> None:
    """Raise and clear the alerts of one job by what ended since it was last followed. The caller holds the job's state row."""
    if job.service_id is None:
        return
    since = state.followed_at or job.tool.monitored_from
    events = [event for event in _events(job, since, at) if event.order > (since, state.followed_run)]
    for event in events:
        if event.is_good:
            _clear(Q(job=job, alert_class__in=["job_failed", "job_missed"]), at=event.at, evaluation=None)
        elif not hold_over(job, event.at):
            _raise_for_job(job, event, at)
    if events:
        state.followed_at, state.followed_run = events[-1].order
    _agree_with_latest(job, state, at)


def hold_over(job: BackupJob, instant: dt.datetime) -> Window | None:
    """The maintenance window of the job's service that was decided before and covers the instant: it silences, and ends."""
    windows = Window.objects.holding(instant).filter(service=job.service_id, decided_at__lt=instant)
    return windows.order_by("-ends_at").first()


def _events(job: BackupJob, since: dt.datetime, at: dt.datetime) -> list[Event]:
    ended = Coalesce("ended_at", "occurred_at")
    runs = BackupRun.objects.filter(job=job, state="finished", operation__in=_ALERTING, outcome__in=[*_BAD, *BackupRun.GOOD])
    runs = runs.annotate(ended=ended).filter(ended__gte=since, ended__lte=at, occurred_at__gte=since - dt.timedelta(days=7))
    missed = ExpectedRun.objects.filter(job=job, state="missed", attempts=0, backfilled=False, deadline_at__gte=since, deadline_at__lte=at)
    events = [Event(at=run.ended, run=run) for run in runs] + [Event(at=row.deadline_at, missed=row) for row in missed]
    return sorted(events, key=lambda event: event.order)


def _agree_with_latest(job: BackupJob, state: JobState, at: dt.datetime) -> None:
    """A run that was corrected after it was followed: the alert follows the correction."""
    latest = state.latest_run
    if latest is None or (latest.ended_at or latest.occurred_at) < job.tool.monitored_from:
        return
    firing = Alert.objects.open().filter(job=job, alert_class="job_failed")
    if latest.is_good:
        _clear(Q(job=job, alert_class="job_failed"), at=at, evaluation=None)
    elif latest.outcome in _BAD and not firing.exists() and not hold_over(job, at):
        _raise_for_job(job, Event(at=latest.ended_at or latest.occurred_at, run=latest), at)


def _raise_for_job(job: BackupJob, event: Event, at: dt.datetime) -> None:
    alert_class = "job_failed" if event.run else "job_missed"
    cause = read_cause(run=event.run, job=job)
    what = f"{job.name} failed" if event.run else f"{job.name} did not run, due {event.missed.due_at:%d %b %H:%M} UTC"
    raise_alert(
        key=f"{job.service.code}/{job.pk}/{alert_class}",
        alert_class=alert_class,
        title=f"{what}: {cause.title}" if cause.title else what,
        cause=cause,
        happened_at=event.at,
        at=at,
        service=job.service_id,
        job=job,
        run=event.run,
    )


def raise_alert(
    *,
    key: str,
    alert_class: str,
    title: str,
    cause: Cause,
    happened_at: dt.datetime,
    at: dt.datetime,
    service: int | None = None,
    job: BackupJob | None = None,
    tool: int | None = None,
    run: BackupRun | None = None,
    severity: str | None = None,
    evaluation: Evaluation | None = None,
) -> Alert:
    """One more sight of a condition: a new alert, one more occurrence of the open one, or the reopening of a fresh one."""
    alert = _open_or_fresh(key, happened_at)
    if alert is None:
        alert = Alert(dedup_key=key, alert_class=alert_class, opened_at=happened_at, noticed_at=at, occurrences=0, priority="P5")
    elif alert.state == Alert.State.RESOLVED:
        alert.reopened += 1
        alert.resolved_at = alert.resolving_evaluation = alert.acknowledged_at = alert.acknowledged_by = None
    if alert.state in ("", Alert.State.RESOLVED):
        alert.state = Alert.State.FIRING
    if run is None or run.pk not in alert.run_ids:
        alert.occurrences += 1
        alert.run_ids = [*alert.run_ids, *([run.pk] if run else [])][-RUNS_KEPT:]
    if cause.is_specific or not alert.cause_is_specific:
        alert.cause, alert.cause_title, alert.cause_rule = cause.name, cause.title, cause.rule
        alert.cause_key, alert.cause_is_specific, alert.title = cause.key, cause.is_specific, title[:200]
    alert.severity = severity or ("error" if alert.occurrences >= ERROR_FROM else "warning")
    alert.service_id, alert.job, alert.tool_id = service, job, tool
    alert.latest_run, alert.last_seen_at = run or alert.latest_run, happened_at
    alert.evaluation = evaluation or alert.evaluation
    alert.save()
    return alert


def _open_or_fresh(key: str, happened_at: dt.datetime) -> Alert | None:
    alerts = Alert.objects.select_for_update().filter(dedup_key=key)
    fresh = alerts.filter(state="resolved", resolved_at__gte=happened_at - REOPEN_WITHIN, resolved_at__lte=happened_at)
    return alerts.exclude(state="resolved").first() or fresh.order_by("-resolved_at").first()


def _clear(which: Q, *, at: dt.datetime, evaluation: Evaluation | None) -> int:
    return Alert.objects.open().filter(which, opened_at__lte=at).update(state="resolved", resolved_at=at, resolving_evaluation=evaluation)


def follow_services(*, at: dt.datetime) -> int:
    """Turn the conditions of each service's latest evaluation into alerts, and clear those that are over."""
    news = ~Q(alerted=F("evaluation")) | Q(alerted=None)
    waiting = ServiceState.objects.filter(news, evaluation__isnull=False).values_list("pk", flat=True)[:500]
    return sum(_follow_service(pk, at) for pk in list(waiting))


@transaction.atomic
def _follow_service(service_id: int, at: dt.datetime) -> bool:
    state = (
        ServiceState.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("evaluation__service")
        .filter(pk=service_id)
        .first()
    )
    if state is None or state.alerted == state.evaluation_id:
        return False
    evaluation = state.evaluation
    held = {condition["class"] for condition in evaluation.result["conditions"]}
    for condition in evaluation.result["conditions"]:
        if condition["class"] in ("rpo_breach", "rpo_at_risk"):
            _raise_for_service(evaluation, condition, at)
    over = [kind for kind in ("rpo_breach", "rpo_at_risk") if kind not in held]
    if evaluation.verdict != "no_data":  # what we cannot see is not over
        _clear(Q(service=service_id, alert_class__in=over), at=evaluation.at, evaluation=evaluation)
    Alert.objects.open().filter(service=service_id, evaluation=None).update(evaluation=evaluation)
    ServiceState.objects.filter(pk=service_id).update(alerted=evaluation.pk)
    return True


def _raise_for_service(evaluation: Evaluation, condition: dict[str, Any], at: dt.datetime) -> None:
    kind = condition["class"]
    key = f"{evaluation.service.code}/{condition.get('item') or 'service'}/{kind}"
    if Alert.objects.open().filter(dedup_key=key, service=evaluation.service_id).exists():
        return  # still the same condition, not one more occurrence
    job = BackupJob.objects.filter(items=condition["item"]).first() if condition.get("item") else None
    latest = JobState.objects.select_related("latest_run").filter(pk=job.pk).first() if job else None
    run = latest.latest_run if latest and latest.latest_run and latest.latest_run.outcome in _BAD else None
    cause = read_cause(run=run, job=job) if job else Cause(key=f"service:{evaluation.service_id}")
    words = "is past its recovery point promise" if kind == "rpo_breach" else "has used most of its recovery point promise"
    raise_alert(
        key=key,
        alert_class=kind,
        title=f"{evaluation.version.name if evaluation.version else evaluation.service} {words}",
        cause=cause,
        happened_at=evaluation.at,
        at=at,
        service=evaluation.service_id,
        job=job,
        run=run,
        severity=condition["severity"],
        evaluation=evaluation,
    )


def follow_tool(*, evaluation: Evaluation, at: dt.datetime) -> None:
    """One alert for a silent tool, however many services it serves; cleared by its next complete answer."""
    tool = evaluation.tool
    key = f"tool/{tool.pk}/source_stale"
    if evaluation.result["silent"]:
        if not Alert.objects.open().filter(dedup_key=key).exists():
            raise_alert(
                key=key,
                alert_class="source_stale",
                title=f"{tool} has not answered: {evaluation.result['problem'] or 'no reading arrived'}",
                cause=Cause(key=f"tool:{tool.pk}"),
                happened_at=evaluation.at,
                at=at,
                tool=tool.pk,
                severity="error",
                evaluation=evaluation,
            )
    else:
        _clear(Q(dedup_key=key), at=evaluation.at, evaluation=evaluation)
