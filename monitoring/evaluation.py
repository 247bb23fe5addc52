"""Commitment against measurement: judge the services whose time has come, and remember by what."""

from __future__ import annotations

import datetime as dt
import hashlib
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
from monitoring.carrying import each
from monitoring.models import Alert, Evaluation, Figure, JobState, ServiceState, StatusWorkflow
from monitoring.wording import status_sentence

BATCH = 500
METHOD_VERSION = f"judging-{judging.VERSION}"
METHODS = {"rpo": ("BM-RPO-EXP", "1"), "success": ("BM-SR-WIN", "1"), "restore": ("BM-RTO", "1")}
UNTIMED = ("BM-RTC", "1")  # tests are promised, but no recovery time


def judge_services(*, at: dt.datetime) -> int:
    """Judge every service that is due; returns how many were judged."""
    waiting = list(
        ServiceState.objects.filter(next_judgement_at__lte=at).order_by("next_judgement_at").values_list("pk", flat=True)[:BATCH]
    )
    rules = _Rules.current()
    return each(waiting, lambda pk: _judge(pk, rules, at), "judging service")


@dataclass(frozen=True)
class _Rules:
    """The thresholds, read once for all that are judged together, and the number of their version."""

    row: StatusWorkflow
    version: int | None

    @classmethod
    def current(cls) -> _Rules:
        row = workflow.current()
        return cls(row, row.history.aggregate(newest=Max("history_id"))["newest"])


@transaction.atomic
def _judge(service_id: int, rules: _Rules, at: dt.datetime) -> bool:
    due = ServiceState.objects.filter(pk=service_id, next_judgement_at__lte=at)
    state = due.select_for_update(skip_locked=True, of=("self",)).select_related("service", "evaluation").first()
    if state is None or _is_moving(service_id, at):
        return False
    version = state.service.version_at(at)
    if version is None:
        state.next_judgement_at = gathering.next_version_at(state.service_id, at)
        state.save(update_fields=["next_judgement_at"])
        return True
    inputs = gathering.inputs_of(service=state.service, version=version, rules=rules.row, at=at)
    result = judging.judge_service(inputs)
    evaluation = _remember(state, version, rules, inputs, result, at)
    _carry(state, version, evaluation, inputs, result, at)
    _prioritise(service_id, inputs, result, at)
    return True


def _is_moving(service_id: int, at: dt.datetime) -> bool:
    """Whether a job heard news after `at`, which are for the next round: a judgement holds only what was known at its instant.

    The jobs are held until the judgement is written.
    """
    states = JobState.objects.filter(job__service=service_id).order_by("pk").select_for_update(of=("self",))
    return any(touched_at and touched_at > at for touched_at in states.values_list("touched_at", flat=True))


def hash_of(inputs: dict[str, Any]) -> bytes:
    """SHA-256 over the canonical JSON of the inputs (sorted keys), without what moves with every look: instant and readings."""
    lasting = {key: value for key, value in inputs.items() if key not in ("at", "complete_readings")}
    return hashlib.sha256(msgspec.json.encode(lasting, order="sorted")).digest()


def _remember(
    state: ServiceState, version: ServiceVersion, rules: _Rules, inputs: dict[str, Any], result: dict[str, Any], at: dt.datetime
) -> Evaluation:
    """The evaluation that holds: the latest one when nothing but the time differs, else a new row with its figures."""
    digest, latest = hash_of(inputs), state.evaluation
    if latest and bytes(latest.inputs_hash) == digest and _same(latest.result, result):
        return latest
    evaluation = Evaluation.objects.create(
        service=state.service,
        at=at,
        version=version,
        workflow=rules.version,
        mapping=gathering.mapping_of(state.service_id),
        method_version=METHOD_VERSION,
        inputs=inputs,
        inputs_hash=digest,
        result=result,
        verdict=result["verdict"],
        status=result["status"],
    )
    Figure.objects.bulk_create(_figure(evaluation, claim) for claim in result["claims"] if claim["reason"] != "unproven")
    return evaluation


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
    own = ("captured_at", "counted_from", "target_s", "good", "settled", "pending", "excused", "target", "test_days")
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


def _carry(
    state: ServiceState, version: ServiceVersion, evaluation: Evaluation, inputs: dict[str, Any], result: dict[str, Any], at: dt.datetime
) -> None:
    """Write where the service stands now, and move its status."""
    rpo: dict[str, Any] = next((claim for claim in result["claims"] if claim["claim"] == "rpo"), {})
    if state.verdict != result["verdict"] or state.verdict_since is None:
        state.verdict, state.verdict_since = result["verdict"], at
    state.version, state.evaluation = version, evaluation
    state.captured_at = parse_instant(rpo["captured_at"]) if rpo.get("captured_at") else None
    state.rpo_s = version.commitment.rpo_s if hasattr(version, "commitment") else None
    state.next_due_at = gathering.next_due_at(state.service_id)
    ahead = [parse_instant(result["next_change_at"]) if result["next_change_at"] else None, gathering.next_version_at(state.service_id, at)]
    state.next_judgement_at = min((instant for instant in ahead if instant), default=None)
    state.save()
    if (inputs["previous"] or {}).get("status") == result["status"]:
        return  # it stands there already
    catalogue_status.change(
        service=state.service, to=result["status"], reason=status_sentence(evaluation.inputs, result), evaluation=evaluation.pk, at=at
    )


def _prioritise(service_id: int, inputs: dict[str, Any], result: dict[str, Any], at: dt.datetime) -> None:
    """Give the open alerts of the service the priority that its standing asks for (BM-PRIO)."""
    alerts = Alert.objects.open().filter(service=service_id)
    if alerts.exists():
        tier = impact.effective_tiers([service_id], at=at).get(service_id, inputs["tier"])
        found = priority.prioritise(inputs=inputs, result=result, effective_tier=tier, affected=1)["priority"]
        alerts.exclude(priority=found).update(priority=found)
