"""Where services stand, now or at a past instant as far as it was judged: a fixed number of queries for any number of services."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec
from django.db.models import BooleanField, ExpressionWrapper

from catalogue.models import PropagatedStatus, Propagation, Service, ServiceStatus, ServiceVersion, StatusChange
from itsm_backup.common.time import iso, parse_instant
from monitoring.bridging import Bridged, bridge
from monitoring.models import Evaluation, ServiceState
from monitoring.serving import SERVES, serving


class Standing(msgspec.Struct, kw_only=True):
    """One service at one instant. `exposure_s` is the data, in seconds of work, that would be lost by a loss at that instant."""

    service: Service
    at: dt.datetime
    version: ServiceVersion | None = None
    status: str = "unknown"
    status_since: dt.datetime | None = None
    status_reason: str = ""
    verdict: str = "no_data"
    verdict_since: dt.datetime | None = None
    captured_at: dt.datetime | None = None
    exposure_s: int | None = None
    next_due_at: dt.datetime | None = None
    evaluation: int | None = None
    evaluated_at: dt.datetime | None = None
    known_today: bool = False  # whether the evaluation did not reach `at`: verdict and copy are then told as known today
    claims: list[dict[str, Any]] = []
    propagated_status: str | None = None  # what reaches it from a provider; its own status stands above
    propagated_since: dt.datetime | None = None
    affected_by: str | None = None  # code of the service that it comes from
    propagation: int | None = None

    @property
    def commitment(self) -> Any:
        return getattr(self.version, "commitment", None)


def standings(services: Sequence[Service], *, at: dt.datetime, now: dt.datetime | None = None) -> list[Standing]:
    """The standing of each service, in their order; with `now`, at a past instant `at`.

    There what was judged then counts, as far as it reached; beyond it, what `bridging` tells."""
    found = {service.pk: Standing(service=service, at=at) for service in services}
    serves = ExpressionWrapper(serving(at=at, known_then=now is not None), BooleanField())
    versions: Any = ServiceVersion.objects.in_force(at).filter(service__in=found).annotate(serves=serves)
    for version in versions.select_related("commitment", "owner", "steward", "operations_team"):
        found[version.service_id].version = version
    if now:
        _as_known(found, at, now)
    else:
        _as_it_is(found)
    for one in found.values():
        if one.verdict == "no_data" and one.version is not None and getattr(one.version, "serves", False):
            one.verdict = SERVES
    return list(found.values())


def _as_it_is(found: dict[int, Standing]) -> None:
    for row in ServiceStatus.objects.filter(service__in=found):
        one = found[row.service_id]
        one.status, one.status_since, one.status_reason = row.status, row.since, row.reason
    for reached in PropagatedStatus.objects.filter(service__in=found).select_related("cause"):
        one = found[reached.service_id]
        one.propagated_status, one.propagated_since, one.propagation = reached.status, reached.since, reached.step_id
        one.affected_by = reached.cause.code
    states = ServiceState.objects.filter(service__in=found).select_related("evaluation")
    for state in states.defer("evaluation__inputs", "evaluation__mapping"):
        one = found[state.service_id]
        one.verdict, one.verdict_since, one.next_due_at = state.verdict, state.verdict_since, state.next_due_at
        _take_evaluation(one, state.evaluation)


def _as_known(found: dict[int, Standing], at: dt.datetime, now: dt.datetime) -> None:
    changes = StatusChange.objects.filter(service__in=found, at__lte=at).order_by("service_id", "-at", "-id").distinct("service_id")
    for change in changes:
        one = found[change.service_id]
        one.status, one.status_since, one.status_reason = change.to_status, change.at, change.reason
    steps = Propagation.objects.filter(service__in=found, at__lte=at).order_by("service_id", "-at", "-id").distinct("service_id")
    for step in steps.select_related("cause"):
        one = found[step.service_id]
        if step.cause:
            one.propagated_status, one.propagated_since, one.propagation = step.status, step.at, step.pk
            one.affected_by = step.cause.code
    evaluations = Evaluation.objects.filter(service__in=found, at__lte=at).order_by("service_id", "-at", "-id").distinct("service_id")
    for evaluation in evaluations.defer("inputs", "mapping"):
        one = found[evaluation.service_id or 0]
        one.verdict = evaluation.verdict
        _take_evaluation(one, evaluation)
    for service, bridged in bridge(ServiceVersion.objects.in_force(at).filter(service__in=found), at, now=now).items():
        _take_bridged(found[service], bridged)


def _take_bridged(one: Standing, bridged: Bridged) -> None:
    one.known_today, one.verdict, one.captured_at = True, bridged.verdict, bridged.captured_at
    one.exposure_s = max(0, int((one.at - bridged.counted_from).total_seconds())) if bridged.counted_from else None
    told = {
        "verdict": bridged.rpo,
        "reason": "known_today",
        "measured_s": one.exposure_s,
        "captured_at": iso(bridged.captured_at),
        "counted_from": iso(bridged.counted_from),
    }
    one.claims = [{**claim, **told} if claim["claim"] == "rpo" else claim for claim in one.claims]


def _take_evaluation(one: Standing, evaluation: Evaluation | None) -> None:
    if evaluation is None:
        return
    one.evaluation, one.evaluated_at, one.claims = evaluation.pk, evaluation.at, evaluation.result.get("claims", [])
    rpo = next((claim for claim in one.claims if claim["claim"] == "rpo"), {})
    if rpo.get("verdict") == "no_data":  # what it measured is of other items: that behind a silent tool could be older
        return
    one.captured_at = parse_instant(rpo["captured_at"]) if rpo.get("captured_at") else None
    if rpo.get("counted_from"):
        one.exposure_s = max(0, int((one.at - parse_instant(rpo["counted_from"])).total_seconds()))
