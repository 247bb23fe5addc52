"""Major incidents: the list of them, and one with who leads it, when people are told again, and what can be done."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.fields.json import KeyTransform as KT
from django.utils.safestring import SafeString

from incidents import assigning, leading, withholding
from incidents.models import Incident, IncidentEntry, MajorAppointment, MajorIncident
from incidents.models.felt import SIDES
from incidents.models.major import LIVE_STATES, LONGEST_MIN, SHORTEST_MIN, TRANSITIONS
from itsm_backup.portal import tense
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.impact_tree import Impact, impact_of, shows_opening
from itsm_backup.portal.incident_deeds import Step
from itsm_backup.portal.incident_page import Story, alerts_of
from itsm_backup.portal.incident_told import MessageRow, latest_messages, mails_of
from itsm_backup.portal.major_lead import Due, due_of, state_then, steps_then, verdict_class
from itsm_backup.portal.service_list import PAGE, Choice, Paging, paging_of
from itsm_backup.portal.update_page import Telling, telling_of
from itsm_backup.portal.words import apart, clock, many, person, recent

VIEWS = {"": "Open", "candidate": "Candidates", "over": "Over"}
STEPS = {
    ("candidate", "rejected"): ("Reject it", "It is none. The same facts do not propose it again; other services or reasons do."),
    ("declared", "mitigating"): ("It is being mitigated", "The cause is known well enough to work against it."),
    ("mitigating", "resolved"): (
        "Set it to resolved",
        "Possible once its incident is over. The closing message is due within 2 days.",
    ),
    ("resolved", "mitigating"): ("Go back to mitigating", "It is not over after all."),
    ("resolved", "review"): ("Review it", "It is over; now it is asked why it happened, and whether the catalogue was right."),
    ("review", "closed"): ("Close it", "Possible when the closing message was sent and its review is published."),
}
MOST = 100


@dataclass(frozen=True, kw_only=True)
class MajorRow:
    name: Link
    number: str
    incident: Link
    state: str
    manager: str
    lead: str
    due: Due | None
    since: SafeString


@dataclass(frozen=True, kw_only=True)
class MajorsPage:
    sentence: str
    rows: tuple[MajorRow, ...]
    views: tuple[Choice, ...]
    paging: Paging


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part in it: who has it, and who else may."""

    name: str
    label: str
    who: str
    people: tuple[Choice, ...]


@dataclass(frozen=True, kw_only=True)
class MajorPage:
    number: str
    title: str
    incident: Link
    facts: tuple[tuple[str, str | SafeString, str], ...]  # label, value, verdict class or ""
    reasons: tuple[str, ...]
    rejection: str
    may_declare: bool
    parts: tuple[Part, ...]
    may_appoint: bool
    interval: int | None
    limits: tuple[int, int]
    may_time: bool
    steps: tuple[Step, ...]
    refusal: str
    telling: Telling
    latest_told: tuple[MessageRow, ...]  # of the updates and of the messages about its incident, newest first
    impact: Impact
    story: tuple[Story, ...]
    appointments: tuple[tuple[SafeString, str, str, str], ...]  # when, part, who, why


def rows_for(user: Any, moment: Moment) -> QuerySet[Any]:
    """Major incidents that the user may see and that were proposed by then, with the incident as they may read of it."""
    told = Incident.objects.told_to(user).filter(pk=OuterRef("incident")).values("told_title")[:1]
    rows = MajorIncident.objects.visible_to(user).filter(proposed_at__lte=moment.at).annotate(told_title=Subquery(told))
    return rows.select_related("incident", "manager", "communications_lead").defer("incident__impact_at_opening")


def majors_page(*, user: Any, moment: Moment, view: str, page: int) -> MajorsPage:
    """One page of the list; what is due first stands on top."""
    view = view if view in VIEWS else ""
    rows = rows_for(user, moment).filter(_of_view(view, moment))
    total = rows.count()
    first = PAGE * (min(max(1, page), max(1, -(-total // PAGE))) - 1)
    ordered = rows.order_by("-updated_at", "-pk") if view == "over" else rows.order_by("next_update_at", "-updated_at", "-pk")
    shown = list(ordered[first : first + PAGE])
    steps = steps_then(shown, moment) if moment.past else {}
    return MajorsPage(
        sentence=_sentence(total, rows.filter(_of_view("candidate", moment)).count() if not view else 0, view),
        rows=tuple(_row(row, moment, steps) for row in shown),
        views=tuple(Choice(value=moment.href("majors", view=key), words=words, chosen=key == view) for key, words in VIEWS.items()),
        paging=paging_of(first, len(shown), total, PAGE, lambda number: moment.href("majors", view=view, page=number)),
    )


def _title(row: Any, moment: Moment) -> str:
    over = not row.incident.is_open and row.incident.ended_at <= moment.at
    return tense.told(row.told_title or row.number, over=over)


def _of_view(view: str, moment: Moment) -> Q:
    """What the list of this view holds; in the past, what it held then."""
    if not moment.past:
        return {"over": ~Q(state__in=LIVE_STATES), "candidate": Q(state="candidate")}.get(view, Q(state__in=LIVE_STATES))
    over = Q(closed_at__lte=moment.at) | Q(state="rejected", updated_at__lte=moment.at)
    undecided = Q(declared_at=None) | Q(declared_at__gt=moment.at)
    return {"over": over, "candidate": ~over & undecided}.get(view, ~over)


def _sentence(total: int, undecided: int, view: str) -> str:
    if view == "candidate":
        return f"{many(total, 'candidate')} to decide on."
    if not total:
        return "No major incident is over." if view else "No major incident is open."
    waits = f"{many(undecided, 'candidate waits', 'candidates wait')} to be declared or rejected." if undecided else ""
    open_ones = total - undecided
    told = f"{many(open_ones, 'major incident')} {'is' if open_ones == 1 else 'are'} {'over' if view else 'open'}." if open_ones else ""
    return " ".join(filter(None, (told, waits)))


def _row(row: Any, moment: Moment, steps: dict[str, str]) -> MajorRow:
    return MajorRow(
        name=Link(_title(row, moment), moment.href("major", row.number)),
        number=row.number,
        incident=Link(row.incident.number, moment.href("incident", row.incident.number)),
        state=state_then(row, moment, steps),
        manager=person(row.manager) if row.manager and not moment.past else "",
        lead=person(row.communications_lead) if row.communications_lead and not moment.past else "",
        due=None if moment.past else due_of(row, moment),
        since=recent(row.declared_at or row.proposed_at, moment),
    )


def find(*, number: str, user: Any, moment: Moment) -> Any:
    """The major incident if the user may see it and it was proposed by then."""
    then = {f"{side}_then": KT("service", KT(side, "incident__impact_at_opening")) for side in SIDES}
    return rows_for(user, moment).annotate(**then).filter(pk=int(number.upper().removeprefix("MAJ-"))).first()


def major_page(*, major: Any, user: Any, moment: Moment) -> MajorPage:
    """The page of a major incident that `find` gave."""
    may = user.has_perm(leading.DECLARE) and not moment.past
    led = major.manager_id is not None and major.is_live
    appointments = list(major.appointments.filter(at__lte=moment.at).select_related("person").order_by("at", "pk")[:MOST])
    entries = list(_entries(major.incident, user, moment)[:MOST])
    plain = withholding.for_reader(user, [major.incident])
    telling = telling_of(major=major, user=user, moment=moment)
    return MajorPage(
        number=major.number,
        title=_title(major, moment),
        incident=Link(major.incident.number, moment.href("incident", major.incident.number)),
        facts=_facts(major, appointments, moment),
        reasons=tuple(one["words"] for one in major.because),
        rejection=major.rejection,
        may_declare=may and major.state == "candidate",
        parts=_parts(major) if may and (led or major.state == "candidate") else (),
        may_appoint=may and led,
        interval=major.interval_min or leading.interval_for(major.incident.priority),
        limits=(SHORTEST_MIN, LONGEST_MIN),
        may_time=may and major.state in ("declared", "mitigating"),
        steps=tuple(
            Step(to=to, words=words, says=says, needs_reason=TRANSITIONS[major.state, to])
            for (before, to), (words, says) in STEPS.items()
            if before == major.state and may
        ),
        refusal=_refusal(may, moment),
        telling=telling,
        latest_told=tuple(
            replace(one, who=plain(one.who), how=plain(one.how), became=plain(one.became))
            for one in latest_messages(entries, mails_of(major.incident), telling.latest, moment)
        ),
        impact=_impact(major, user, moment),
        story=tuple(Story(when=clock(one.at, moment), text=plain(one.text), who="") for one in entries if one.kind != "mail"),
        appointments=tuple((clock(one.at, moment), one.get_part_display(), person(one.person), one.reason) for one in appointments),
    )


def _entries(incident: Incident, user: Any, moment: Moment) -> QuerySet[IncidentEntry]:
    """The story of the incident, which is that of the major one, too, newest first."""
    rows = IncidentEntry.objects.told_to(user).known_by(moment.at).filter(incident=incident)
    return rows.select_related("by").order_by("-at", "-pk")


def _impact(major: Any, user: Any, moment: Moment) -> Impact:
    """Who feels it, as on the page of its incident."""
    incident = major.incident
    incident.told_title = _title(major, moment)
    for side in SIDES:
        setattr(incident, f"{side}_then", getattr(major, f"{side}_then"))
    opening = shows_opening(incident, "", moment)
    return impact_of(incident=incident, alerts=alerts_of(incident, user, moment), user=user, moment=moment, opening=opening)


def _refusal(may: bool, moment: Moment) -> str:
    if moment.past:
        return "You are looking at the past. Go back to now to work on it."
    return "" if may else "Incident managers lead major incidents."


def _parts(major: Any) -> tuple[Part, ...]:
    seeing = assigning.readers_of(major.incident).values("pk")
    offered = {
        "manager": leading.leaders().filter(pk__in=seeing),
        "communications_lead": leading.communicators().filter(pk__in=seeing),
    }
    return tuple(
        Part(
            name=name,
            label=MajorAppointment.Part(name).label,
            who=person(holder) if (holder := getattr(major, name)) else "",
            people=tuple(
                Choice(value=str(one.pk), words=words, chosen=one.pk == getattr(major, f"{name}_id")) for one, words in apart(people[:200])
            ),
        )
        for name, people in offered.items()
    )


def _facts(major: Any, appointments: list[MajorAppointment], moment: Moment) -> tuple[tuple[str, str | SafeString, str], ...]:
    holders = {one.part: one.person for one in appointments}
    facts: list[tuple[str, str | SafeString, str]] = [("State", state_then(major, moment), "")]
    facts += [(label, person(holders[name]), "") for name, label in MajorAppointment.Part.choices if name in holders]
    if due := due_of(major, moment):
        facts.append(
            (
                "Next update" if moment.past or major.state in ("declared", "mitigating") else "Closing message",
                due.words[:1].upper() + due.words[1:],
                verdict_class(due),
            )
        )
    for label, instant in (("Declared", major.declared_at), ("Resolved", major.resolved_at), ("Closed", major.closed_at)):
        if instant and instant <= moment.at:
            facts.append((label, recent(instant, moment), ""))
    if not major.declared_at:
        facts.append(("Proposed", recent(major.proposed_at, moment), ""))
    return tuple(facts)
