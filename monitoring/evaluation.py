"""Commitment against measurement: judge the services whose time has come, and remember by what."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from django.db import transaction
from django.db.models import Max

from catalogue import impact
from catalogue import status as catalogue_status
from catalogue.models import ServiceVersion
from itsm_backup.common.time import parse_instant
from monitoring import gathering, judging, priority, workflow
from monitoring.asking import write_back
from monitoring.carrying import together
from monitoring.models import Alert, BackupJob, Evaluation, Figure, JobState, ServiceState, StatusWorkflow
from monitoring.wording import status_sentence

BATCH = 500
METHOD_VERSION = f"judging-{judging.VERSION}"
METHODS = {"rpo": ("BM-RPO-EXP", "1"), "success": ("BM-SR-WIN", "1"), "restore": ("BM-RTO", "1")}
UNTIMED = ("BM-RTC", "1")  # tests are promised, but no recovery time


def judge_services(*, at: dt.datetime) -> int:
    """Judge every service that is due; returns how many were judged."""
    due = ServiceState.objects.filter(next_judgement_at__lte=at).order_by("next_judgement_at", "pk")
    waiting = list(due.values_list("pk", flat=True)[:BATCH])
    rules = _Rules.current()
    return together(waiting, lambda ids: _judge(ids, rules, at), "judging service")


@dataclass(frozen=True)
class _Rules:
    """The thresholds, read once for all that are judged together, and the number of their version."""

    row: StatusWorkflow
    version: int | None

    @classmethod
    def current(cls) -> _Rules:
        row = workflow.current()
        return cls(row, row.history.aggregate(newest=Max("history_id"))["newest"])


_STATE = ("version", "evaluation", "verdict", "verdict_since", "captured_at", "rpo_s", "next_due_at", "next_judgement_at")


@transaction.atomic
def _judge(ids: Sequence[int], rules: _Rules, at: dt.datetime) -> int:
    due = ServiceState.objects.filter(pk__in=ids, next_judgement_at__lte=at).order_by("pk")
    held = list(due.select_for_update(skip_locked=True, of=("self",)).select_related("service", "evaluation"))
    jobs, moving = _held_jobs([state.pk for state in held], at)
    states = [state for state in held if state.pk not in moving]
    in_force = ServiceVersion.objects.in_force(at).filter(service__in=[state.pk for state in states]).select_related("commitment")
    versions = {version.service_id: version for version in in_force}
    ahead = gathering.next_versions_at([state.pk for state in states], at)
    judged = [gathering.Judged(state=one, version=versions[one.pk], jobs=jobs[one.pk]) for one in states if one.pk in versions]
    inputs = gathering.inputs_of(judged, rules=rules.row, at=at)
    results = [judging.judge_service(one) for one in inputs]
    _remember(judged, rules, inputs, results, at)
    for one, result in zip(judged, results, strict=True):
        _stand(one, result, at)
        _look_again(one.state, result["next_change_at"], ahead.get(one.pk))
    for state in states:
        if state.pk not in versions:
            _look_again(state, None, ahead.get(state.pk))
    write_back(states, _STATE)
    _move(judged, inputs, results, at)
    _prioritise(judged, inputs, results, at)
    return len(states)


def _held_jobs(service_ids: Sequence[int], at: dt.datetime) -> tuple[dict[int, list[BackupJob]], set[int]]:
    """The jobs of each service, held until the judgement is written, and the services that are for the next round: a job of theirs
    heard news after `at`, or somebody writes about it now. A judgement holds only what was known at its instant.
    """
    states = JobState.objects.filter(job__service__in=service_ids).order_by("pk").select_for_update(skip_locked=True, of=("self",))
    heard_at = dict(states.values_list("pk", "touched_at"))
    jobs = gathering.jobs_of(service_ids)
    moving = {pk for pk, some in jobs.items() if any(job.pk not in heard_at or (heard_at[job.pk] or at) > at for job in some)}
    return jobs, moving


def hash_of(inputs: dict[str, Any]) -> bytes:
    """SHA-256 over the canonical JSON of the inputs (sorted keys), without what moves with every look: instant and readings."""
    lasting = {key: value for key, value in inputs.items() if key not in ("at", "complete_readings")}
    return hashlib.sha256(msgspec.json.encode(lasting, order="sorted")).digest()


def _remember(
    judged: Sequence[gathering.Judged], rules: _Rules, inputs: Sequence[dict[str, Any]], results: Sequence[dict[str, Any]], at: dt.datetime
) -> None:
    """Give each state the evaluation that holds: the latest one when nothing but the time differs, else a new row with its figures."""
    fresh = {}
    for one, asked, result in zip(judged, inputs, results, strict=True):
        digest, latest = hash_of(asked), one.state.evaluation
        if latest is None or bytes(latest.inputs_hash) != digest or not _same(latest.result, result):
            fresh[one.pk] = _evaluation(one, rules, asked, digest, result, at)
    Evaluation.objects.bulk_create(fresh.values())
    for one in judged:
        one.state.evaluation = fresh.get(one.pk, one.state.evaluation)
    figures = [_figure(one, claim) for one in fresh.values() for claim in one.result["claims"] if claim["reason"] != "unproven"]
    Figure.objects.bulk_create(figures)


def _evaluation(
    one: gathering.Judged, rules: _Rules, inputs: dict[str, Any], digest: bytes, result: dict[str, Any], at: dt.datetime
) -> Evaluation:
    return Evaluation(
        service=one.state.service,
        at=at,
        version=one.version,
        workflow=rules.version,
        mapping=one.mapping(),
        method_version=METHOD_VERSION,
        inputs=inputs,
        inputs_hash=digest,
        result=result,
        verdict=result["verdict"],
        status=result["status"],
    )


# What moves with the clock alone; a change of it is no new judgement.
_MOVING = ("measured_s", "used", "median_s", "next_change_at")


def _same(one: dict[str, Any], two: dict[str, Any]) -> bool:
    return _still(one) == _still(two)


def _still(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _still(part) for key, part in value.items() if key not in _MOVING}
    return [_still(part) for part in value] if isinstance(value, list) else value


def _figure(evaluation: Evaluation, claim: dict[str, Any]) -> Figure:
    untimed = claim["claim"] == "restore" and claim["target_s"] is None
    method, number = UNTIMED if untimed else METHODS[claim["claim"]]
    own = ("captured_at", "counted_from", "target_s", "good", "settled", "pending", "excused", "uncounted", "target", "test_days")
    inputs = {"at": evaluation.inputs["at"]} | {name: claim[name] for name in own if name in claim}
    if claim["claim"] == "restore":
        inputs["tests"] = evaluation.inputs["restore"]["tests"]
    return Figure(
        evaluation=evaluation,
        service=evaluation.service,
        version=evaluation.version,
        method_id=method,
        method_version=number,
        inputs=inputs,
        inputs_hash=hashlib.sha256(msgspec.json.encode(inputs, order="sorted")).digest(),
        value={name: claim.get(name) for name in ("measured_s", "used", "rate", "verdict") if name in claim},
        computed_at=evaluation.at,
    )


def _stand(one: gathering.Judged, result: dict[str, Any], at: dt.datetime) -> None:
    """Note where the service stands now."""
    state = one.state
    rpo: dict[str, Any] = next((claim for claim in result["claims"] if claim["claim"] == "rpo"), {})
    if state.verdict != result["verdict"] or state.verdict_since is None:
        state.verdict, state.verdict_since = result["verdict"], at
    state.version = one.version
    is_known = rpo.get("captured_at") and rpo["verdict"] != "no_data"  # of an item behind a silent tool it could be older
    state.captured_at = parse_instant(rpo["captured_at"]) if is_known else None
    state.rpo_s = one.commitment.rpo_s if one.commitment else None
    state.next_due_at = one.next_due_at()


def _look_again(state: ServiceState, next_change_at: str | None, next_version_at: dt.datetime | None) -> None:
    ahead = [parse_instant(next_change_at) if next_change_at else None, next_version_at]
    state.next_judgement_at = min(filter(None, ahead), default=None)


def _move(judged: Sequence[gathering.Judged], inputs: Sequence[dict[str, Any]], results: Sequence[dict[str, Any]], at: dt.datetime) -> None:
    """Move the status of those services that do not stand yet where they should."""
    for one, asked, result in zip(judged, inputs, results, strict=True):
        evaluation = one.state.evaluation
        if evaluation and (asked["previous"] or {}).get("status") != result["status"]:
            reason = status_sentence(evaluation.inputs, result)
            catalogue_status.change(service=one.state.service, to=result["status"], reason=reason, evaluation=evaluation.pk, at=at)


def _prioritise(
    judged: Sequence[gathering.Judged], inputs: Sequence[dict[str, Any]], results: Sequence[dict[str, Any]], at: dt.datetime
) -> None:
    """Give the open alerts of the services the priority that their standing asks for (BM-PRIO)."""
    alerts = Alert.objects.open().filter(service__in=[one.pk for one in judged])
    known = set(alerts.values_list("service", "priority", "alert_class"))
    tiers = impact.effective_tiers({service for service, *_ in known}, at=at) if known else {}
    for one, asked, result in zip(judged, inputs, results, strict=True):
        given = {found for service, found, _ in known if service == one.pk}
        if given:
            tier = tiers.get(one.pk, asked["tier"])
            damaged = any((service, kind) == (one.pk, "integrity_error") for service, _, kind in known)
            found = priority.prioritise(inputs=asked, result=result, effective_tier=tier, affected=1, damaged=damaged)
            wanted = found["priority"]
            if given != {wanted}:
                alerts.filter(service=one.pk).exclude(priority=wanted).update(priority=wanted)
