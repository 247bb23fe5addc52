"""Who would be told when: a fault now, or the incidents of past days again, by the policies in force or with a draft. Tells nobody."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

from catalogue import impact
from catalogue.models import Service
from incidents import choosing, preferring, prioritising, reaching, timing
from incidents.models import EscalationPolicy, Incident
from incidents.reaching import Directory

MOST = 500
A_DAY, THREE_DAYS = dt.timedelta(days=1), dt.timedelta(days=3)
NOBODY = "nobody: no operations team"


@dataclass(frozen=True, kw_only=True)
class Told:
    """One person or team told at an instant, by which rule; `deferred_from` where quiet hours held it up."""

    at: dt.datetime
    who: str
    rule: str
    kind: str
    deferred_from: dt.datetime | None = None

    @property
    def key(self) -> tuple[dt.datetime, str]:
        return self.at, self.who


@dataclass(frozen=True, kw_only=True)
class Course:
    """One incident, with who is told by the policies in force and who would be with the draft (the same without one)."""

    incident: Incident
    now: tuple[Told, ...]
    then: tuple[Told, ...]

    @property
    def differs(self) -> bool:
        return [one.key for one in self.now] != [one.key for one in self.then]


def with_draft(policies: Sequence[EscalationPolicy], draft: EscalationPolicy | None) -> list[EscalationPolicy]:
    """The policies as if the draft were in force, in its position."""
    found = [copy(policy) for policy in policies]
    for policy in found:
        policy.enabled = policy.enabled or (draft is not None and policy.pk == draft.pk)
    return found


def fault_now(*, service: Service, priority: str, draft: EscalationPolicy | None, at: dt.datetime) -> Course:
    """An incident of this service that opened at `at` and that nobody acknowledges, over three days.

    `priority` is P1 to P5; empty takes the one that the service's standing asks for.
    """
    found = prioritising.weigh([service.pk], at=at)
    incident = Incident(
        service=service, team_id=prioritising.team_of(service.pk, at=at), priority=priority or found["priority"],
        priority_reason=found["reason"], opened_at=at, known_at=at, title=prioritising.name_of(service.pk),
    )  # fmt: skip
    return _courses([incident], {None: at}, draft=draft, until=at + THREE_DAYS, at=at)[0]


def replay(*, user: Any, days: int, draft: EscalationPolicy | None, at: dt.datetime) -> list[Course]:
    """The incidents of the last days that the user may see, newest first, at most 500, acknowledged and resolved as they were.

    Each counts with the priority that it reached, and people as they answer for services and are on call by today's catalogue and rotas.
    """
    rows = Incident.objects.visible_to(user).filter(opened_at__gte=at - days * A_DAY, opened_at__lte=at)
    rows = rows.select_related("service", "team").order_by("-opened_at", "-pk")
    incidents = list(rows[:MOST])
    starts = {one.pk: one.known_at for one in incidents}
    return _courses(incidents, starts, draft=draft, until=at, at=at)


def _courses(
    incidents: list[Any], starts: dict[Any, dt.datetime], *, draft: EscalationPolicy | None, until: dt.datetime, at: dt.datetime
) -> list[Course]:
    policies = choosing.policies()
    drafted = with_draft(policies, draft)
    tiers = impact.effective_tiers(sorted({one.service_id for one in incidents if one.service_id}), at=at)
    named = choosing.named_by({one.service_id for one in incidents}, at=at)
    directory, waits = Directory(incidents=incidents, at=at), preferring.what_waits()
    said = {policy.pk: choosing.snapshot(policy) for policy in policies}
    courses = []
    for incident in incidents:
        tier = tiers.get(incident.service_id, 5)
        wanted = {"priority": incident.priority, "tier": tier, "named": named.get(incident.service_id, "")}
        chosen = [choosing.choose(**wanted, among=some) for some in (policies, drafted)]
        told = [_told(incident, said[one.pk], starts[incident.pk], until, directory, waits) if one else () for one in chosen]
        courses.append(Course(incident=incident, now=told[0], then=told[1] if draft else told[0]))
    return courses


def _told(
    incident: Any, said: timing.Snapshot, started_at: dt.datetime, until: dt.datetime, directory: Directory, waits: dict[str, list[str]]
) -> tuple[Told, ...]:
    steps = timing.plan(
        said, priority=incident.priority, started_at=started_at, acknowledged_at=incident.acknowledged_at,
        resolved_at=incident.resolved_at, until=until,
    )  # fmt: skip
    found = []
    for step in steps:
        targets = next(level["targets"] for level in said["levels"] if level["level"] == step.level)
        reached = reaching.reach(targets, incident=incident, at=step.at, directory=directory)
        reached = preferring.told_now(reached, priority=incident.priority, bypass=said["bypass"], waits=waits)
        rule = f"{said['policy']}, level {step.level}{', again' if step.kind == 'repeat' else ''}"
        found += [
            Told(at=step.at, who=who, rule=rule, kind=step.kind, deferred_from=step.deferred_from)
            for who in [one.words for one in reached] or [NOBODY]
        ]
    return tuple(found)


def difference(courses: Sequence[Course]) -> list[str]:
    """What the draft changes, in sentences; one that says so where it changes nothing."""
    differing = [course for course in courses if course.differs]
    if not differing:
        return ["The draft changes nothing: the same people are told at the same times."]
    now = Counter(told.who for course in courses for told in course.now)
    then = Counter(told.who for course in courses for told in course.then)
    lines = [
        f"{len(differing)} of {len(courses)} incident{'s' if len(courses) > 1 else ''} would be told otherwise.",
        f"{then.total()} messages instead of {now.total()}.",
    ]
    for who in sorted({*now, *then}, key=lambda name: (-abs(then[name] - now[name]), name)):
        if (change := then[who] - now[who]) != 0:
            lines.append(f"{who}: {then[who]} instead of {now[who]}, {abs(change)} {'more' if change > 0 else 'fewer'}.")
    silent = sum(bool(course.now) and not course.then for course in differing)
    return [*lines, f"{silent} would not be told to anybody."] if silent else lines
