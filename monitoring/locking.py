"""Whether copies are locked for as long as promised (BM-IMM): what tools say of each copy, and what people declared of its places."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from itsm_backup.common.time import iso
from monitoring import placing
from monitoring.asking import fetch
from monitoring.methods import measure
from monitoring.models import Alert
from monitoring.noted import Noted, few
from monitoring.placing import Place

KIND, METHOD, VERSION = "lock_missing", "BM-IMM", "1"
NOT_SAID = dt.timedelta(days=36_500)  # a lock of which nobody said anything may last


class Newest(msgspec.Struct, kw_only=True):
    """The newest copy of one item that can be restored; `told_until` is the lock that its tool told of, if any."""

    tool: int
    tool_name: str
    repository: str
    captured_at: dt.datetime
    job: str
    told_until: dt.datetime | None
    expires_at: dt.datetime | None


class Locked(msgspec.Struct, kw_only=True):
    """The newest copies of a service: how many are locked for long enough, of how many that is not known, and which are not."""

    days: int
    total: int
    covered: int
    unknown: int
    short: list[str]  # jobs whose newest copy is not locked for long enough, whatever nobody said
    evidence: str
    inputs: dict[str, Any]  # of BM-IMM, with everything that nobody said at its best

    @property
    def status(self) -> str:
        return "broken" if self.short else "no_data" if self.unknown or not self.total else "kept"


_PROMISED = """
SELECT v.service_id, s.code, v.name, c.immutability_days, j.tool_id, coalesce(nullif(t.label, ''), t.name), coalesce(j.repository_name, ''),
  p.captured_at, j.name, p.locked_until, p.expires_at
FROM catalogue_serviceversion v JOIN catalogue_commitment c ON c.version_id = v.id JOIN catalogue_service s ON s.id = v.service_id
JOIN monitoring_protecteditem i ON i.service_id = v.service_id JOIN monitoring_backupjob j ON j.id = i.job_id
JOIN monitoring_tool t ON t.id = j.tool_id
CROSS JOIN LATERAL (
  SELECT captured_at, locked_until, expires_at FROM monitoring_restorepoint p
  WHERE p.item_id = i.id AND p.captured_at <= %(at)s AND p.available_at <= %(at)s AND (p.gone_at IS NULL OR p.gone_at > %(at)s)
    AND (p.invalid_from IS NULL OR p.invalid_from > %(at)s) AND (p.expires_at IS NULL OR p.expires_at > %(at)s)
  ORDER BY p.captured_at DESC LIMIT 1) p
WHERE v.state = 'approved' AND v.effective @> %(at)s::timestamptz AND c.immutability_days > 0 AND s.lifecycle <> 'retired'
ORDER BY v.service_id, j.name
"""


def missing(at: dt.datetime) -> Iterator[Noted]:
    """Services that promise locked copies and whose newest ones are known not to be locked for so long: two questions for all."""
    items: dict[tuple[int, str, str, int], list[Newest]] = defaultdict(list)
    for service, code, name, days, *rest in fetch(_PROMISED, {"at": at}):
        items[service, code, name, days].append(Newest(**dict(zip(Newest.__struct_fields__, rest, strict=True))))
    said = placing.declared({one.tool for found in items.values() for one in found}, at) if items else {}
    for (service, code, name, days), found in items.items():
        told = locked(found, days=days, said=said, at=at)
        if told.short:
            yield Noted(
                key=f"{code}/service/{KIND}", alert_class=KIND, service=service, counted=(METHOD, VERSION, told.inputs),
                title=f"{name} promises copies that are locked for {days} d, and the newest of {few(told.short)} is not",
            )  # fmt: skip


def locked(items: Sequence[Newest], *, days: int, said: Mapping[tuple[int, str], Any], at: dt.datetime) -> Locked:
    """BM-IMM over the newest copy of each item, once with everything that nobody said at its worst and once at its best."""
    groups = placing.groups([(one.tool, one.tool_name, one.repository, one.captured_at) for one in items], said)
    places = {(place.tool, place.name): group for group in groups for place in group if place.written}
    bounds = [_until(one, places[one.tool, one.repository]) for one in items]
    worst, best = (_asked(items, [pair[side] for pair in bounds], days, at) for side in (0, 1))
    covered, hoped = measure(METHOD, worst)["covered"], measure(METHOD, best)["covered"]
    short = [one.job for number, one in enumerate(items) if str(number) not in hoped]
    return Locked(
        days=days, total=len(items), covered=len(covered), unknown=len(hoped) - len(covered), short=short, inputs=best,
        evidence="; ".join(_evidence(groups, items)),
    )  # fmt: skip


def _asked(items: Iterable[Newest], until: list[dt.datetime | None], days: int, at: dt.datetime) -> dict[str, Any]:
    """As BM-IMM reads it."""
    points = [
        {"id": str(number), "job": one.job, "captured_at": iso(one.captured_at), "expires_at": iso(one.expires_at),
         "immutable_until": iso(until[number])}
        for number, one in enumerate(items)
    ]  # fmt: skip
    return {"at": iso(at), "required_lock_days": days, "points": points}


def _until(one: Newest, group: list[Place]) -> tuple[dt.datetime | None, dt.datetime | None]:
    """Until when the copy is locked at the worst and at the best; a copy is locked where one place that holds it locks it."""
    known = [one.told_until] if one.told_until else []
    unsaid = not any(place.declared for place in group)  # then nobody said, either, whether its storage copies it on
    for place in group:
        lock_days = place.declared.lock_days if place.declared else None
        own = place.written and (place.tool, place.name) == (one.tool, one.repository)
        if lock_days is not None:
            known += [one.captured_at + dt.timedelta(days=lock_days)] if lock_days else []
        elif not (own and one.told_until):
            unsaid = True
    worst = max(known, default=None)
    return worst, one.captured_at + NOT_SAID if unsaid else worst


def _evidence(groups: Iterable[list[Place]], items: Iterable[Newest]) -> Iterator[str]:
    told = {(one.tool, one.repository) for one in items if one.told_until}
    for place in (place for group in groups for place in group):
        if place.written and (place.tool, place.name) in told:
            yield f"{place.words}: as its tool says"
            continue
        lock_days = place.declared.lock_days if place.declared else None
        words = "lock not declared" if lock_days is None else f"declared locked for {lock_days} d" if lock_days else "declared not locked"
        yield f"{place.words}: {words}"


def arithmetic_of(alert: Alert) -> list[str]:
    """The counting behind an alert about locks, in lines that a person can follow."""
    figure = alert.figure
    if figure is None:
        return ["What it was counted from is no longer kept."]
    days, covered = figure.inputs["required_lock_days"], figure.value["covered"]
    lines = [_line(point, locked=point["id"] in covered) for point in figure.inputs["points"]]
    return [
        f"promised: locked for {days} d from when it was taken, or until it expires",
        *lines,
        f"{len(covered)} of {figure.value['total']} newest copies locked for long enough, with everything that nobody said at its best",
        f"kept as figure {figure.pk}",
    ]


def _line(point: Mapping[str, Any], *, locked: bool) -> str:
    taken, until = point["captured_at"], point["immutable_until"]
    if locked and until and dt.datetime.fromisoformat(until) - dt.datetime.fromisoformat(taken) >= NOT_SAID:
        return f"{point['job']}: taken {_minute(taken)}, nobody said for how long it is locked"
    told = f"locked until {_minute(until)}" if until else "not locked"
    return f"{point['job']}: taken {_minute(taken)}, {told}: {'long enough' if locked else 'not long enough'}"


def _minute(text: str) -> str:
    return f"{text[:16].replace('T', ' ')} UTC"
