"""What went wrong with a service and what changed about it, newest first, as known at an instant."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db.models import BigIntegerField, CharField, Q, TextField, Value
from django.db.models.functions import Cast, Concat
from django.utils.safestring import SafeString

from catalogue.models import Propagation, ServiceVersion, StatusChange
from incidents import belonging
from incidents.opening import OPENS
from itsm_backup.portal import incident_past, tense
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.incident_list import state_then
from itsm_backup.portal.trouble import grew_later, incident_of, title_of
from itsm_backup.portal.words import STATUSES, instant, many, person, recent
from monitoring.models import Alert, BackupJob, Tool

MOST, KEPT_FOR = 30, dt.timedelta(days=31)


@dataclass(frozen=True, kw_only=True)
class ProblemRow:
    kind: str  # "Incident" or "Alert"
    name: Link
    state: str
    priority: str
    since: SafeString
    note: str = ""
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class HistoryRow:
    when: SafeString
    what: str
    note: str
    why: str = ""


Span = tuple[dt.datetime, dt.datetime]


def problems_of(*, service_id: int, user: Any, moment: Moment, within: Span | None = None) -> tuple[ProblemRow, ...]:
    """Incidents and alerts of the service, open ones first; resolved ones for 31 days. An incident stands once for all its alerts.

    `within` asks for those that were open at some time of a span instead.
    """
    tools = BackupJob.objects.filter(service=service_id, tool__in=Tool.objects.visible_to(user)).values("tool")
    mine = Q(service=service_id) | Q(service=None, tool__in=tools)
    recent_ones = Q(resolved_at=None) | Q(resolved_at__gt=within[0] if within else moment.at - KEPT_FOR)
    if within:
        recent_ones &= Q(opened_at__lt=within[1])
    alerts = Alert.objects.filter(mine, recent_ones, noticed_at__lte=moment.at).select_related("incident_alert__incident__assignee")
    rows: list[tuple[Any, ProblemRow]] = []
    seen = set()
    if moment.past:
        alerts = belonging.with_holder_then(alerts, at=moment.at)
    found = list(alerts.order_by("-opened_at")[: 3 * MOST])
    if moment.past:
        incident_past.hold_then(found, at=moment.at)
    for alert in found:
        incident = incident_of(alert, moment)
        if incident and incident.pk not in seen:
            seen.add(incident.pk)
            rows.append(_incident_row(incident, alert, moment))
        elif incident is None:
            rows.append(_alert_row(alert, moment))
    return tuple(row for _, row in sorted(rows, key=lambda pair: pair[0])[:MOST])


def _incident_row(incident: Any, alert: Alert, moment: Moment) -> tuple[Any, ProblemRow]:
    over = incident.over if moment.past else not incident.is_open
    row = ProblemRow(
        kind="Incident",
        name=Link(_incident_title(incident, alert, moment, over=over), moment.href("incident", incident.number)),
        state=state_then(incident, moment),
        priority=incident.priority,
        since=recent(incident.opened_at, moment),
        note=incident.number + (f", {person(incident.assignee)}" if incident.assignee else ""),
        why=moment.href("explain", "alert", alert.pk),
    )
    return (over, incident.priority, -incident.opened_at.timestamp()), row


def _incident_title(incident: Any, alert: Alert, moment: Moment, *, over: bool) -> str:
    if incident.service_id != alert.service_id:
        return tense.told(title_of(alert, moment), over=over)
    title = incident.title.partition(", due ")[0] if moment.past else incident.title
    return tense.told(title, over=over)


def _alert_row(alert: Alert, moment: Moment) -> tuple[Any, ProblemRow]:
    over = alert.resolved_at is not None and alert.resolved_at <= moment.at
    row = ProblemRow(
        kind="Alert",
        name=Link(title_of(alert, moment), ""),
        state="Resolved" if over else alert.get_state_display().capitalize() if alert.state != "resolved" else "Firing",
        priority=alert.priority,
        since=recent(alert.opened_at, moment),
        note="" if grew_later(alert, moment) else _how_often(alert, over=over or moment.past),
        why=moment.href("explain", "alert", alert.pk),
    )
    return (over, alert.priority, -alert.opened_at.timestamp()), row


def _how_often(alert: Alert, *, over: bool) -> str:
    """How often it happened; while it lasts without an incident, also what would open one."""
    told = many(alert.occurrences, "time")
    if over or alert.severity in OPENS:
        return told
    once_more = alert.alert_class in ("job_failed", "job_missed")
    return f"{told}, watched: {'once more opens an incident' if once_more else 'it opens no incident by itself'}"


def history_of(*, service_id: int, moment: Moment, within: Span | None = None) -> tuple[HistoryRow, ...]:
    """Status changes and versions that came into force, newest first; of a span, or all that there were."""
    changes = StatusChange.objects.filter(service=service_id, at__lte=moment.at).annotate(
        sort=Value("status", output_field=CharField()),
        first=Cast("from_status", TextField()),
        second=Cast("to_status", TextField()),
        ref=Cast("evaluation", BigIntegerField()),
    )
    versions = ServiceVersion.objects.approved().filter(service=service_id, approved_at__lte=moment.at)
    versions = versions.annotate(
        sort=Value("version", output_field=CharField()),
        first=Cast("number", TextField()),
        second=Concat(
            "approver__first_name", Value(" "), "approver__last_name", Value("|"), "approver__username", output_field=TextField()
        ),
        ref=Value(None, output_field=BigIntegerField()),
    )
    reached = Propagation.objects.filter(service=service_id, at__lte=moment.at).annotate(
        sort=Value("propagation", output_field=CharField()),
        first=Cast("status", TextField()),
        second=Value("", output_field=TextField()),
        reason=Value("", output_field=TextField()),
        ref=Cast("pk", BigIntegerField()),
    )
    if within:
        changes = changes.filter(at__gte=within[0], at__lt=within[1])
        reached = reached.filter(at__gte=within[0], at__lt=within[1])
        versions = versions.filter(approved_at__gte=within[0], approved_at__lt=within[1])
    rows = changes.values_list("at", "sort", "first", "second", "reason", "ref").union(
        versions.values_list("approved_at", "sort", "first", "second", "reason", "ref"),
        reached.values_list("at", "sort", "first", "second", "reason", "ref"),
        all=True,
    )
    return tuple(_history_row(*row, moment=moment) for row in rows.order_by("-at")[:MOST])


def _history_row(at: dt.datetime, kind: str, first: str, second: str, reason: str, ref: int | None, *, moment: Moment) -> HistoryRow:
    if kind == "propagation":
        what = f"Affected by a provider: {STATUSES[first][0].lower()}" if first else "Not affected by a provider any more"
        return HistoryRow(when=instant(at), what=what, note="Its own status stays apart.", why=moment.href("explain", "propagation", ref))
    if kind == "version":
        full, _, username = second.rpartition("|")
        return HistoryRow(when=instant(at), what=f"Version {first} approved by {full.strip() or username}", note=reason)
    before = f"{STATUSES[first][0]} → " if first else ""
    why = moment.href("explain", "evaluation", ref) if ref else ""
    return HistoryRow(when=instant(at), what=before + STATUSES[second][0], note=reason, why=why)
