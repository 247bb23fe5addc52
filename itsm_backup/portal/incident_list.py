"""The incidents list: what is open by its time to breach, mine, nobody's, or resolved; and what can be done to many at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery, TextField, Value
from django.db.models.functions import Cast, Coalesce, Concat, NullIf, Trim
from django.utils.safestring import SafeString

from catalogue.models import ServiceVersion, Team
from incidents import assigning, belonging, withholding
from incidents.models import Incident, IncidentAlert, IncidentEntry, MajorIncident
from incidents.models.incident import ENDED_AT, ENDED_STATES, OPEN_STATES
from itsm_backup.common.time import duration_words
from itsm_backup.portal import incident_past, queue_filters, tense
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.service_list import PAGE, Choice, Paging, paging_of
from itsm_backup.portal.words import many, person, recent
from monitoring.models import Alert

VIEWS = {"": "Open", "mine": "Mine", "free": "Nobody's yet", "resolved": "Resolved"}
MOST = 200
MOST_COUNTED = 10_000  # of a list: ten years of what is over are not counted for each look
SOON = 0.25  # of the time that a target gives is left: it is at risk


@dataclass(frozen=True, kw_only=True)
class Due:
    """What its target asks for next: `Acknowledge in 12 min`."""

    words: str
    verdict: str


@dataclass(frozen=True, kw_only=True)
class IncidentRow:
    name: Link
    number: str
    priority: str
    state: str
    service: Link | None
    assignee: str
    opened: SafeString
    alerts: int
    due: Due | None = None
    major: bool = False


@dataclass(frozen=True, kw_only=True)
class IncidentsPage:
    sentence: str
    rows: tuple[IncidentRow, ...]
    views: tuple[Choice, ...]  # value is the address
    paging: Paging
    view: str
    number: int
    filters: queue_filters.Filters
    whom: tuple[tuple[str, tuple[Choice, ...]], ...] = ()  # to whom many can be handed, in groups; empty for who may not


def known_at(user: Any, moment: Moment) -> QuerySet[Incident]:
    """Incidents that the user may see and that were known at the moment, with `over` telling whether they had ended by then."""
    rows = Incident.objects.told_to(user)
    if not moment.past:
        return rows.annotate(over=Q(state__in=ENDED_STATES), priority_then=F("priority"))
    handed = IncidentEntry.objects.filter(incident=OuterRef("pk"), kind="state", text__startswith="Handed to ", at__gt=moment.at)
    rows = incident_past.with_end_then(incident_past.known_then(rows, at=moment.at), at=moment.at)
    return incident_past.with_priority_then(rows, at=moment.at).annotate(handed_since=Exists(handed))


def incidents_page(*, user: Any, moment: Moment, view: str, page: int, asked: Mapping[str, str] | None = None) -> IncidentsPage:
    """One page of the list; `view` is one of VIEWS, `asked` holds filters as the address gives them."""
    view = view if view in VIEWS else ""
    wanted = queue_filters.asked_of(asked or {})
    incidents = queue_filters.narrowed(known_at(user, moment), wanted, user=user, moment=moment)
    if view == "resolved":
        is_over = Q(over=True) if moment.past else Q(state__in=ENDED_STATES)
        incidents = incidents.filter(is_over).order_by(F("over_since").desc() if moment.past else ENDED_AT.desc(), "-pk")
    else:
        first_due = () if moment.past else (F("breach_at").asc(nulls_last=True),)
        is_open = Q(over=False) if moment.past else Q(state__in=OPEN_STATES)
        incidents = incidents.filter(is_open, _narrowed(view, user, moment)).order_by(*first_due, "priority_then", "known_at", "pk")
    counted = incidents.order_by().values("pk")
    total = (counted[:MOST_COUNTED] if view == "resolved" else counted).count()
    capped = view == "resolved" and total == MOST_COUNTED
    first = PAGE * (min(max(1, page), max(1, -(-total // PAGE))) - 1)
    name = ServiceVersion.objects.in_force(moment.at).filter(service=OuterRef("service")).values("name")[:1]
    led = MajorIncident.objects.live().filter(incident=OuterRef("pk"), manager__isnull=False)
    rows = incidents.annotate(service_name=Subquery(name), alerts=_how_many_alerts(user, moment), major=Exists(led))
    rows = rows.select_related("assignee", "service")
    shown = list(rows[first : first + PAGE])
    withholding.retitle(user, shown)
    groups = whom(user) if not moment.past and user.has_perm(assigning.CHANGE) else ()
    return IncidentsPage(
        sentence=("At least " if capped else "") + _sentence(total, view, moment, narrowed=bool(wanted)),
        rows=tuple(_row(incident, moment) for incident in shown),
        views=tuple(
            Choice(value=moment.href("incidents", view=key, **queue_filters.kept_in(wanted, key)), words=words, chosen=key == view)
            for key, words in VIEWS.items()
        ),
        paging=paging_of(
            first, len(shown), total, PAGE, lambda number: moment.href("incidents", view=view, page=number, **wanted), at_least=capped
        ),
        view=view,
        number=first // PAGE + 1,
        filters=queue_filters.offered(wanted, view=view, moment=moment, whom=groups),
        whom=groups if shown and view != "resolved" else (),
    )


def whom(user: Any, incident: Any = None) -> tuple[tuple[str, tuple[Choice, ...]], ...]:
    """People who may work on incidents and teams, as groups to choose from; whose `incident` it is stands chosen."""
    full = NullIf(Trim(Concat("first_name", Value(" "), "last_name")), Value(""))
    people = (
        (assigning.workers_on(incident) if incident else assigning.workers())
        .order_by()
        .values_list(Value("person"), "pk", Coalesce(full, "username"), "username")
    )
    teams = Team.objects.visible_to(user).order_by().values_list(Value("team"), "pk", Cast("name", TextField()), Value(""))
    found = list(people.union(teams))  # one question for both
    often = Counter(name for _, _, name, login in found if login)
    named = [(kind, pk, f"{name} ({login})" if login and often[name] > 1 else name) for kind, pk, name, login in found]
    rows = sorted(named, key=lambda row: row[2])
    mine = ("person", incident.assignee_id if incident else None)
    groups = {
        head: tuple(Choice(value=f"{kind}:{pk}", words=words, chosen=(kind, pk) == mine) for kind, pk, words in rows if kind == wanted)[
            :MOST
        ]
        for head, wanted in (("People", "person"), ("Teams", "team"))
    }
    return tuple((head, group) for head, group in groups.items() if group)


def due_of(incident: Incident, moment: Moment) -> Due | None:
    """What is due next; None while it is held or over, where nothing is due, and in the past."""
    if moment.past or incident.breach_at is None:
        return None
    act = "Resolve" if incident.acknowledged_at else "Acknowledge"
    left_s = (incident.breach_at - moment.at).total_seconds()
    if left_s < 0:
        return Due(words=f"{act}: {duration_words(-left_s)} late", verdict="broken")
    soon = left_s <= SOON * (incident.breach_at - incident.known_at).total_seconds()
    return Due(words=f"{act} in {duration_words(left_s)}", verdict="at_risk" if soon else "kept")


def _how_many_alerts(user: Any, moment: Moment) -> Any:
    """Alerts of an incident that the user may see; in the past, those that it held then."""
    seen = Alert.objects.visible_to(user)
    if not moment.past:
        return _count(IncidentAlert.objects.filter(incident=OuterRef("pk"), alert__in=seen), "incident")
    stayed = belonging.stayed_since(moment.at).filter(incident=OuterRef("pk"), alert__in=seen)
    left = belonging.left_since(moment.at).filter(left=OuterRef("pk"), alert__in=seen)
    return _count(stayed, "incident") + _count(left, "left")


def _count(rows: QuerySet[Any], by: str) -> Coalesce:
    return Coalesce(Subquery(rows.order_by().values(by).annotate(of=Count("pk")).values("of")), 0)


def _sentence(total: int, view: str, moment: Moment, *, narrowed: bool) -> str:
    if narrowed:
        return f"{many(total, 'incident')} {'matches' if total == 1 else 'match'}."
    if view == "resolved":
        return f"{many(total, 'incident')} resolved."
    if view == "mine":
        return f"{many(total, 'open incident')} with you."
    if view == "free":
        return f"{many(total, 'open incident')} with nobody yet."
    verb = ("was" if total == 1 else "were") if moment.past else ("is" if total == 1 else "are")
    return f"{many(total, 'incident')} {verb} open." if total else f"No incident {'was' if moment.past else 'is'} open."


def _row(incident: Any, moment: Moment) -> IncidentRow:
    named = incident.service_name and incident.service_is_seen
    service = Link(incident.service_name, moment.href("service", incident.service.code)) if named else None
    return IncidentRow(
        name=Link(tense.told(incident.told_title, over=incident.over), moment.href("incident", incident.number)),
        number=incident.number,
        priority=incident.priority_then,
        state=state_then(incident, moment),
        service=service,
        assignee=_whose(incident, moment),
        opened=recent(incident.known_at, moment),
        alerts=incident.alerts,
        due=due_of(incident, moment),
        major=incident.major and not moment.past,
    )


def _narrowed(view: str, user: Any, moment: Moment) -> Q:
    """Whose; in the past by what `is_his_then` asks."""
    taken, kept = Q(acknowledged_at__isnull=False, acknowledged_at__lte=moment.at), Q(handed_since=False)
    if view == "mine":
        return Q(assignee=user) & taken & kept if moment.past else Q(assignee=user)
    if view == "free":
        return ~taken | (Q(assignee=None) & kept) if moment.past else Q(assignee=None)
    return Q()


def is_his_then(incident: Any, moment: Moment) -> bool:
    """Whether whose it is now had it then: in the past, only where it was taken by then and handed to nobody since."""
    return not moment.past or bool(incident.acknowledged_at and incident.acknowledged_at <= moment.at and not incident.handed_since)


def _whose(incident: Any, moment: Moment) -> str:
    if incident.assignee and is_his_then(incident, moment):
        return person(incident.assignee)
    return "Handed on since" if moment.past and incident.handed_since and state_then(incident, moment) != "New" else "Nobody yet"


def state_then(incident: Any, moment: Moment) -> str:
    """The state as it was: in the past, only what instants on record prove."""
    if not moment.past:
        return str(incident.get_state_display())
    if incident.over:
        return incident_past.end_then(incident)
    if incident.paused_since:
        return str(Incident.State.ON_HOLD.label)
    return "In progress" if incident.acknowledged_at and incident.acknowledged_at <= moment.at else "New"
