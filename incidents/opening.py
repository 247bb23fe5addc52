"""Alerts → incidents: one per cause, never two for one, however many workers come at once and however late they come."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from itertools import groupby

from django.db import IntegrityError, transaction
from django.db.models import DateTimeField, Exists, OuterRef, Q, Value
from django.db.models.functions import Coalesce

from incidents import announcing, escalating, feeling, joining, prioritising, recognising, resolving, targeting, waiting, weighing
from incidents.models import Incident, IncidentAlert, IncidentEntry
from incidents.models.incident import ENDED_STATES, OPEN_STATES
from itsm_backup.common.time import iso
from monitoring.carrying import each, grouped
from monitoring.models import Alert
from monitoring.models.alerts import OPEN_STATES as OPEN_ALERTS

OPENS = ("error", "critical")  # a first failure is watched; it joins an incident of its cause, but opens none
OVER = ("resolved", "closed")
LATELY = dt.timedelta(days=7)  # what was over for longer than this when it became known makes no incident
BATCH = 500


def open_for_alerts(*, at: dt.datetime) -> int:
    """Give every alert that calls for one its incident, in the order they began; returns how many were attached or reopened."""
    back = each(_happening_again(), lambda pk: _reopen_again(pk, at), "reopening incident")
    attached = grouped(_without_incident(at), lambda ids: _handle_alike(ids, at), "opening an incident for alert")
    return back + attached + each(_better_known(), lambda pk: _learn(pk, at), "naming the cause for alert")


def _without_incident(at: dt.datetime) -> list[list[int]]:
    """Alerts without incident that are grave enough for one, or share cause and time with one; those of one cause in a row together."""
    until = Coalesce(OuterRef("resolved_at"), Value(at, output_field=DateTimeField()))
    lasting = Q(state__in=OPEN_STATES) | Q(state__in=OVER, resolved_at__gte=OuterRef("opened_at"))
    merged = Q(merged__cause_key=OuterRef("cause_key"))
    shared = Incident.objects.filter(lasting, Q(cause_key=OuterRef("cause_key")) | merged, opened_at__lte=until)
    told = Q(state__in=OPEN_ALERTS) | Q(resolved_at__gte=at - LATELY)
    found = Alert.objects.filter(told, incident_alert=None).filter(Q(severity__in=OPENS) | Exists(shared))
    rows = found.order_by("opened_at", "pk").values_list("pk", "cause_key")[:BATCH]
    return [[pk for pk, _ in some] for _, some in groupby(rows, lambda row: row[1])]


def _handle_alike(ids: Sequence[int], at: dt.datetime) -> int:
    """Alerts of one cause: what plainly goes with one of them joins together with it, and is weighed once for all of them."""
    left, done = list(ids), 0
    while left:
        first, *left = left
        handled = _handle(first, left, at)
        done += len(handled)
        left = [pk for pk in left if pk not in handled]
    return done


def _handle(alert_id: int, alike: Sequence[int], at: dt.datetime) -> set[int]:
    """Give the alert its incident, and with it those of `alike` that plainly belong there; returns the alerts that have one now."""
    try:
        with transaction.atomic():
            alert = Alert.objects.select_for_update(skip_locked=True, of=("self",)).filter(pk=alert_id, incident_alert=None).first()
            if alert is None:
                return set()
            incident = _incident_of(alert, at)
            if incident is None and alert.severity not in OPENS:
                return set()
            if incident is not None and waiting.may_be_over(incident, alert, at):
                return set()
            opened = incident is None
            tiers: dict[int, int] = {}
            if incident is None:
                incident, tiers = _open(alert, at)
                IncidentAlert.objects.create(incident=incident, alert=alert, attached_at=at)
            else:
                _attach(incident, alert, at)
            joined = _join(incident, alert, alike, told=not opened, at=at)
            if opened:
                escalating.begin(incident=incident, at=at, tier=tiers.get(incident.service_id or 0))
            ended_at = incident.resolved_at
            if incident.state in OVER and ended_at and (alert.resolved_at is None or alert.resolved_at > ended_at):
                _lengthen(incident, alert, at)
            return {alert_id, *joined}
    except IntegrityError:
        return set()  # another worker opened the incident of this cause first; the next pass joins it


def _incident_of(alert: Alert, at: dt.datetime) -> Incident | None:
    """The incident of this cause: an open one, unless it was over before the alert began (then it is resolved first), or began
    after the alert was over and an earlier one covers it.
    """
    incident = _split_off(alert) or _same_cause(alert) or _same_job(alert)
    if incident is None:
        return _over_too_early(alert)
    if alert.resolved_at and alert.resolved_at < incident.opened_at:
        return _over_too_early(alert) or incident
    if alert.opened_at > incident.opened_at and resolving.resolve_if_over(incident=incident, at=alert.opened_at, noticed_at=at):
        return _over_too_early(alert)
    return incident


def _over_too_early(alert: Alert) -> Incident | None:
    """The incident of this cause that was resolved after this alert began: nobody knew of it then."""
    found = Incident.objects.select_for_update().filter(cause_key=alert.cause_key, state__in=OVER, resolved_at__gte=alert.opened_at)
    if alert.resolved_at:
        found = found.filter(opened_at__lte=alert.resolved_at)
    return found.order_by("-opened_at").first()


def _same_cause(alert: Alert) -> Incident | None:
    """The open incident of the cause, or the one that it was merged into."""
    found = Incident.objects.open().select_for_update().filter(cause_key=alert.cause_key).first()
    return found or _merged_into(alert.cause_key)


def _merged_into(cause_key: str) -> Incident | None:
    merged = Incident.objects.filter(cause_key=cause_key, merged_into__isnull=False).order_by("-pk").values("merged_into")[:1]
    return Incident.objects.open().select_for_update(of=("self",)).filter(pk__in=merged).first()


def _split_off(alert: Alert) -> Incident | None:
    """An open incident that was split off for what this alert is about."""
    split = Incident.objects.open().filter(split_from__isnull=False, incident_alerts__alert__dedup_key=alert.dedup_key)
    pk = split.order_by("pk").values_list("pk", flat=True).first()
    return Incident.objects.open().select_for_update(of=("self",)).filter(pk=pk).first()


def _same_job(alert: Alert) -> Incident | None:
    """An incident about the same job of the same service, where one of the two does not know its cause yet."""
    if alert.job_id is None:
        return None
    related = Incident.objects.open().filter(incident_alerts__alert__job=alert.job_id, incident_alerts__alert__service=alert.service_id)
    pk = related.order_by("pk").values_list("pk", flat=True).first()
    incident = Incident.objects.open().select_for_update().filter(pk=pk).first()
    return incident if incident and not (incident.cause_is_specific and alert.cause_is_specific) else None


def _happening_again() -> list[int]:
    """Incidents that are over, or were called none, although one of their alerts was raised again since."""
    ended_at = Coalesce("incident__resolved_at", "incident__updated_at")
    links = IncidentAlert.objects.filter(alert__state__in=OPEN_ALERTS, incident__state__in=ENDED_STATES, alert__last_seen_at__gt=ended_at)
    return list(links.order_by("incident").values_list("incident", flat=True).distinct()[:BATCH])


@transaction.atomic
def _reopen_again(incident_id: int, at: dt.datetime) -> bool:
    incident = Incident.objects.select_for_update(of=("self",)).get(pk=incident_id)
    if incident.is_open or Incident.objects.open().filter(cause_key=incident.cause_key).exists():
        return False  # an open incident of the same cause has it
    newest = Alert.objects.filter(incident_alert__incident=incident, state__in=OPEN_ALERTS).order_by("-last_seen_at").first()
    if newest is None or newest.last_seen_at <= incident.ended_at:
        return False
    _reopen(incident, newest, at)
    return True


def _better_known() -> list[int]:
    """Alerts whose cause was recognised after they came into an incident that does not know it yet."""
    links = IncidentAlert.objects.filter(incident__state__in=OPEN_STATES, incident__cause_is_specific=False, alert__cause_is_specific=True)
    return list(links.order_by("alert__opened_at", "alert").values_list("alert", flat=True)[:BATCH])


@transaction.atomic
def _learn(alert_id: int, at: dt.datetime) -> bool:
    alert = Alert.objects.get(pk=alert_id)
    incident = Incident.objects.open().select_for_update(of=("self",)).filter(incident_alerts__alert=alert).first()
    return incident is not None and _take_cause(incident, alert, at)


def _take_cause(incident: Incident, alert: Alert, at: dt.datetime) -> bool:
    """Give the incident the cause that its alert knows, unless another open one has it."""
    if not alert.cause_is_specific or incident.cause_is_specific or not incident.is_open or _same_cause(alert):
        return False
    incident.cause_key, incident.cause_is_specific, incident.title = alert.cause_key, True, weighing.title_of(alert)
    recognising.study_anew(incident, alert)
    incident.updated_at = at
    incident.save()
    return True


def _lengthen(incident: Incident, alert: Alert, at: dt.datetime) -> None:
    """Have an incident that is over last as long as the alert that joined it: reopened, unless its cause is open anew already."""
    if alert.resolved_at and _same_cause(alert):
        incident.resolved_at, incident.updated_at = alert.resolved_at, at
        incident.save(update_fields=["resolved_at", "updated_at"])
    else:
        _reopen(incident, alert, at)


def _reopen(incident: Incident, alert: Alert, at: dt.datetime) -> None:
    incident.state = Incident.State.IN_PROGRESS if incident.acknowledged_at else Incident.State.NEW
    incident.holds = [*incident.holds, [iso(incident.ended_at), iso(max(at, incident.ended_at))]]
    incident.resolved_at = incident.closed_at = incident.resolved_by_evaluation = None
    incident.resolution = incident.cause_category = ""
    incident.reopened += 1
    recognising.study_anew(incident, alert)
    incident.updated_at, before = at, incident.priority
    weighing.weigh_again(incident=incident, alert=alert, at=at)
    incident.save()
    IncidentAlert.objects.filter(incident=incident, alert=alert).update(told_occurrences=alert.occurrences, told_at=alert.last_seen_at)
    IncidentEntry.objects.create(
        incident=incident, at=alert.last_seen_at, noticed_at=at, kind="state", text=f"Reopened: {alert.title}", alert=alert
    )
    if incident.priority != before:
        weighing.tell(incident, before, alert, at)
    told = announcing.announce_reopening(incident=incident, alert=alert, at=at)
    escalating.resume(incident=incident, at=at, already=told)


def _open(alert: Alert, at: dt.datetime) -> tuple[Incident, dict[int, int]]:
    """The incident, and the effective tier of each service in breach."""
    incident = Incident(
        cause_key=alert.cause_key,
        cause_is_specific=alert.cause_is_specific,
        title=weighing.title_of(alert),
        opened_at=alert.opened_at,
        known_at=max(at, alert.opened_at),
        updated_at=at,
    )
    services = prioritising.services_of([alert])
    tiers = feeling.freeze(incident, services, at=at)
    found = prioritising.weigh(services, at=at, tiers=tiers)
    weighing.take(incident, found)
    incident.team_id = found["team"]
    targeting.set_targets(incident=incident, at=at)
    incident.save()
    feeling.frozen(incident)
    IncidentEntry.objects.create(
        incident=incident, at=alert.opened_at, noticed_at=at, kind="opened", text=f"Opened for: {alert.title}", alert=alert
    )
    return incident, tiers


def _join(incident: Incident, alert: Alert, alike: Sequence[int], *, told: bool, at: dt.datetime) -> list[int]:
    """Have the alerts of the same cause join, too, while this one keeps its incident open."""
    if not alike or alert.resolved_at or not incident.is_open or _same_cause(alert) != incident:
        return []
    return joining.join_alike(incident=incident, alerts=alike, told=told, at=at)


def _attach(incident: Incident, alert: Alert, at: dt.datetime) -> None:
    joins = incident.incident_alerts.exists()
    IncidentAlert.objects.create(incident=incident, alert=alert, attached_at=at)
    if joins:
        at_earliest = max(alert.opened_at, incident.opened_at)
        IncidentEntry.objects.create(incident=incident, at=at_earliest, noticed_at=at, kind="joined", text=alert.title, alert=alert)
    if not _take_cause(incident, alert, at):
        incident.updated_at = at
        recognising.learns(incident, [alert], at=at)
        incident.save(update_fields=["updated_at", "signature", "studied_at"])
    if joins and incident.is_open:
        weighing.weigh_with(incident=incident, alerts=[alert], at=at)
