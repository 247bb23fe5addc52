"""Who feels it when services fail: they, all that stops with them or loses its backup, how old the copies are."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any

from django.db.models import Min
from django.db.models.expressions import RawSQL

from catalogue.impact import Consumer, consumers_of, effective_tiers
from catalogue.models import ServiceVersion
from incidents import prioritising
from incidents.models import Incident
from incidents.models.felt import by_entries
from itsm_backup.common.time import iso, parse_instant
from monitoring.asking import array, fetch
from monitoring.models import Alert

# Of each service that has a version in force: what it is called, and how it stands by the newest judgement; nearest first.
_FELT = """
SELECT json_build_object('at', %s::text, 'services', {services}, 'consumers', {consumers})::jsonb FROM (
    SELECT asked.depth, asked.via, asked.only_backup, asked.effective_tier, s.id AS service, s.code, v.name, v.tier, v.department,
        coalesce(j.verdict, 'no_data') AS verdict, replace(to_json(j.captured_at) #>> '{{}}', '+00:00', 'Z') AS captured_at, j.rpo_s
    FROM unnest(%s::bigint[], %s::bigint[], %s::int[], %s::boolean[], %s::int[])
        WITH ORDINALITY AS asked(id, via, depth, only_backup, effective_tier, place)
    JOIN catalogue_serviceversion v ON v.service_id = asked.id AND v.state = 'approved' AND v.effective @> %s
    JOIN catalogue_service s ON s.id = v.service_id
    LEFT JOIN monitoring_servicestate j ON j.service_id = s.id
    ORDER BY asked.place
) felt
"""
_OF_ALL = ("service", "code", "name", "tier", "department", "verdict", "captured_at", "rpo_s")


def _side(names: Sequence[str], which: str) -> str:
    kept = (f"'{name}', coalesce(json_agg({name}) FILTER (WHERE {which}), '[]')" for name in names)
    return f"json_build_object({', '.join(kept)})"


_SQL = _FELT.format(
    services=_side((*_OF_ALL, "effective_tier"), "depth = 0"), consumers=_side((*_OF_ALL, "via", "depth", "only_backup"), "depth > 0")
)


def impact_of(services: Sequence[int], *, at: dt.datetime) -> dict[str, Any]:
    """{"at", "services", "consumers"}: the services in breach and everything that is hit with them over hard relations, nearest first: it
    stops, or (`only_backup`; copies of before 0110 do not have it) its backup does.

    Each with code, name, tier, department, and how it stands by the newest judgement: verdict, `captured_at` of the newest copy
    that could be restored, and the promised recovery point in seconds. JSON, to be kept or compared.
    """
    consumers = consumers_of(services, at=at)
    ((found,),) = fetch(_SQL, _asked(services, consumers, _tiers(services, consumers, at), at))
    return by_entries(json.loads(found))  # type: ignore[no-any-return]


def freeze(incident: Incident, services: Sequence[int], *, at: dt.datetime) -> dict[int, int]:
    """Have the incident keep this impact when it is saved for the first time; returns the effective tier of each service in breach.

    The copy is made inside the database: it may name ten thousand services. `frozen` has to be called after the incident was saved.
    """
    consumers = consumers_of(services, at=at)
    tiers = _tiers(services, consumers, at)
    incident.impact_at_opening = RawSQL(_SQL, _asked(services, consumers, tiers, at))  # type: ignore[assignment]  # noqa: S611 - our own words
    return tiers


def frozen(incident: Incident) -> None:
    """The incident is saved: its copy is not written again, and read from the database where it is asked for."""
    del incident.impact_at_opening


def impact_now(incident: Incident, *, at: dt.datetime) -> dict[str, Any]:
    """The same for an incident as the catalogue and the judgements stand now: the services of its alerts."""
    alerts = list(Alert.objects.filter(incident_alert__incident=incident))
    return impact_of(prioritising.services_of(alerts), at=at)


def exposure_s(entry: dict[str, Any], *, at: dt.datetime) -> int | None:
    """How much work would be lost if the service of this entry failed at `at`, in seconds; None where no copy is known."""
    if not entry.get("captured_at"):
        return None
    return max(0, int((at - parse_instant(entry["captured_at"])).total_seconds()))


def _tiers(services: Sequence[int], consumers: Sequence[Consumer], at: dt.datetime) -> dict[int, int]:
    """The effective tier of each service in breach. Whatever hangs on one alone is known already, unless it goes on beyond a backup."""
    if len(services) != 1 or any(one.only_backup for one in consumers):
        return effective_tiers(services, at=at)
    these = RawSQL("SELECT unnest(%s::bigint[])", [array([*services, *(one.service_id for one in consumers)])])
    strictest = ServiceVersion.objects.in_force(at).filter(service__in=these).aggregate(tier=Min("tier"))["tier"]
    return {services[0]: strictest} if strictest is not None else {}


def _asked(services: Sequence[int], consumers: Sequence[Consumer], tiers: dict[int, int], at: dt.datetime) -> list[Any]:
    """The values of the statement."""
    nobody = [None] * len(services)
    return [
        iso(at),
        array([*services, *(one.service_id for one in consumers)]),
        array([*nobody, *(one.via_id for one in consumers)]),
        array([*(0 for _ in services), *(one.depth for one in consumers)]),
        array([*(False for _ in services), *(one.only_backup for one in consumers)]),
        array([*(tiers.get(pk) for pk in services), *(None for _ in consumers)]),
        at,
    ]
