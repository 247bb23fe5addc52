"""Incidents as they were at an instant of the past: whether they were known, whether they were over, and which alerts they held."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, DateTimeField, Exists, Func, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce, Substr

from incidents import prioritising
from incidents.models import Incident, IncidentEntry
from monitoring.models import Alert

_ENDED = re.compile(rf"\(({'|'.join(Incident.Resolution.labels)}); ({'|'.join(Incident.CauseCategory.labels)}); ")


@dataclass(frozen=True)
class Stood:
    """Why a priority was what it was, and when that was known; impact and urgency are empty where a person set it."""

    reason: str
    judged_at: dt.datetime | None
    impact: str
    urgency: str


class _PausedSince(Func):
    """When the span began in which an instant lies, of those in which it was over or on hold and is not any more."""

    template = (
        "(SELECT max((span->>0)::timestamptz) FROM jsonb_array_elements(%(expressions)s BETWEEN (span->>0)::timestamptz "
        "AND coalesce((span->>1)::timestamptz - interval '1 microsecond', 'infinity'))"
    )
    arg_joiner = ") AS span WHERE "
    output_field = DateTimeField()


def known_then(rows: QuerySet[Incident], *, at: dt.datetime) -> QuerySet[Incident]:
    """Those that were there at `at`: opened by then, or split off by then."""
    split = IncidentEntry.objects.filter(incident=OuterRef("pk"), kind="split", text__startswith="Split off from ", at__lte=at)
    return rows.filter(Q(split_from=None) | Exists(split), opened_at__lte=at, known_at__lte=at)


def with_end_then(rows: QuerySet[Incident], *, at: dt.datetime) -> QuerySet[Incident]:
    """Each with `over`, whether it had ended by then, `over_since`, and `ended_with`, the line of one that was reopened since.

    `paused_since` of one that was not over is since when it was on hold.
    """
    paused = Case(When(~Q(holds=[]), then=_PausedSince("holds", Value(at, DateTimeField()))), output_field=DateTimeField())
    lines = IncidentEntry.objects.filter(incident=OuterRef("pk"), kind="state", at=OuterRef("paused_since")).order_by("-pk")
    rows = rows.annotate(paused_since=paused).annotate(ended_with=Subquery(lines.values("text")[:1]))
    over_since = Case(
        When(state="cancelled", updated_at__lte=at, then="updated_at"),
        When(resolved_at__lte=at, then="resolved_at"),
        When(Q(ended_with__startswith="On hold") | Q(reopened=0), then=None),
        default="paused_since",
    )
    return rows.annotate(over_since=over_since).annotate(over=Q(over_since__isnull=False))


def open_then(rows: QuerySet[Incident], *, at: dt.datetime) -> QuerySet[Incident]:
    """Those that were open at `at`."""
    return rows.filter(pk__in=with_end_then(known_then(Incident.objects.all(), at=at), at=at).filter(over=False).values("pk"))


def end_then(incident: Any) -> str:
    """`Resolved` or `Cancelled`, of one that was over then."""
    called_off = incident.state == "cancelled" if incident.over_since == incident.updated_at else _words(incident).startswith("Cancelled")
    return "Cancelled" if called_off else "Resolved"


def how_it_ended(incident: Incident) -> str:
    """`Fixed, storage and capacity`; empty for what was cancelled."""
    told = (incident.get_resolution_display(), incident.get_cause_category_display().lower())
    return ", ".join(filter(None, told)) if incident.resolution else ""


def how_then(incident: Any) -> str:
    """How one ended that was over then, as the incident says, or the line of that end where it was reopened since."""
    if incident.over_since != incident.paused_since:
        return how_it_ended(incident)
    if told := _ENDED.search(_words(incident)):
        return f"{told[1]}, {told[2].lower()}"
    return str(Incident.Resolution.RECOVERED.label) if _words(incident).startswith("Resolved: ") else ""


def _words(incident: Any) -> str:
    return incident.ended_with or ""


def hold_then(alerts: Sequence[Any], *, at: dt.datetime) -> None:
    """Have each of these alerts of `with_holder_then` name the incident that held it at `at`, with its end of then, in memory only.

    Incidents are read again only where an alert was moved since, or one was held or reopened: the rest have their end on record themselves.
    """
    links: list[Any] = [held for alert in alerts if (held := getattr(alert, "incident_alert", None))]
    for held in links:
        held.incident.over = held.incident.ended_at <= at and not held.incident.is_open
        held.incident.over_since, held.incident.paused_since, held.incident.ended_with = held.incident.ended_at, None, None
    moved = {alert.pk: pk for alert in alerts if (pk := alert.moved_from)}
    if not moved and not any(held.incident.holds for held in links):
        return
    holders = {held.alert_id: moved.get(held.alert_id, held.incident_id) for held in links}
    rows = with_end_then(Incident.objects.filter(pk__in=holders.values()).select_related("assignee"), at=at)
    found = {row.pk: row for row in rows}
    for held in links:
        held.incident = found.get(holders.get(held.alert_id, 0), held.incident)


def with_priority_then(rows: QuerySet[Incident], *, at: dt.datetime) -> QuerySet[Incident]:
    """Each with `priority_then`, which the first line names that tells of another one since."""
    lines = IncidentEntry.objects.filter(incident=OuterRef("pk"), kind="priority", at__gt=at, text__regex=r"^P[1-5], was P[1-5]")
    was = Substr(Subquery(lines.order_by("at", "pk").values("text")[:1]), len("P1, was ") + 1, 2)
    return rows.annotate(priority_then=Coalesce(was, "priority"))


def stood_then(incident: Any, alerts: Sequence[Alert], entries: Sequence[IncidentEntry], *, at: dt.datetime) -> Stood:
    """Why its priority was what it was, of one that `with_priority_then` gave: as it says now where that was so then, or else by what
    was judged by then, or by the line of its story where that makes another one.
    """
    is_of_then = incident.judged_at is None or incident.judged_at <= at
    if is_of_then and incident.priority == incident.priority_then:
        return Stood(incident.priority_reason, incident.judged_at, incident.impact, incident.urgency)
    found = prioritising.weigh_then(alerts, at=at)
    if found and found["priority"] == incident.priority_then:
        return Stood(found["reason"], found["judged_at"], found["impact"], found["urgency"])
    line = next((one for one in entries if one.kind == "priority"), None)
    return Stood(re.sub(r"^P[1-5], was P[1-5]\. ", "", line.text), line.at, "", "") if line else Stood("", None, "", "")
