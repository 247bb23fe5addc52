"""Who would be told when: a fault now, or past days again, by the policies in force and with a draft. Nothing is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString

from catalogue.models import Service
from incidents import choosing, prioritising, simulating
from incidents.models import EscalationPolicy
from incidents.models.escalation import PRIORITIES
from incidents.simulating import Course, Told
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.service_list import Choice
from itsm_backup.portal.words import clock, many

DAYS, MOST_ROWS, MOST_LINES, MOST_SERVICES = (7, 30, 90), 50, 8, 500


@dataclass(frozen=True, kw_only=True)
class Line:
    when: SafeString | str
    who: str
    rule: str


@dataclass(frozen=True, kw_only=True)
class CourseRow:
    name: Link | None
    title: str
    note: str
    now: tuple[Line, ...]
    then: tuple[Line, ...]
    more_now: int
    more_then: int
    silence: str  # why nobody is told, where that is so


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """What was asked and what came of it; `rows` are the fault, or the incidents that the draft tells otherwise (all without one)."""

    services: tuple[Choice, ...]
    priorities: tuple[Choice, ...]
    days: tuple[Choice, ...]
    drafts: tuple[Choice, ...]
    tried: bool
    head: str
    draft: str
    sentences: tuple[str, ...]
    rows: tuple[CourseRow, ...]
    more: int
    problem: str
    asked_service: str
    note: str


def simulation(*, user: Any, moment: Moment, asked: Mapping[str, str]) -> Simulation:
    """The two forms, and what the one that was sent would bring."""
    policies = choosing.policies()
    draft = next((one for one in policies if not one.enabled and str(one.pk) == asked.get("draft", "")), None)
    courses, head, problem = _tried(user, moment, asked, draft)
    shown = [course for course in courses if course.differs] if draft and "days" in asked else courses
    return Simulation(
        services=_services(user, asked),
        priorities=_choices([("", "As it stands now"), *((one, one) for one in PRIORITIES)], asked.get("priority", "")),
        days=_choices([(str(one), f"{one} days") for one in DAYS], asked.get("days", "30")),
        drafts=_choices([("", "None: as it is now"), *_drafts(policies)], asked.get("draft", "")),
        tried=bool(head),
        head=head,
        draft=draft.name if draft else "",
        sentences=tuple(simulating.difference(courses) if draft and courses else _totals(courses)),
        rows=tuple(_row(course, moment, drafted=draft is not None) for course in shown[:MOST_ROWS]),
        more=max(0, len(shown) - MOST_ROWS),
        problem=problem,
        asked_service=asked.get("service", "")[:40],
        note=_AS_IT_WAS if "days" in asked else _THREE_DAYS,
    )


_AS_IT_WAS = (
    "Acknowledged and resolved as they were, with the priority that each incident reached; people as they answer for services"
    " and are on call by today's catalogue and rotas."
)
_THREE_DAYS = "Over three days in which nobody acknowledges and nothing is resolved."


def _tried(user: Any, moment: Moment, asked: Mapping[str, str], draft: EscalationPolicy | None) -> tuple[list[Course], str, str]:
    """The courses, what they are of, and what is wrong with the question."""
    if asked.get("service"):
        service = Service.objects.visible_to(user).filter(code=asked["service"]).first()
        if service is None:
            return [], "", f"There is no service {asked['service'][:40]} that you may see."
        priority = asked.get("priority", "") if asked.get("priority", "") in PRIORITIES else ""
        course = simulating.fault_now(service=service, priority=priority, draft=draft, at=moment.at)
        return [course], f"A fault of {prioritising.name_of(service.pk)} now that nobody acknowledges: {course.incident.priority}", ""
    if asked.get("days") in map(str, DAYS):
        courses = simulating.replay(user=user, days=int(asked["days"]), draft=draft, at=moment.at)
        return courses, f"{many(len(courses), 'incident')} of the last {asked['days']} days", ""
    return [], "", ""


def _totals(courses: Sequence[Course]) -> list[str]:
    told = [one for course in courses for one in course.now]
    if not courses:
        return []
    return [f"{many(len(told), 'message')} to {many(len({one.who for one in told}), 'addressee')}."]


def _services(user: Any, asked: Mapping[str, str]) -> tuple[Choice, ...]:
    rows = Service.objects.listed().visible_to(user).values_list("code", flat=True)[:MOST_SERVICES]
    return _choices([(code, code) for code in rows], asked.get("service", ""))


def _drafts(policies: Sequence[EscalationPolicy]) -> list[tuple[str, str]]:
    return [(str(policy.pk), policy.name) for policy in policies if not policy.enabled]


def _choices(pairs: Sequence[tuple[str, str]], chosen: str) -> tuple[Choice, ...]:
    return tuple(Choice(value=value, words=words, chosen=value == chosen) for value, words in pairs)


def _row(course: Course, moment: Moment, *, drafted: bool) -> CourseRow:
    incident = course.incident
    link = Link(incident.number, moment.href("incident", incident.number)) if incident.pk else None
    service = f", {incident.service.code}" if incident.service else ""
    return CourseRow(
        name=link,
        title="" if incident.pk else incident.priority_reason,
        note=f"{incident.priority}{service}",
        now=_lines(course.now, moment),
        then=_lines(course.then, moment) if drafted else (),
        more_now=max(0, len(course.now) - MOST_LINES),
        more_then=max(0, len(course.then) - MOST_LINES) if drafted else 0,
        silence=_silence(incident),
    )


def _silence(incident: Any) -> str:
    if incident.acknowledged_at:
        return "Nobody: somebody took it before the first level fell due"
    return "Nobody: it was over before the first level fell due" if incident.resolved_at else "Nobody"


def _lines(told: Sequence[Told], moment: Moment) -> tuple[Line, ...]:
    return tuple(
        Line(when=clock(one.at, moment), who=one.who, rule=one.rule + (", after quiet hours" if one.deferred_from else ""))
        for one in told[:MOST_LINES]
    )
