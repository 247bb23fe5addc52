"""By when an incident has to be acknowledged and resolved, counted in the hours in which its team works."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings

from incidents.models import Incident, ResponseTarget, WorkingHours
from itsm_backup.common.models import because
from itsm_backup.common.time import iso, parse_instant

FURTHEST = dt.timedelta(days=730)  # a target that no working hour reaches by then has none
# priority → acknowledge and resolve in minutes, and whether nights and weekends count; two working days are 16 hours
SHIPPED = {"P1": (15, 240, True), "P2": (30, 480, True), "P3": (240, 960, False), "P4": (480, 2_400, False), "P5": (None, None, False)}
Span = tuple[dt.datetime, dt.datetime]


@dataclass(frozen=True, kw_only=True)
class Hours:
    """When a team works; the default counts Monday to Friday, 9 to 17."""

    days: frozenset[int] = frozenset({1, 2, 3, 4, 5})
    starts: dt.time = dt.time(9)
    ends: dt.time = dt.time(17)
    zone: str = "UTC"
    free_days: frozenset[dt.date] = field(default_factory=frozenset)


def due_at(start: dt.datetime, minutes: int | None, *, hours: Hours | None, held: Sequence[Span] = ()) -> dt.datetime | None:
    """When so many minutes have passed since `start`, of working time with `hours`, else around the clock; held spans do not count.

    None without minutes, and where they never pass within two years.
    """
    if minutes is None:
        return None
    left = dt.timedelta(minutes=minutes)
    for begins, ends in _without(_working(start, hours), held):
        if begins + left <= ends:
            return begins + left
        left -= ends - begins
    return None


def _working(start: dt.datetime, hours: Hours | None) -> Iterator[Span]:
    """Spans of working time from `start` on, in order."""
    until = start + FURTHEST
    if hours is None:
        yield start, until
        return
    zone = ZoneInfo(hours.zone)
    day = start.astimezone(zone).date()
    while (begins := dt.datetime.combine(day, hours.starts, zone).astimezone(dt.UTC)) < until:
        ends = dt.datetime.combine(day, hours.ends, zone).astimezone(dt.UTC)
        if day.isoweekday() in hours.days and day not in hours.free_days and ends > start:
            yield max(begins, start), ends
        day += dt.timedelta(days=1)


def _without(spans: Iterator[Span], held: Sequence[Span]) -> Iterator[Span]:
    for begins, ends in spans:
        since = begins
        for off, on in sorted(held):
            if off < ends and on > since:
                if off > since:
                    yield since, off
                since = max(since, on)
        if since < ends:
            yield since, ends


def targets() -> dict[str, ResponseTarget]:
    """The target of each priority; a fresh installation starts with the shipped ones."""
    found = {row.priority: row for row in ResponseTarget.objects.all()}
    if not found:
        with because("Shipped targets"):
            for priority, (acknowledge_min, resolve_min, always) in SHIPPED.items():
                counts = ResponseTarget.Counts.ALWAYS if always else ResponseTarget.Counts.WORKING
                values = {"acknowledge_min": acknowledge_min, "resolve_min": resolve_min, "counts": counts}
                found[priority], _ = ResponseTarget.objects.get_or_create(priority=priority, defaults=values)
    return found


def hours_of(team_id: int | None) -> Hours:
    """When the team works."""
    row: Any = WorkingHours.objects.filter(team=team_id).first() if team_id else None
    if row is None:
        return Hours(zone=settings.TIME_ZONE)
    return Hours(days=frozenset(row.days), starts=row.starts, ends=row.ends, zone=row.zone, free_days=frozenset(row.free_days))


def set_targets(*, incident: Incident, at: dt.datetime) -> None:
    """Work out by when it has to be answered, counted from when it was known, as priority, team and holds stand; `breach_at` is what is
    next. The caller saves it.
    """
    target = targets().get(incident.priority)
    held = [(parse_instant(begun), parse_instant(ended) if ended else at) for begun, ended in incident.holds]
    hours = hours_of(incident.team_id) if target and target.counts == ResponseTarget.Counts.WORKING else None
    for name in ("acknowledge", "resolve"):
        minutes = getattr(target, f"{name}_min") if target else None
        setattr(incident, f"{name}_by", due_at(incident.known_at, minutes, hours=hours, held=held))
    look_again(incident=incident)


def look_again(*, incident: Incident) -> None:
    """What is due next, by its state; nothing while it is held or over. The caller saves it."""
    waits = incident.is_open and incident.state != Incident.State.ON_HOLD
    incident.breach_at = (incident.resolve_by if incident.acknowledged_at else incident.acknowledge_by) if waits else None


def hold(*, incident: Incident, at: dt.datetime) -> None:
    """From now on time does not count against the targets. The caller saves it."""
    incident.holds = [*incident.holds, [iso(at), None]]
    look_again(incident=incident)


def go_on(*, incident: Incident, at: dt.datetime) -> None:
    """Time counts again; what was held is added to what is due. The caller saves it."""
    end_hold(incident=incident, at=at)
    set_targets(incident=incident, at=at)


def end_hold(*, incident: Incident, at: dt.datetime) -> None:
    """A hold that lasts ends, at `at` or when it began where that is later. The caller saves it."""
    if incident.holds and incident.holds[-1][1] is None:
        begun = incident.holds[-1][0]
        incident.holds = [*incident.holds[:-1], [begun, iso(max(at, parse_instant(begun)))]]
