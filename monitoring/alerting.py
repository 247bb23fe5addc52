"""Judged conditions → alerts: recovery points and restore tests of a service, and a tool that fell silent. One open alert per key."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from monitoring import leaving, priority
from monitoring.carrying import each
from monitoring.causes import Cause, read_cause
from monitoring.models import Alert, BackupJob, BackupRun, Evaluation, JobState, ServiceState
from monitoring.narrating import REOPEN_WITHIN
from monitoring.recalling import BAD

RPO_CLASSES = ("rpo_breach", "rpo_at_risk")
CLASSES = (*RPO_CLASSES, "rto_test_failed")


def follow_services(*, at: dt.datetime) -> int:
    """Turn the conditions of each service's latest evaluation into alerts, and clear those that are over."""
    news = ~Q(alerted=F("evaluation")) | Q(alerted=None)
    waiting = ServiceState.objects.filter(news, evaluation__isnull=False)
    quiet = _pass_over(waiting)
    loud = waiting.values_list("pk", flat=True)[:500]
    return leaving.clear_retired(at=at) + quiet + each(loud, lambda pk: _follow_service(pk, at), "following service")


_LED_TO = """
UPDATE monitoring_alert SET evaluation_id = quiet.evaluation FROM unnest(%s::bigint[], %s::bigint[]) AS quiet(service, evaluation)
WHERE service_id = quiet.service AND evaluation_id IS NULL
"""
_ENDED_BY = """
UPDATE monitoring_alert SET resolving_evaluation_id = quiet.evaluation FROM unnest(%s::bigint[], %s::bigint[]) AS quiet(service, evaluation)
WHERE service_id = quiet.service AND state = 'resolved' AND resolving_evaluation_id IS NULL
"""
_SEEN = """
UPDATE monitoring_servicestate SET alerted = quiet.evaluation FROM unnest(%s::bigint[], %s::bigint[]) AS quiet(service, evaluation)
WHERE service_id = quiet.service AND evaluation_id = quiet.evaluation
"""


@transaction.atomic
def _pass_over(waiting: QuerySet[ServiceState]) -> int:
    """Note in one go the services whose evaluation raises and ends no alert of theirs: most of them, most of the time. What their jobs
    are told of got its priority when they were judged; it learns by which evaluation.
    """
    raised = Q(*(("evaluation__result__conditions__contains", [{"class": kind}]) for kind in CLASSES), _connector=Q.OR)
    theirs = Alert.objects.open().filter(service=OuterRef("pk"), alert_class__in=CLASSES)
    pairs = list(waiting.filter(~raised, ~Exists(theirs)).values_list("pk", "evaluation"))
    if pairs:
        columns = [list(column) for column in zip(*pairs, strict=True)]
        with connection.cursor() as cursor:
            for statement in (_LED_TO, _ENDED_BY, _SEEN):
                cursor.execute(statement, columns)
    return len(pairs)


@transaction.atomic
def _follow_service(service_id: int, at: dt.datetime) -> bool:
    state = (
        ServiceState.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("evaluation__service", "evaluation__version")
        .filter(pk=service_id)
        .first()
    )
    if state is None or state.evaluation is None or state.alerted == state.evaluation_id:
        return False
    evaluation = state.evaluation
    for condition in evaluation.result["conditions"]:
        if condition["class"] in RPO_CLASSES:
            _raise_for_service(evaluation, condition, at)
        elif condition["class"] == "rto_test_failed":
            _raise_for_restore(evaluation, condition, at)
    over = Alert.objects.open().filter(service=service_id, alert_class__in=CLASSES).exclude(dedup_key__in=_going_on(evaluation))
    over.update(state="resolved", resolved_at=evaluation.at, resolving_evaluation=evaluation)
    alerts = Alert.objects.filter(service=service_id)
    alerts.filter(evaluation=None).update(evaluation=evaluation)
    alerts.filter(state="resolved", resolving_evaluation=None).update(resolving_evaluation=evaluation)
    _prioritise(evaluation, at)
    ServiceState.objects.filter(pk=service_id).update(alerted=evaluation.pk)
    return True


def _prioritise(evaluation: Evaluation, at: dt.datetime) -> None:
    """Give the open alerts of a service the priority that its standing asks for (BM-PRIO)."""
    alerts = Alert.objects.open().filter(service=evaluation.service_id)
    if alerts.exists():
        found = priority.of_evaluation(evaluation, at=at)["priority"]
        alerts.exclude(priority=found).update(priority=found)


def _key(evaluation: Evaluation, item: Any, kind: str) -> str:
    return f"{evaluation.service.code}/{item or 'service'}/{kind}"


def _going_on(evaluation: Evaluation) -> set[str]:
    """Keys of conditions that hold, that maintenance only silences, or that cannot be seen: what we cannot see is not over."""
    result = evaluation.result
    on = {_key(evaluation, condition.get("item"), condition["class"]) for condition in result["conditions"]}
    dark = result["unjudged"]["items"]
    if result["verdict"] == "held":
        dark = [*dark, *(item for claim in result["claims"] for item in claim.get("items_broken", []))]
        on |= {_key(evaluation, None, "rto_test_failed") for claim in result["claims"] if claim["reason"] == "contradicted"}
    return on | {_key(evaluation, item, kind) for item in dark for kind in RPO_CLASSES}


def _raise_for_service(evaluation: Evaluation, condition: dict[str, Any], at: dt.datetime) -> None:
    kind = condition["class"]
    key = _key(evaluation, condition.get("item"), kind)
    if Alert.objects.open().filter(dedup_key=key).exists():
        return  # still the same condition, not one more occurrence
    job = BackupJob.objects.filter(items=condition["item"]).first() if condition.get("item") else None
    latest = JobState.objects.select_related("latest_run").filter(pk=job.pk).first() if job else None
    run = latest.latest_run if latest and latest.latest_run and latest.latest_run.outcome in BAD else None
    words = "is past its recovery point promise" if kind == "rpo_breach" else "has used most of its recovery point promise"
    _raise(
        Alert(dedup_key=key, alert_class=kind, service_id=evaluation.service_id, job=job),
        title=f"{evaluation.version.name if evaluation.version else evaluation.service} {words}",
        cause=read_cause(run=run, job=job) if job else Cause(key=f"service:{evaluation.service_id}"),
        severity=condition["severity"],
        run=run,
        evaluation=evaluation,
        at=at,
    )


_RESTORES = {"too_slow": "took longer to restore than promised", "damage_found": "has damaged copies, as a check found"}


def _raise_for_restore(evaluation: Evaluation, condition: dict[str, Any], at: dt.datetime) -> None:
    """One alert while tests contradict the promise; each further test against it is one more occurrence."""
    key = _key(evaluation, None, "rto_test_failed")
    run = BackupRun.objects.select_related("job").filter(pk=condition["runs"][0]).first()
    open_one = Alert.objects.open().filter(dedup_key=key).first()
    if open_one and (run is None or run.pk in open_one.run_ids):
        return
    name = evaluation.version.name if evaluation.version else evaluation.service
    title = f"{name} {_RESTORES.get(condition['detail'], 'failed its restore test')}"
    if open_one and run:
        open_one.occurrences, open_one.run_ids = open_one.occurrences + 1, [*open_one.run_ids, run.pk]
        open_one.title, open_one.latest_run, open_one.last_seen_at, open_one.evaluation = title[:200], run, evaluation.at, evaluation
        open_one.save()
        return
    cause = read_cause(run=run, job=run.job) if run else Cause(key="")
    if not cause.is_specific:  # a job's failing backups are another matter
        cause = Cause(key=f"restore:{evaluation.service_id}")
    _raise(
        Alert(dedup_key=key, alert_class="rto_test_failed", service_id=evaluation.service_id, job=run.job if run else None),
        title=title,
        cause=cause,
        severity=condition["severity"],
        run=run,
        evaluation=evaluation,
        at=at,
    )


def follow_tool(*, evaluation: Evaluation, at: dt.datetime) -> None:
    """One alert for a silent tool, however many services it serves; cleared by its next complete answer."""
    tool = evaluation.tool
    key = f"tool/{tool.pk}/source_stale"
    alert = Alert.objects.open().filter(dedup_key=key)
    if not evaluation.result["silent"]:
        alert.update(state="resolved", resolved_at=evaluation.at, resolving_evaluation=evaluation)
    elif not alert.exists():
        _raise(
            Alert(dedup_key=key, alert_class="source_stale", tool=tool),
            title=f"{tool} has not answered: {_first_sentence(evaluation.result['problem']) or 'no reading arrived'}",
            cause=Cause(key=f"tool:{tool.pk}"),
            severity="error",
            run=None,
            evaluation=evaluation,
            at=at,
        )


def _first_sentence(problem: str) -> str:
    """What is wrong, without the remedy and the tool's own words behind it, which the explanation has."""
    return problem.partition(". ")[0].removesuffix(".")


def _raise(
    fresh: Alert, *, title: str, cause: Cause, severity: str, run: BackupRun | None, evaluation: Evaluation, at: dt.datetime
) -> None:
    fresh.evaluation = evaluation
    raise_alert(fresh, title=title, cause=cause, severity=severity, run=run, happened_at=evaluation.at, at=at)


def raise_alert(
    fresh: Alert, *, title: str, cause: Cause, severity: str, happened_at: dt.datetime, at: dt.datetime, run: BackupRun | None = None
) -> None:
    """Open `fresh`, or reopen the alert of its key that ended within the hour; what led to it is the evaluation of `fresh`."""
    ended = Alert.objects.select_for_update().filter(dedup_key=fresh.dedup_key, state="resolved")
    again = ended.filter(resolved_at__range=(happened_at - REOPEN_WITHIN, happened_at)).order_by("-resolved_at").first()
    alert = again or fresh
    if again is None:
        alert.opened_at, alert.noticed_at, alert.occurrences, alert.priority = happened_at, at, 0, "P5"
    else:
        alert.reopened += 1
        alert.resolved_at = alert.resolving_evaluation = alert.acknowledged_at = alert.acknowledged_by = None
    alert.state, alert.severity, alert.title = Alert.State.FIRING, severity, title[:200]
    alert.occurrences, alert.last_seen_at = alert.occurrences + 1, happened_at
    alert.cause, alert.cause_title, alert.cause_rule = cause.name, cause.title, cause.rule
    alert.cause_key, alert.cause_is_specific = cause.key, cause.is_specific
    alert.latest_run, alert.evaluation = run or alert.latest_run, fresh.evaluation
    alert.run_ids = alert.run_ids if run is None or run.pk in alert.run_ids else [*alert.run_ids, run.pk]
    alert.save()
