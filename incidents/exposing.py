"""How old the copies of services are while something about them is muted, and what it excused."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from incidents.muting import Mute
from itsm_backup.common.time import duration_words
from monitoring.asking import array, fetch
from monitoring.models import ServiceState

_EXCUSED = """
SELECT asked.number, count(e.id)
FROM unnest(%s::int[], %s::bigint[], %s::timestamptz[], %s::timestamptz[]) AS asked(number, service, since, until)
JOIN monitoring_backupjob j ON j.service_id = asked.service
JOIN monitoring_expectedrun e ON e.job_id = j.id AND e.due_at >= asked.since AND e.due_at < asked.until AND e.state = 'excused'
GROUP BY asked.number
"""


@dataclass(frozen=True)
class Exposure:
    """Of the services that a mute touches: how many are past their recovery point, and the worst of them in words."""

    services: int
    past: int
    words: str
    excused: int


def exposures(found: list[Mute], *, at: dt.datetime) -> list[Exposure]:
    """One for each mute, in order: what the present copies say. Two questions, however many there are."""
    ids = {service for one in found for service in one.services}
    states = {row.service_id: row for row in ServiceState.objects.filter(service__in=ids)} if ids else {}
    excused = _excused(found, at)
    return [_exposure(one, states, excused.get(number, 0), at) for number, one in enumerate(found)]


def _excused(found: list[Mute], at: dt.datetime) -> dict[int, int]:
    """By place in the list, how many due runs a maintenance window has excused so far."""
    asked = [(number, one) for number, one in enumerate(found) if one.kind == "maintenance"]
    if not asked:
        return {}
    services, since = array(one.services[0] for _, one in asked), array(one.since for _, one in asked)
    until = array(min(at, one.until or at) for _, one in asked)
    return dict(fetch(_EXCUSED, [array(number for number, _ in asked), services, since, until]))


def _exposure(one: Mute, states: Mapping[int, ServiceState], excused: int, at: dt.datetime) -> Exposure:
    known = [states[service] for service in one.services if service in states]
    return Exposure(len(one.services), sum(_used(row, at) > 1 for row in known), _worst(known, at), excused)


def _used(row: ServiceState, at: dt.datetime) -> float:
    """The share of the promise that the age of the newest copy uses; infinite where nothing could be restored."""
    if not row.rpo_s:
        return 0.0
    return float("inf") if row.captured_at is None else (at - row.captured_at).total_seconds() / row.rpo_s


def _worst(rows: Iterable[ServiceState], at: dt.datetime) -> str:
    worst = max(rows, key=lambda row: _used(row, at), default=None)
    if worst is None or not worst.rpo_s:
        return ""
    age = f"newest copy {duration_words((at - worst.captured_at).total_seconds())} old" if worst.captured_at else "no copy at all"
    return f"{age}, promised {duration_words(worst.rpo_s)}"
