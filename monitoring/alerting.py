"""Judged conditions → alerts: recovery points and restore tests of a service, and a tool that fell silent. One open alert per key."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from monitoring import leaving, priority
from monitoring.asking import write_back
from monitoring.carrying import together
from monitoring.causes import Cause, Causes
from monitoring.models import Alert, BackupJob, BackupRun, Evaluation, JobState, ProtectedItem, ServiceState
from monitoring.narrating import REOPEN_WITHIN
from monitoring.recalling import BAD

RPO_CLASSES = ("rpo_breach", "rpo_at_risk")
CLASSES = (*RPO_CLASSES, "rto_test_failed")
_NEWS = ~Q(alerted=F("evaluation")) | Q(alerted=None)


def follow_services(*, at: dt.datetime) -> int:
    """Turn the conditions of each service's latest evaluation into alerts, and clear those that are over."""
    waiting = ServiceState.objects.filter(_NEWS, evaluation__isnull=False)
    quiet = _pass_over(waiting)
    loud = waiting.order_by("pk").values_list("pk", flat=True)[:500]
    return leaving.clear_retired(at=at) + quiet + together(loud, lambda ids: _follow(ids, at), "following service")


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
        _note(_LED_TO, _ENDED_BY, _SEEN, pairs=pairs)
    return len(pairs)


def _note(*statements: str, pairs: Iterable[tuple[int, int]]) -> None:
    columns = [list(column) for column in zip(*pairs, strict=True)]
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement, columns)


class _Waiting(msgspec.Struct, kw_only=True):
    """What is known of services that are followed together: each question is asked once for all of them."""

    open: dict[str, Alert]  # by dedup key: one open alert each
    ended: dict[str, list[Alert]]
    jobs: dict[int, BackupJob]  # by protected item
    latest: dict[int, BackupRun | None]  # by job
    runs: dict[int, BackupRun]
    causes: Causes


@transaction.atomic
def _follow(ids: Sequence[int], at: dt.datetime) -> int:
    """Follow many services in a handful of statements, however many conditions they have."""
    held = ServiceState.objects.filter(_NEWS, pk__in=ids, evaluation__isnull=False).order_by("pk")
    states = held.select_for_update(skip_locked=True, of=("self",)).select_related("evaluation__service", "evaluation__version")
    evaluations = [state.evaluation for state in states if state.evaluation is not None]
    if not evaluations:
        return 0
    known = _known(evaluations)
    fresh = [alert for one in evaluations for alert in _raised(one, known, at)]
    Alert.objects.bulk_create([alert for alert in fresh if alert.pk is None])
    again = [alert for alert in fresh if alert.pk is not None]
    Alert.objects.bulk_update(again, _REOPENED)
    over = [alert for one in evaluations for alert in _over(one, known)]
    write_back(over, ("state", "resolved_at", "resolving_evaluation"))
    _note(_LED_TO, _ENDED_BY, _SEEN, pairs=[(one.service_id, one.pk) for one in evaluations])
    prioritise(evaluations, [alert for alert in (*known.open.values(), *fresh) if alert.state != Alert.State.RESOLVED], at)
    return len(evaluations)


def _known(evaluations: list[Evaluation]) -> _Waiting:
    conditions = [condition for one in evaluations for condition in one.result["conditions"]]
    items = {condition["item"] for condition in conditions if condition.get("item")}
    jobs = {item.pk: item.job for item in ProtectedItem.objects.filter(pk__in=items).select_related("job") if item.job}
    latest = JobState.objects.filter(pk__in=[job.pk for job in jobs.values()]).select_related("latest_run")
    tests = [condition["runs"][0] for condition in conditions if condition["class"] == "rto_test_failed"]
    services = [one.service_id for one in evaluations]
    ended: dict[str, list[Alert]] = defaultdict(list)
    earlier = Alert.objects.filter(service__in=services, alert_class__in=CLASSES, state="resolved")
    since = min(one.at for one in evaluations) - REOPEN_WITHIN
    for alert in earlier.filter(resolved_at__gte=since).order_by("-resolved_at").select_for_update(of=("self",)):
        ended[alert.dedup_key].append(alert)
    return _Waiting(
        open={alert.dedup_key: alert for alert in Alert.objects.open().filter(service__in=services)},
        ended=ended,
        jobs=jobs,
        latest={state.pk: state.latest_run for state in latest},
        runs=BackupRun.objects.select_related("job").in_bulk(tests),
        causes=Causes(),
    )


def _raised(evaluation: Evaluation, known: _Waiting, at: dt.datetime) -> Iterator[Alert]:
    """The alerts that its conditions open, or reopen."""
    for condition in evaluation.result["conditions"]:
        if condition["class"] in RPO_CLASSES:
            made = _of_recovery_point(evaluation, condition, known)
        elif condition["class"] == "rto_test_failed":
            made = _of_restore(evaluation, condition, known)
        else:
            continue
        if made is not None:
            fresh, told = made
            fresh.evaluation = evaluation
            yield _open(fresh, known.ended.get(fresh.dedup_key, ()), happened_at=evaluation.at, at=at, **told)


def _over(evaluation: Evaluation, known: _Waiting) -> Iterator[Alert]:
    """Its alerts that do not go on, marked as ended by it."""
    on = _going_on(evaluation)
    for key, alert in known.open.items():
        if alert.service_id == evaluation.service_id and alert.alert_class in CLASSES and key not in on:
            alert.state, alert.resolved_at, alert.resolving_evaluation = Alert.State.RESOLVED, evaluation.at, evaluation
            yield alert


def prioritise(evaluations: list[Evaluation], alerts: Iterable[Alert], at: dt.datetime) -> None:
    """Give the open alerts of services the priority that their standing asks for (BM-PRIO)."""
    of_service: dict[int | None, list[Alert]] = defaultdict(list)
    for alert in alerts:
        of_service[alert.service_id].append(alert)
    concerned = [one for one in evaluations if one.service_id in of_service]
    if not concerned:
        return
    damaged = {service for service, theirs in of_service.items() if service and any(one.alert_class == "integrity_error" for one in theirs)}
    found = priority.of_evaluations(concerned, affected=1, at=at, damaged=damaged)
    changed = []
    for service, theirs in of_service.items():
        wanted = found[service]["priority"]  # type: ignore[index]
        changed += [alert for alert in theirs if alert.priority != wanted]
        for alert in theirs:
            alert.priority = wanted
    write_back(changed, ("priority",))


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


_Made = tuple[Alert, dict[str, Any]]  # an alert that is not saved, and what is told of it


def _of_recovery_point(evaluation: Evaluation, condition: dict[str, Any], known: _Waiting) -> _Made | None:
    kind = condition["class"]
    key = _key(evaluation, condition.get("item"), kind)
    if key in known.open:
        return None  # still the same condition, not one more occurrence
    job = known.jobs.get(condition.get("item") or 0)
    run = known.latest.get(job.pk) if job else None
    run = run if run and run.outcome in BAD else None
    words = "is past its recovery point promise" if kind == "rpo_breach" else "has used most of its recovery point promise"
    return Alert(dedup_key=key, alert_class=kind, service_id=evaluation.service_id, job=job), {
        "title": f"{_name(evaluation)} {words}",
        "cause": known.causes.of(run=run, job=job) if job else Cause(key=f"service:{evaluation.service_id}"),
        "severity": condition["severity"],
        "run": run,
    }


_RESTORES = {"too_slow": "took longer to restore than promised", "damage_found": "has damaged copies, as a check found"}


def _of_restore(evaluation: Evaluation, condition: dict[str, Any], known: _Waiting) -> _Made | None:
    """One alert while tests contradict the promise; each further test against it is one more occurrence."""
    key = _key(evaluation, None, "rto_test_failed")
    run = known.runs.get(condition["runs"][0])
    open_one = known.open.get(key)
    if open_one and (run is None or run.pk in open_one.run_ids):
        return None
    title = f"{_name(evaluation)} {_RESTORES.get(condition['detail'], 'failed its restore test')}"
    if open_one and run:
        open_one.occurrences, open_one.run_ids = open_one.occurrences + 1, [*open_one.run_ids, run.pk]
        open_one.title, open_one.latest_run, open_one.last_seen_at, open_one.evaluation = title[:200], run, evaluation.at, evaluation
        open_one.save()
        return None
    cause = known.causes.of(run=run, job=run.job) if run else Cause(key="")
    if not cause.is_specific:  # a job's failing backups are another matter
        cause = Cause(key=f"restore:{evaluation.service_id}")
    alert = Alert(dedup_key=key, alert_class="rto_test_failed", service_id=evaluation.service_id, job=run.job if run else None)
    return alert, {"title": title, "cause": cause, "severity": condition["severity"], "run": run}


def _name(evaluation: Evaluation) -> Any:
    return evaluation.version.name if evaluation.version else evaluation.service


def follow_tool(*, evaluation: Evaluation, at: dt.datetime) -> None:
    """One alert for a silent tool, however many services it serves; cleared by its next complete answer."""
    tool = evaluation.tool
    key = f"tool/{tool.pk}/source_stale"
    alert = Alert.objects.open().filter(dedup_key=key)
    if not evaluation.result["silent"]:
        alert.update(state="resolved", resolved_at=evaluation.at, resolving_evaluation=evaluation)
    elif not alert.exists():
        raise_alert(
            Alert(dedup_key=key, alert_class="source_stale", tool=tool, evaluation=evaluation),
            title=f"{tool} has not answered: {_first_sentence(evaluation.result['problem']) or 'no reading arrived'}",
            cause=Cause(key=f"tool:{tool.pk}"),
            severity="error",
            happened_at=evaluation.at,
            at=at,
        )


def _first_sentence(problem: str) -> str:
    """What is wrong, without the remedy and the tool's own words behind it, which the explanation has."""
    return problem.partition(". ")[0].removesuffix(".")


def raise_alert(
    fresh: Alert, *, title: str, cause: Cause, severity: str, happened_at: dt.datetime, at: dt.datetime, run: BackupRun | None = None
) -> None:
    """Open `fresh`, or reopen the alert of its key that ended within the hour; what led to it is the evaluation of `fresh`."""
    ended = Alert.objects.select_for_update().filter(dedup_key=fresh.dedup_key, state="resolved")
    lately = ended.filter(resolved_at__range=(happened_at - REOPEN_WITHIN, happened_at)).order_by("-resolved_at")[:1]
    _open(fresh, lately, title=title, cause=cause, severity=severity, run=run, happened_at=happened_at, at=at).save()


_REOPENED = (
    "reopened", "resolved_at", "resolving_evaluation", "acknowledged_at", "acknowledged_by", "state", "severity", "title", "occurrences",
    "last_seen_at", "cause", "cause_title", "cause_rule", "cause_key", "cause_is_specific", "latest_run", "evaluation", "run_ids",
)  # fmt: skip


def _open(
    fresh: Alert, ended: Iterable[Alert], *, title: str, cause: Cause, severity: str, run: BackupRun | None,
    happened_at: dt.datetime, at: dt.datetime,
) -> Alert:  # fmt: skip
    """`fresh`, or the newest of those ended that did so within the hour, as it is now; not saved yet."""
    again = next((one for one in ended if one.resolved_at and happened_at - REOPEN_WITHIN <= one.resolved_at <= happened_at), None)
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
    alert.figure = fresh.figure or alert.figure
    alert.run_ids = alert.run_ids if run is None or run.pk in alert.run_ids else [*alert.run_ids, run.pk]
    return alert
