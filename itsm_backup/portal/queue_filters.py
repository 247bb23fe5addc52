"""What the list of incidents is narrowed down to: by service, state, priority, team and who handles it, as the address says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from catalogue.models import ServiceVersion
from incidents import belonging
from incidents.models import Incident, IncidentAlert
from incidents.models.escalation import PRIORITIES
from incidents.models.incident import ENDED_STATES, OPEN_STATES
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.service_list import Choice
from monitoring.models import Alert

NAMES = ("service", "state", "priority", "team", "assignee")
ME, NOBODY = "me", "nobody"


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What may be chosen, and what is; `kept` goes into every address of the list and through its forms."""

    service: str
    selects: tuple[tuple[str, str, str, tuple[Choice, ...]], ...]  # name, label, words for no choice, choices
    kept: dict[str, str]


def asked_of(said: Mapping[str, str]) -> dict[str, str]:
    """The filters that an address or a form says, without those that are empty."""
    wanted = {name: said.get(name, "").strip() for name in NAMES}
    return {name: value for name, value in wanted.items() if value}


def kept_in(wanted: Mapping[str, str], view: str) -> dict[str, str]:
    """Those that another view has, too: states are of what is open or of what is over, and some views say who handles it."""
    states = ENDED_STATES if view == "resolved" else OPEN_STATES
    gone = {"state"} if wanted.get("state") not in states else set()
    gone |= {"assignee"} if view in ("mine", "free") else set()
    return {name: value for name, value in wanted.items() if name not in gone}


def narrowed(rows: QuerySet[Incident], wanted: Mapping[str, str], *, user: Any, moment: Moment) -> QuerySet[Incident]:
    """Those that fit all filters; a value that is none matches nothing. What is not on record for the past narrows nothing there."""
    if text := wanted.get("service"):
        rows = rows.filter(_of_service(text, user, moment))
    if priority := wanted.get("priority"):
        rows = rows.filter(priority_then=priority)
    if moment.past:
        return rows
    if state := wanted.get("state"):
        rows = rows.filter(state=state)
    if team := wanted.get("team"):
        rows = rows.filter(team=int(team)) if _is_number(team) else rows.none()
    if (who := wanted.get("assignee")) in (ME, NOBODY):
        rows = rows.filter(assignee=user if who == ME else None)
    elif who:
        rows = rows.filter(assignee=int(who)) if _is_number(who) else rows.none()
    return rows


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 18


def _of_service(text: str, user: Any, moment: Moment) -> Q:
    """One of its alerts of then that the user may see is about a service with this in its code or name."""
    named = ServiceVersion.objects.in_force(moment.at).filter(Q(name__icontains=text) | Q(service__code__icontains=text)).values("service")
    alerts = Alert.objects.visible_to(user).filter(service__in=named)
    if not moment.past:
        return Q(Exists(IncidentAlert.objects.filter(incident=OuterRef("pk"), alert__in=alerts)))
    stayed = belonging.stayed_since(moment.at).filter(incident=OuterRef("pk"), alert__in=alerts)
    left = belonging.left_since(moment.at).filter(left=OuterRef("pk"), alert__in=alerts)
    return Q(Exists(stayed)) | Q(Exists(left))


def offered(wanted: dict[str, str], *, view: str, moment: Moment, whom: tuple[tuple[str, tuple[Choice, ...]], ...]) -> Filters:
    """What is offered in this view; teams and people to those who hand incidents over, whose groups `whom` are."""
    states = ENDED_STATES if view == "resolved" else OPEN_STATES
    groups = dict(whom)
    people = [(ME, "Me"), (NOBODY, "Nobody yet"), *_plain(groups.get("People", ()))]
    offers = (
        ("state", "State", "Any state", () if moment.past else [(one, Incident.State(one).label) for one in states]),
        ("priority", "Priority", "Any priority", [(one, one) for one in PRIORITIES]),
        ("team", "Team", "Any team", _plain(groups.get("Teams", ()))),
        ("assignee", "Handled by", "Anybody", people if view in ("", "resolved") and not moment.past else ()),
    )
    selects = tuple((name, label, empty, _choices(rows, wanted.get(name, ""))) for name, label, empty, rows in offers if rows)
    return Filters(service=wanted.get("service", ""), selects=selects, kept=wanted)


def _plain(group: tuple[Choice, ...]) -> list[tuple[str, str]]:
    """Without the prefix that tells people from teams."""
    return [(one.value.partition(":")[2], one.words) for one in group]


def _choices(rows: Any, chosen: str) -> tuple[Choice, ...]:
    return tuple(Choice(value=value, words=str(words), chosen=value == chosen) for value, words in rows)
