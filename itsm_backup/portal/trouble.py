"""Alerts and incidents as pages tell them: what concerned a service at an instant, and who handles it."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.db.models import Q, QuerySet

from incidents import belonging
from incidents.models import Incident
from itsm_backup.common.time import duration_words
from itsm_backup.portal import incident_past
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.standing import Between
from itsm_backup.portal.words import clock_within, many, person, short_instant
from monitoring.models import Alert, BackupJob, Evaluation, Tool
from monitoring.wording import status_sentence

SEVERITIES = ("critical", "error", "warning", "info")
BAD_NOW = {"firing": "broken", "pending": "at_risk", "acknowledged": "at_risk", "suppressed": "held", "resolved": "kept"}


def known_at(alerts: QuerySet[Alert], at: dt.datetime) -> QuerySet[Alert]:
    """Alerts that were noticed by then and not over yet."""
    return alerts.filter(Q(resolved_at=None) | Q(resolved_at__gt=at), noticed_at__lte=at)


def flapping_at(moment: Moment) -> QuerySet[Alert]:
    """Alerts of jobs that kept failing and recovering at the moment, as it was known then."""
    return known_at(Alert.objects.filter(alert_class=Alert.Class.JOB_FLAPPING, opened_at__lte=moment.at), moment.at)


def alerts_of(service_ids: Iterable[int], *, user: Any, moment: Moment) -> dict[int, list[Alert]]:
    """Alerts of each visible service that were open at the moment, most severe first; those of a silent tool only to who may see it."""
    ids = list(service_ids)
    if not ids:
        return {}
    jobs = BackupJob.objects.filter(service__in=ids, tool__in=Tool.objects.visible_to(user))
    mine = Q(service__in=ids) | Q(service=None, tool__in=jobs.values("tool"))
    rows = known_at(Alert.objects.filter(mine), moment.at).select_related("incident_alert__incident__assignee")
    alerts = list(belonging.with_holder_then(rows, at=moment.at) if moment.past else rows)
    if moment.past:
        incident_past.hold_then(alerts, at=moment.at)
    served = defaultdict(set)
    if any(alert.service_id is None for alert in alerts):  # a silent tool concerns every service that it protects
        for tool, service in jobs.values_list("tool", "service").distinct():
            served[tool].add(service)
    found: dict[int, list[Alert]] = defaultdict(list)
    for alert in alerts:
        for service in [alert.service_id] if alert.service_id else served[alert.tool_id]:
            found[service].append(alert)
    return {service: sorted(alerts, key=lambda one: (SEVERITIES.index(one.severity), one.opened_at)) for service, alerts in found.items()}


def reasons_of(rows: Iterable[Any], moment: Moment, known_today: Between) -> dict[int, str]:
    """Why each of these rows of `standings` stands where it does, by service, in a sentence that no clock makes wrong."""
    rows = list(rows)
    judged = {one.pk: one for one in Evaluation.objects.filter(pk__in=[row.judgement for row in rows if row.judgement])}
    return {row.service_id: _bridged_reason(row, known_today) or _reason(row, judged.get(row.judgement), moment) for row in rows}


def _bridged_reason(row: Any, known_today: Between) -> str:
    """What a judgement gave as its reason does not hold where it did not reach."""
    one = known_today.get(row.service_id)
    return f"Not judged at that time; last judged {short_instant(one.judged_at)}." if one and one.unwatched else ""


def _reason(row: Any, judged: Evaluation | None, moment: Moment) -> str:
    if judged is None:
        return "It is not judged yet."
    if judged.result["status_reason"] in ("rpo_exceeded", "rpo_far_exceeded", "rpo_nearly_used"):
        # The age itself stands beside it and goes on counting.
        if row.next_due_at is None:
            return "" if moment.past else "No next run is known."
        return f"Next run due {clock_within(row.next_due_at, moment)}."
    return status_sentence(judged.inputs, judged.result)


def what_is_known(alerts: list[Alert], reason: str, moment: Moment) -> str:
    """What records prove about a service in trouble, in a sentence or two: its bad runs first, else the reason of its status."""
    failed = next((alert for alert in alerts if alert.alert_class == Alert.Class.JOB_FAILED), None)
    if failed:
        since = clock_within(failed.opened_at, moment)
        cause = f" {failed.cause_title[:1].upper()}{failed.cause_title[1:]}." if failed.cause_title else ""
        runs = "Failed runs" if grew_later(failed, moment) else many(failed.occurrences, "failed run")
        return f"{runs} since {since}.{cause}"
    if flaps := next((alert for alert in alerts if alert.alert_class == Alert.Class.JOB_FLAPPING), None):
        return f"{title_of(flaps, moment)}, since {clock_within(flaps.opened_at, moment)}."
    told = next((alert for alert in alerts if alert.alert_class in (Alert.Class.JOB_MISSED, Alert.Class.SOURCE_STALE)), None)
    if told and told.alert_class == Alert.Class.SOURCE_STALE:  # what the tool said, which may be long, stands in the alert
        seen = clock_within(told.opened_at, moment)
        return f"{told.title.partition(': ')[0]}. Noticed {seen}; nothing is known since."
    return f"{title_of(told, moment)}." if told else reason


def grew_later(alert: Alert, moment: Moment) -> bool:
    """Whether the alert was seen again after the moment: its count and its latest occurrence are of later."""
    return moment.past and alert.last_seen_at > moment.at


def title_of(alert: Alert, moment: Moment) -> str:
    """The alert's title, without the latest occurrence that it names when that came after the moment."""
    return alert.title.partition(", due ")[0] if grew_later(alert, moment) else alert.title


def handled_in(alerts: list[Alert], moment: Moment) -> tuple[Link | None, str]:
    """Where the trouble is handled, and by whom since when."""
    incident = next((incident for alert in alerts if (incident := incident_of(alert, moment))), None)
    if incident:
        since = duration_words((moment.at - incident.known_at).total_seconds())
        who = person(incident.assignee) if incident.assignee else "Nobody yet"
        return Link(incident.number, moment.href("incident", incident.number)), f"{who}, {since}"
    if alerts:
        return Link("Alert", moment.href("explain", "alert", alerts[0].pk)), "Watching, no incident"
    return None, ""


def incident_of(alert: Alert, moment: Moment) -> Incident | None:
    """The incident that the alert belonged to then, of alerts that were held as `hold_then` has it; one that was cancelled handles none."""
    held: Any = getattr(alert, "incident_alert", None)
    if held is None or held.attached_at > moment.at:
        return None
    incident: Any = held.incident
    if moment.past:
        return None if incident.over and incident_past.end_then(incident) == "Cancelled" else incident
    return None if incident.state == Incident.State.CANCELLED else incident
