"""Who feels it when services fail: they and everything that stops with them, how old the newest copies are, what would be lost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django.db.models.expressions import RawSQL

from catalogue.impact import closure, inherited_tiers, nearest_first
from catalogue.models import ServiceVersion
from incidents import prioritising
from incidents.models import Incident
from itsm_backup.common.time import iso, parse_instant
from monitoring.asking import array
from monitoring.models import Alert


def impact_of(services: Sequence[int], *, at: dt.datetime) -> dict[str, Any]:
    """{"at", "services", "consumers"}: the services in breach and everything that stops with them over hard relations, nearest first.

    Each with code, name, tier, department, and how it stands by the newest judgement: verdict, `captured_at` of the newest copy
    that could be restored, and the promised recovery point in seconds. JSON, to be kept or compared.
    """
    relations = closure(services, up=True, at=at)
    consumers = nearest_first(services, relations)
    known = _entries([*services, *(one.service_id for one in consumers)], at)
    hard = [(one.consumer_id, one.provider_id, "hard") for one in relations]
    tiers = inherited_tiers({pk: one["tier"] for pk, one in known.items()}, hard)
    return {
        "at": iso(at),
        "services": [{**known[pk], "effective_tier": tiers.get(pk, known[pk]["tier"])} for pk in services if pk in known],
        "consumers": [{**known[one.service_id], "via": one.via_id, "depth": one.depth} for one in consumers if one.service_id in known],
    }


def impact_now(incident: Incident, *, at: dt.datetime) -> dict[str, Any]:
    """The same for an incident as the catalogue and the judgements stand now: the services of its alerts."""
    alerts = list(Alert.objects.filter(incident_alert__incident=incident))
    return impact_of(prioritising.services_of(alerts), at=at)


def tiers_in(impact: dict[str, Any]) -> dict[int, int]:
    """The effective tier of each service in breach, as the impact has it."""
    return {one["service"]: one["effective_tier"] for one in impact["services"]}


def exposure_s(entry: dict[str, Any], *, at: dt.datetime) -> int | None:
    """How much work would be lost if the service of this entry failed at `at`, in seconds; None where no copy is known."""
    if not entry.get("captured_at"):
        return None
    return max(0, int((at - parse_instant(entry["captured_at"])).total_seconds()))


def _entries(services: Sequence[int], at: dt.datetime) -> dict[int, dict[str, Any]]:
    """What is kept of each service that has a version in force: what it is called, and how it stands by the newest judgement."""
    these = RawSQL("SELECT unnest(%s::bigint[])", [array(services)])
    rows = ServiceVersion.objects.in_force(at).filter(service__in=these)
    judged = (f"service__judged__{name}" for name in ("verdict", "captured_at", "rpo_s"))
    said = ("service", "service__code", "name", "tier", "department", *judged)
    return {
        pk: {
            "service": pk, "code": code, "name": name, "tier": tier, "department": department,
            "verdict": verdict or "no_data", "captured_at": iso(captured_at), "rpo_s": rpo_s,
        }
        for pk, code, name, tier, department, verdict, captured_at, rpo_s in rows.values_list(*said)
    }  # fmt: skip
