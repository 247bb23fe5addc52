"""How badly an alert hurts, whom most, and who has to act."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from django.db.models import Exists, OuterRef, Q

from catalogue.models import ServiceVersion
from monitoring import priority
from monitoring.models import Alert, BackupJob, Evaluation, ServiceState
from monitoring.models.alerts import OPEN_STATES

_DAMAGE = Alert.objects.filter(state__in=OPEN_STATES, alert_class=Alert.Class.INTEGRITY_ERROR)
_OF_ITS_STORE = _DAMAGE.filter(
    Q(job__repository_name=OuterRef("repository_name")) | Q(job__repository_name=None), service=None, tool=OuterRef("tool")
)
# Of whatever has a `service`: whether a check found its copies damaged, or those of a store of its where the check is of no service.
IS_DAMAGED = Exists(_DAMAGE.filter(service=OuterRef("service"))) | Exists(
    BackupJob.objects.filter(Exists(_OF_ITS_STORE), service=OuterRef("service"))
)
MOST_WEIGHED_THEN = 200  # services whose judgements a page of the past reads again
LOWEST = {"impact": "low", "urgency": "low", "priority": "P5", "reason": "Nothing is judged yet: P5."}


def weigh(services: Sequence[int], *, at: dt.datetime, tiers: Mapping[int, int] | None = None) -> dict[str, Any]:
    """{"impact", "urgency", "priority", "reason", "service", "team", "judged_at"}: the worst over the services; `service` is the one
    hit hardest.

    `team` is its operations team, `judged_at` the instant of its figures. Of equal priorities that of the strictest tier counts, then that
    of the smallest code. `tiers` are the effective ones where the catalogue was walked through already.
    """
    newest = ServiceState.objects.filter(pk__in=services).values("evaluation")
    judged: list[Any] = list(Evaluation.objects.filter(pk__in=newest).annotate(is_damaged=IS_DAMAGED))
    return _hardest(judged, services, {one.service_id for one in judged if one.is_damaged}, at=at, tiers=tiers)


def _hardest(
    judged: Sequence[Any], services: Sequence[int], damaged: Collection[int], *, at: dt.datetime, tiers: Mapping[int, int] | None = None
) -> dict[str, Any]:
    found = priority.of_evaluations(judged, affected=len(services), at=at, tiers=tiers, damaged=damaged)
    versions = ServiceVersion.objects.in_force(at).filter(service__in=services).order_by("tier", "service__code")
    teams = dict(versions.values_list("service", "operations_team"))
    order = [*teams, *services]
    if not order:
        return {**LOWEST, "service": None, "team": None, "judged_at": None}
    hardest = min(order, key=lambda pk: found.get(pk, LOWEST)["priority"])  # the first of those that weigh the same
    of_then = {one.service_id: one.at for one in judged}
    return {**found.get(hardest, LOWEST), "service": hardest, "team": teams.get(hardest), "judged_at": of_then.get(hardest)}


def weigh_then(alerts: Sequence[Alert], *, at: dt.datetime) -> dict[str, Any] | None:
    """What `weigh` found at `at` for an incident with these alerts, by the judgements and the catalogue of then; None of very many."""
    open_then = [one for one in alerts if one.resolved_at is None or one.resolved_at > at]
    services = services_of(open_then or alerts)
    if len(services) > MOST_WEIGHED_THEN:
        return None
    newest = Evaluation.objects.filter(service__in=services, at__lte=at).order_by("service_id", "-at", "-pk").distinct("service_id")
    damaged = {one.service_id for one in open_then if one.service_id and one.alert_class == Alert.Class.INTEGRITY_ERROR}
    return _hardest(list(newest), services, damaged, at=at)


def services_of(alerts: Iterable[Alert]) -> list[int]:
    """The services that alerts concern: their own, or all that depend on a silent tool."""
    own, tools = set(), set()
    for alert in alerts:
        if alert.service_id:
            own.add(alert.service_id)
        else:
            tools.add(alert.tool_id)
    jobs = BackupJob.objects.filter(tool__in=tools, service__isnull=False) if tools else BackupJob.objects.none()
    return sorted(own | set(jobs.values_list("service", flat=True)))


def team_of(service: int | None, *, at: dt.datetime) -> int | None:
    """The operations team of a service."""
    return ServiceVersion.objects.in_force(at).filter(service=service).values_list("operations_team", flat=True).first()


def tier_of(service: int | None, *, at: dt.datetime) -> int:
    """The tier of a service as its version in force says; 5, below the lowest, without one."""
    return ServiceVersion.objects.in_force(at).filter(service=service).values_list("tier", flat=True).first() or 5


def type_of(service: int | None, *, at: dt.datetime) -> str:
    """What type of service it is by its version in force: the type of its application, or else the kind of its entry; empty without one."""
    told = ServiceVersion.objects.in_force(at).filter(service=service).values_list("application_type", "kind").first()
    return (told[0].strip() or str(ServiceVersion.Kind(told[1]).label)) if told else ""


def name_of(service_id: int) -> str:
    newest = ServiceVersion.objects.approved().filter(service=service_id).order_by("-number")
    return newest.values_list("name", flat=True).first() or str(service_id)
