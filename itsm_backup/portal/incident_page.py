"""One incident: facts, impact, story, and what this person may do with it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.fields.json import KeyTransform as KT
from django.utils.html import format_html
from django.utils.safestring import SafeString

from catalogue.models import ServiceVersion
from incidents import assigning, belonging, knowing, withholding
from incidents.models import Incident, IncidentEntry, MajorIncident, PostIncidentReview, Problem
from incidents.models.felt import SIDES
from incidents.models.reviews import READ_EARLY
from itsm_backup.portal import incident_past, incident_related, tense
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.escalation_page import Told, ToldRow, told_of
from itsm_backup.portal.framing import Link
from itsm_backup.portal.impact_tree import Branch, Impact, impact_of, shows_opening
from itsm_backup.portal.incident_deeds import Deeds, deeds_of
from itsm_backup.portal.incident_list import due_of, is_his_then, known_at, state_then
from itsm_backup.portal.incident_told import Mails, MessageRow, delivery, latest_messages, mails_of, notice_of
from itsm_backup.portal.major_lead import Lead, lead_of
from itsm_backup.portal.trouble import BAD_NOW
from itsm_backup.portal.words import clock, clock_within, many, percent, person, recent
from monitoring import naming
from monitoring.methods.workflow import PRIORITIES as BY_LEVELS
from monitoring.models import Alert, BackupRun

MOST_ENTRIES, MOST_ALERTS = 100, 50
A_MINUTE = dt.timedelta(minutes=1)
LEVELS = ("high", "medium", "low")


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
    said: str  # by the tool, in its newest run
    why: str


@dataclass(frozen=True, kw_only=True)
class KnownRow:
    """A known error that fits: what helps, how often it did, and what was said of it here."""

    pk: int
    link: Link
    workaround: str
    rate: str
    said: str
    may_say: bool


@dataclass(frozen=True, kw_only=True)
class Arithmetic:
    """The matrix of BM-PRIO: rows of (impact, ((priority, whether it is this one), …)); and what a person set instead."""

    urgencies: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[str, bool], ...]], ...]
    by_hand: str


@dataclass(frozen=True, kw_only=True)
class IncidentPage:
    number: str
    title: str
    major: Lead | None
    facts: tuple[tuple[str, str | SafeString, str], ...]  # label, value, verdict class or ""
    priority_reason: str
    figures_of: str | None  # the instant of the figures in the reason
    arithmetic: Arithmetic
    related: tuple[tuple[str, Link], ...]
    alerts_went_to: Link | None  # the incident that it was merged into
    impact: Impact
    branches: tuple[Branch, ...]
    alerts: tuple[AlertRow, ...]
    story: tuple[Story, ...]
    told: Told | None
    known: tuple[KnownRow, ...] | None  # None for who may read no known errors
    problem: Link | None
    may_draft: bool
    deeds: Deeds
    why: Link
    latest_told: tuple[MessageRow, ...]  # newest first

    @property
    def told_last(self) -> ToldRow | MessageRow | None:
        by_level = self.told.rows[-1:] if self.told else ()  # whom a level names, rather than its mail
        told: list[ToldRow | MessageRow] = [*by_level, *self.latest_told[:1]]
        return max(told, key=lambda row: row.at.timestamp() if row.at else 0, default=None)


def find(*, number: str, user: Any, moment: Moment) -> Incident | None:
    """The incident `INC-0001` if the user may see it and it was known at the moment."""
    name = ServiceVersion.objects.in_force(moment.at).filter(service=OuterRef("service")).values("name")[:1]
    problem = Problem.objects.filter(problem_incidents__incident=OuterRef("pk")).exclude(state="rejected").order_by("-pk")
    major = MajorIncident.objects.filter(incident=OuterRef("pk")).exclude(state="rejected")
    seen = PostIncidentReview.objects.filter(incident=OuterRef("pk")).order_by("-revision")
    reviews = seen if user.has_perm(READ_EARLY) else seen.filter(state="published")
    told = {"problem_pk": Subquery(problem.values("pk")[:1]), "problem_title": Subquery(problem.values("title")[:1])}
    told |= {"is_major": Exists(major), "is_led": Exists(major.live())}
    told |= {"review_pk": Subquery(reviews.values("pk")[:1]), "review_state": Subquery(reviews.values("state")[:1])}
    told |= {f"{side}_then": KT("service", KT(side, "impact_at_opening")) for side in SIDES}  # the rest of the copy stays where it is
    incidents = known_at(user, moment).annotate(service_name=Subquery(name), **told)
    return incidents.select_related("assignee", "service", "team").filter(pk=int(number.upper().removeprefix("INC-"))).first()


def incident_page(*, incident: Any, user: Any, moment: Moment, impact: str = "") -> IncidentPage:
    """The page of an incident that `find` gave; with `impact` "opening" its impact is the copy that was kept when it opened, which is
    what is shown of one that is over, unless "now" is asked for."""
    alerts = alerts_of(incident, user, moment)
    plain = withholding.for_reader(user, [incident])
    incident.told_title = tense.told(plain(incident.told_title), over=incident.over)
    opening = shows_opening(incident, impact, moment)
    felt = impact_of(incident=incident, alerts=alerts, user=user, moment=moment, opening=opening)
    told = told_of(incident=incident, user=user, moment=moment)
    rows = IncidentEntry.objects.told_to(user).known_by(moment.at).filter(incident=incident).select_related("by")
    entries = list(rows.order_by("-at", "-pk")[:MOST_ENTRIES])
    stood = incident_past.stood_then(incident, alerts, entries, at=moment.at)
    related = incident_related.related(incident, entries, user, moment)
    mails = mails_of(incident)
    major = lead_of(incident=incident, user=user, moment=moment) if incident.is_major else None
    return IncidentPage(
        number=incident.number,
        title=incident.told_title,
        major=major,
        facts=_facts(incident, alerts, told, moment),
        priority_reason=stood.reason,
        figures_of=clock_within(stood.judged_at, moment) if stood.judged_at and stood.judged_at <= moment.at else None,
        arithmetic=_arithmetic(incident, stood),
        related=related,
        alerts_went_to=incident_related.alerts_went_to(related),
        impact=felt,
        branches=felt.branches,
        alerts=tuple(_alert_row(alert, moment, plain, says=naming.is_told_all(user)) for alert in alerts),
        story=tuple(replace(one, text=plain(one.text), who=plain(one.who)) for one in _story(entries, mails, moment)),
        told=told,
        latest_told=tuple(
            replace(one, who=plain(one.who), how=plain(one.how), became=plain(one.became))
            for one in latest_messages(entries, mails, major.messages if major else (), moment)
        ),
        known=_known(incident, user, moment),
        problem=Link(f"PRB-{incident.problem_pk:04d} {incident.problem_title}", moment.href("problem", f"PRB-{incident.problem_pk:04d}"))
        if incident.problem_pk and user.has_perm("incidents.view_problem")
        else None,
        may_draft=not moment.past and bool(incident.signature) and user.has_perm("incidents.add_knownerror"),
        deeds=deeds_of(incident=incident, alerts=alerts, user=user, moment=moment),
        why=Link("Why this incident?", moment.href("explain", "incident", incident.pk)),
    )


def _arithmetic(incident: Any, stood: incident_past.Stood) -> Arithmetic:
    here = (stood.impact, stood.urgency)
    rows = tuple((impact, tuple((BY_LEVELS[impact, urgency], (impact, urgency) == here) for urgency in LEVELS)) for impact in LEVELS)
    by_hand = f"Set to {incident.priority_set} by hand; {incident.priority_set_against} was reckoned then." if incident.priority_set else ""
    return Arithmetic(urgencies=LEVELS, rows=rows, by_hand=by_hand if incident.priority == incident.priority_then else "")


def _known(incident: Incident, user: Any, moment: Moment) -> tuple[KnownRow, ...] | None:
    if not user.has_perm("incidents.view_knownerror"):
        return None
    may_say = not moment.past and user.has_perm(assigning.CHANGE)
    return tuple(
        KnownRow(
            pk=one.known_error.pk,
            link=Link(one.known_error.title, moment.href("known_error", one.known_error.number)),
            workaround=one.known_error.workaround,
            rate=rate_of(one.helped, one.failed),
            said={None: "", True: "it helped", False: "it did not help"}[one.said],
            may_say=may_say,
        )
        for one in (knowing.suggestions_then(incident, at=moment.at) if moment.past else knowing.suggestions_for(incident))
    )


def rate_of(helped: int, failed: int) -> str:
    """`helped 3 of 4 times (75%)`."""
    if not helped + failed:
        return "not tried yet"
    return f"helped {helped:,} of {many(helped + failed, 'time')} ({percent(helped / (helped + failed))})"


def alerts_of(incident: Incident, user: Any, moment: Moment) -> list[Alert]:
    """The alerts of the incident that the user may see, as they were known at the moment."""
    name = ServiceVersion.objects.in_force(moment.at).filter(service=OuterRef("service")).values("name")[:1]
    held = belonging.held_then(incident, at=moment.at) if moment.past else Q(incident_alert__incident=incident)
    alerts = Alert.objects.visible_to(user).filter(held, noticed_at__lte=moment.at)
    runs = BackupRun.objects.visible_to(user).filter(pk=OuterRef("latest_run"), first_seen_at__lte=moment.at)
    rows: QuerySet[Alert] = (
        alerts.select_related("service", "job", "tool")
        .annotate(
            service_name=Subquery(name),
            found_by=F("latest_run__operation"),
            restored=F("latest_run__restore_test__outcome"),
            said=Subquery(runs.values("message")[:1]),
        )
        .order_by("opened_at", "pk")
    )
    return list(rows[:MOST_ALERTS])


def _facts(incident: Any, alerts: list[Alert], told: Told | None, moment: Moment) -> tuple[tuple[str, str | SafeString, str], ...]:
    assignee = person(incident.assignee) if incident.assignee and is_his_then(incident, moment) else ""
    state = state_then(incident, moment) + (f", {assignee}" if assignee else "")
    facts = [
        ("Priority", incident.priority_then, "bad" if incident.priority_then in ("P1", "P2") and not incident.over else ""),
        ("State", state, "ok" if incident.over else ""),
        *_began(incident, alerts, moment),
        ("Opened", recent(incident.known_at, moment), ""),
    ]
    if due := due_of(incident, moment):
        facts.append(("Due", due.words, {"broken": "bad", "at_risk": "risk"}.get(due.verdict, "")))
    if incident.acknowledged_until and incident.is_open and not moment.past:
        facts.append(("Acknowledged until", format_html("{}, then it is told again", clock(incident.acknowledged_until, moment)), ""))
    if told and told.ahead and not incident.acknowledged_at:
        facts.append(("Escalates", format_html("{} to {}", told.ahead[0].when, told.ahead[0].who), ""))
    ended_at = incident.over_since if moment.past else incident.resolved_at
    if incident.over and ended_at:
        facts.append((incident_past.end_then(incident) if moment.past else "Resolved", recent(ended_at, moment), ""))
        if ended := incident_past.how_then(incident) if moment.past else incident_past.how_it_ended(incident):
            facts.append(("How it ended", ended, ""))
    if incident.service_name and incident.service_is_seen:
        link = format_html('<a href="{}">{}</a>', moment.href("service", incident.service.code), incident.service_name)
        facts.append(("Hit hardest", link, ""))
    if incident.review_pk and not moment.past:
        number = f"PIR-{incident.review_pk:04d}"
        words = f"{number}, {PostIncidentReview.State(incident.review_state).label.lower()}"
        facts.append(("Review", format_html('<a href="{}">{}</a>', moment.href("review", number), words), ""))
    if incident.team:
        facts.append(("Team", str(incident.team), ""))
    return tuple(facts)


def _began(incident: Any, alerts: list[Alert], moment: Moment) -> list[tuple[str, SafeString, str]]:
    """Since when it had failed, where that was before it was opened here: pages of its services count from then."""
    begun = min([incident.opened_at, *(alert.opened_at for alert in alerts)])
    if incident.known_at - begun < A_MINUTE:
        return []
    failed = any(alert.opened_at == begun and alert.alert_class == Alert.Class.JOB_FAILED for alert in alerts)
    return [("Failing since" if failed and not incident.over else "Began", recent(begun, moment), "")]


def _alert_row(alert: Any, moment: Moment, plain: Callable[[str], str], *, says: bool) -> AlertRow:
    over = alert.resolved_at is not None and alert.resolved_at <= moment.at
    state = "resolved" if over else "firing" if alert.state == "resolved" else alert.state
    service = Link(alert.service_name, moment.href("service", alert.service.code)) if alert.service and alert.service_name else None
    return AlertRow(
        title=plain(alert.title),
        service=service,
        state=state.capitalize(),
        verdict=BAD_NOW[state],
        count=_count(alert, moment),
        since=clock(alert.opened_at, moment),
        said=(alert.said or "").strip() if says else "",
        why=moment.href("explain", "alert", alert.pk),
    )


def _count(alert: Alert, moment: Moment) -> str:
    """`4 times, the last today 23:40`."""
    newest = f", the last {clock_within(alert.last_seen_at, moment)}" if alert.occurrences > 1 and alert.last_seen_at <= moment.at else ""
    return f"{many(alert.occurrences, 'time')}{newest}"


def _story(entries: list[IncidentEntry], mails: Mails, moment: Moment) -> tuple[Story, ...]:
    told = []
    for entry in entries:
        notice = notice_of(entry, mails)
        by = person(entry.by) if entry.by and person(entry.by) not in entry.text else ""
        note = by if entry.kind != "mail" else delivery(notice, moment) if notice else ""
        told.append(Story(when=clock(entry.at, moment), text=entry.text, who=note))
    return tuple(told)
