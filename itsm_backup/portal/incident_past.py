"""Incidents as they were at an instant of the past: whether they were known, whether they were over, and which alerts they held."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from typing import Any

from django.db.models import Case, DateTimeField, Exists, Func, OuterRef, Q, QuerySet, Subquery, Value, When

from incidents import belonging
from incidents.models import Incident, IncidentEntry
from monitoring.models import Alert

_ENDED = re.compile(rf"\(({'|'.join(Incident.Resolution.labels)}); ({'|'.join(Incident.CauseCategory.labels)}); ")


class _PausedSince(Func):
    """When the span began in which an instant lies, of those in which it was over or on hold and is not any more."""

    template = (
        "(SELECT max((span->>0)::timestamptz) FROM jsonb_array_elements(%(expressions)s BETWEEN (span->>0)::timestamptz "
        "AND coalesce((span->>1)::timestamptz - interval '1 microsecond', 'infinity'))"
    )
    arg_joiner = ") AS span WHERE "
    output_field = DateTimeField()


def known_then(rows: QuerySet[Incident], *, at: dt.datetime) -> QuerySet[Incident]:
    """Those that were there at `at`: its first alert had come into it by then, or it was split off by then."""
    lines = IncidentEntry.objects.filter(incident=OuterRef("pk"))
    opened = lines.filter(kind="opened", alert__incident_alert__attached_at__lte=at)
    split = lines.filter(kind="split", text__startswith="Split off from ", at__lte=at)
    return rows.filter(Exists(opened) | Exists(split), opened_at__lte=at)


def with_end_then(rows: QuerySet[Incident], *, at: dt.datetime) -> QuerySet[Incident]:
    """Each with `over`, whether it had ended by then, `over_since`, and `ended_with`, the line of one that was reopened since."""
    paused = Case(When(reopened__gt=0, then=_PausedSince("holds", Value(at, DateTimeField()))), output_field=DateTimeField())
    lines = IncidentEntry.objects.filter(incident=OuterRef("pk"), kind="state", at=OuterRef("paused_since")).order_by("-pk")
    rows = rows.annotate(paused_since=paused).annotate(ended_with=Subquery(lines.values("text")[:1]))
    over_since = Case(
        When(state="cancelled", updated_at__lte=at, then="updated_at"),
        When(resolved_at__lte=at, then="resolved_at"),
        When(ended_with__startswith="On hold", then=None),
        default="paused_since",
    )
    return rows.annotate(over_since=over_since).annotate(over=Q(over_since__isnull=False))


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


def hold_then(alerts: Sequence[Alert], *, at: dt.datetime) -> None:
    """Have each of these alerts name the incident that held it at `at`, with its end of then, in memory only."""
    holders = belonging.holders_then(alerts, at=at)
    rows = with_end_then(Incident.objects.filter(pk__in=holders.values()).select_related("assignee"), at=at)
    found = {row.pk: row for row in rows}
    for alert in alerts:
        if held := getattr(alert, "incident_alert", None):
            held.incident = found.get(holders.get(alert.pk, 0), held.incident)
