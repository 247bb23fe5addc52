"""One incident: facts, impact, story, and what this person may do with it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import OuterRef, QuerySet, Subquery
from django.utils.html import format_html
from django.utils.safestring import SafeString

from catalogue.duties import names
from catalogue.models import ServiceVersion
from incidents.models import Incident, IncidentEntry
from itsm_backup.common.models import Notice
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.escalation_page import Told, told_of
from itsm_backup.portal.framing import Link
from itsm_backup.portal.impact_tree import Branch, Impact, impact_of
from itsm_backup.portal.incident_list import known_at, state_then
from itsm_backup.portal.service_list import Choice
from itsm_backup.portal.trouble import BAD_NOW
from itsm_backup.portal.words import clock, many, person, recent
from monitoring.models import Alert

MOST_ENTRIES, MOST_ALERTS, MOST_PEOPLE = 100, 50, 200
CHANGE, RESOLVE = "incidents.change_incident", "incidents.resolve_incident"


@dataclass(frozen=True, kw_only=True)
class Story:
    when: SafeString
    text: str
    who: str = ""


@dataclass(frozen=True, kw_only=True)
class AlertRow:
    title: str
    service: Link | None
    state: str
    verdict: str
    count: str
    since: SafeString
    why: str


@dataclass(frozen=True, kw_only=True)
class Deeds:
    """What this person may do with this incident now; `refusal` says why there is nothing to do, and who can."""

    acknowledge: bool = False
    people: tuple[Choice, ...] = ()
    note: bool = False
    resolve: bool = False
    refusal: str = ""


@dataclass(frozen=True, kw_only=True)
class IncidentPage:
    number: str
    title: str
    facts: tuple[tuple[str, str | SafeString, str], ...]  # label, value, verdict class or ""
    priority_reason: str
    impact: Impact
    branches: tuple[Branch, ...]
    alerts: tuple[AlertRow, ...]
    story: tuple[Story, ...]
    told: Told | None
    deeds: Deeds
    why: Link


def find(*, number: str, user: Any, moment: Moment) -> Incident | None:
    """The incident `INC-0001` if the user may see it and it was known at the moment."""
    name = ServiceVersion.objects.in_force(moment.at).filter(service=OuterRef("service")).values("name")[:1]
    incidents = known_at(user, moment).select_related("assignee", "service", "team").annotate(service_name=Subquery(name))
    return incidents.filter(pk=int(number.upper().removeprefix("INC-"))).first()


def incident_page(*, incident: Any, user: Any, moment: Moment) -> IncidentPage:
    """The page of an incident that `find` gave."""
    alerts = _alerts(incident, user, moment)
    impact = impact_of(incident=incident, alerts=alerts, user=user, moment=moment)
    return IncidentPage(
        number=incident.number,
        title=incident.told_title,
        facts=_facts(incident, moment),
        priority_reason=incident.priority_reason,
        impact=impact,
        branches=impact.branches,
        alerts=tuple(_alert_row(alert, moment) for alert in alerts),
        story=_story(incident, user, moment),
        told=told_of(incident=incident, user=user, moment=moment),
        deeds=deeds_of(incident=incident, user=user, moment=moment),
        why=Link("Why this incident?", moment.href("explain", "incident", incident.pk)),
    )


def _alerts(incident: Incident, user: Any, moment: Moment) -> list[Alert]:
    """The alerts of the incident that the user may see, as they were known at the moment."""
    name = ServiceVersion.objects.in_force(moment.at).filter(service=OuterRef("service")).values("name")[:1]
    alerts = Alert.objects.visible_to(user).filter(incident_alert__incident=incident, noticed_at__lte=moment.at)
    rows: QuerySet[Alert] = (
        alerts.select_related("service", "job", "tool").annotate(service_name=Subquery(name)).order_by("opened_at", "pk")
    )
    return list(rows[:MOST_ALERTS])


def _facts(incident: Any, moment: Moment) -> tuple[tuple[str, str | SafeString, str], ...]:
    assignee = incident.assignee if not moment.past or (incident.acknowledged_at and incident.acknowledged_at <= moment.at) else None
    state = state_then(incident, moment) + (f", {person(assignee)}" if assignee else "")
    facts = [
        ("Priority", incident.priority, "bad" if incident.priority in ("P1", "P2") and not incident.over else ""),
        ("State", state, "ok" if incident.over else ""),
        ("Opened", recent(incident.opened_at, moment), ""),
    ]
    if incident.over and incident.resolved_at:
        facts.append(("Resolved", recent(incident.resolved_at, moment), ""))
    if incident.service_name and incident.service_is_seen:
        link = format_html('<a href="{}">{}</a>', moment.href("service", incident.service.code), incident.service_name)
        facts.append(("Hit hardest", link, ""))
    if incident.team:
        facts.append(("Team", str(incident.team), ""))
    return tuple(facts)


def _alert_row(alert: Any, moment: Moment) -> AlertRow:
    over = alert.resolved_at is not None and alert.resolved_at <= moment.at
    state = "resolved" if over else "firing" if alert.state == "resolved" else alert.state
    service = Link(alert.service_name, moment.href("service", alert.service.code)) if alert.service and alert.service_name else None
    return AlertRow(
        title=alert.title,
        service=service,
        state=state.capitalize(),
        verdict=BAD_NOW[state],
        count=many(alert.occurrences, "time"),
        since=clock(alert.opened_at, moment),
        why=moment.href("explain", "alert", alert.pk),
    )


def _story(incident: Incident, user: Any, moment: Moment) -> tuple[Story, ...]:
    entries = IncidentEntry.objects.told_to(user).filter(incident=incident, at__lte=moment.at).select_related("by").order_by("-at", "-pk")
    mails = {(notice.created_at, notice.subject): notice for notice in Notice.objects.filter(key__startswith=f"incident/{incident.pk}/")}
    told = []
    for entry in entries[:MOST_ENTRIES]:
        note = person(entry.by) if entry.by and entry.kind == "note" else ""
        if entry.kind == "mail":
            notice = mails.get((entry.at, entry.text.partition(": ")[2]))
            note = _delivery(notice, moment) if notice else ""
        told.append(Story(when=clock(entry.at, moment), text=entry.text, who=note))
    return tuple(told)


def _delivery(notice: Notice, moment: Moment) -> str:
    """What became of a mail, as far as it was known at the moment; a withheld one says so in its own line."""
    if notice.sent_at and notice.sent_at <= moment.at:
        return f"Sent {notice.sent_at.astimezone(dt.UTC):%d %b %H:%M} UTC"
    if notice.given_up_at:
        return "" if not notice.attempts else f"Given up after {many(notice.attempts, 'attempt')}: {notice.latest_error}"
    if not notice.attempts or moment.past:
        return "Not sent yet"
    return f"Not sent yet, {many(notice.attempts, 'attempt')}: {notice.latest_error}"


def deeds_of(*, incident: Any, user: Any, moment: Moment) -> Deeds:
    """Forms that would be taken if sent now. The past has none; who lacks the right is told who has it."""
    if moment.past:
        return Deeds(refusal="You are looking at the past. Go back to now to work on it.")
    if not user.has_perm(CHANGE):
        who = names(_workers()[:6])
        return Deeds(refusal=f"Operators can work on this. {who} can." if who else "Operators can work on this.")
    if not incident.is_open:
        return Deeds(note=True, refusal=f"{incident.number} is {incident.get_state_display().lower()}.")
    return Deeds(
        acknowledge=incident.state == "new",
        people=tuple(
            Choice(value=str(worker.pk), words=person(worker), chosen=worker.pk == incident.assignee_id)
            for worker in _workers()[:MOST_PEOPLE]
        ),
        note=True,
        resolve=user.has_perm(RESOLVE),
    )


def _workers() -> QuerySet[Any]:
    """People who may work on incidents, by name."""
    people = get_user_model().objects.with_perm(CHANGE, backend="django.contrib.auth.backends.ModelBackend", include_superusers=False)
    return people.filter(is_active=True).order_by("first_name", "last_name", "username")
