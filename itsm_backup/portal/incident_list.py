"""The incidents list: open ones by urgency, mine, or resolved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.utils.safestring import SafeString

from catalogue.models import ServiceVersion
from incidents.models import Incident, IncidentAlert
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.service_list import PAGE, Choice, Paging, paging_of
from itsm_backup.portal.words import many, person, recent
from monitoring.models import Alert

VIEWS = {"": "Open", "mine": "Mine", "resolved": "Resolved"}


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


@dataclass(frozen=True, kw_only=True)
class IncidentsPage:
    sentence: str
    rows: tuple[IncidentRow, ...]
    views: tuple[Choice, ...]  # value is the address
    paging: Paging


def known_at(user: Any, moment: Moment) -> QuerySet[Incident]:
    """Incidents that the user may see and that were known at the moment, with `over` telling whether they had ended by then."""
    over = Q(resolved_at__isnull=False, resolved_at__lte=moment.at) | Q(state="cancelled")
    known = IncidentAlert.objects.filter(attached_at__lte=moment.at).values("incident")
    return Incident.objects.told_to(user).filter(pk__in=known).annotate(over=over)


def incidents_page(*, user: Any, moment: Moment, view: str, page: int) -> IncidentsPage:
    """One page of the list; `view` is empty, "mine" or "resolved"."""
    view = view if view in VIEWS else ""
    incidents = known_at(user, moment)
    if view == "resolved":
        incidents = incidents.filter(over=True).order_by("-resolved_at", "-pk")
    else:
        incidents = incidents.filter(over=False, **({"assignee": user} if view == "mine" else {})).order_by("priority", "opened_at", "pk")
    total = incidents.count()
    first = PAGE * (min(max(1, page), max(1, -(-total // PAGE))) - 1)
    name = ServiceVersion.objects.in_force(moment.at).filter(service=OuterRef("service")).values("name")[:1]
    seen = Q(incident_alerts__alert__in=Alert.objects.visible_to(user))
    rows = incidents.annotate(service_name=Subquery(name), alerts=Count("incident_alerts", filter=seen))
    rows = rows.select_related("assignee", "service")
    shown = list(rows[first : first + PAGE])
    return IncidentsPage(
        sentence=_sentence(total, view, moment),
        rows=tuple(_row(incident, moment) for incident in shown),
        views=tuple(Choice(value=moment.href("incidents", view=key), words=words, chosen=key == view) for key, words in VIEWS.items()),
        paging=paging_of(first, len(shown), total, PAGE, lambda number: moment.href("incidents", view=view, page=number)),
    )


def _sentence(total: int, view: str, moment: Moment) -> str:
    if view == "resolved":
        return f"{many(total, 'incident')} resolved."
    if view == "mine":
        return f"{many(total, 'open incident')} with you."
    verb = ("was" if total == 1 else "were") if moment.past else ("is" if total == 1 else "are")
    return f"{many(total, 'incident')} {verb} open." if total else f"No incident {'was' if moment.past else 'is'} open."


def _row(incident: Any, moment: Moment) -> IncidentRow:
    named = incident.service_name and incident.service_is_seen
    service = Link(incident.service_name, moment.href("service", incident.service.code)) if named else None
    return IncidentRow(
        name=Link(incident.told_title, moment.href("incident", incident.number)),
        number=incident.number,
        priority=incident.priority,
        state=state_then(incident, moment),
        service=service,
        assignee=person(incident.assignee) if incident.assignee else "Nobody yet",
        opened=recent(incident.opened_at, moment),
        alerts=incident.alerts,
    )


def state_then(incident: Incident, moment: Moment) -> str:
    """The state as it was: in the past, only what instants on record prove."""
    if not moment.past:
        return incident.get_state_display()
    if incident.resolved_at and incident.resolved_at <= moment.at:
        return "Resolved"
    return "In progress" if incident.acknowledged_at and incident.acknowledged_at <= moment.at else "New"
