"""Two incidents that turn out to be one are merged; alerts that turn out to have another cause are split off. Both keep their stories."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any

from django.db import transaction
from django.db.models import Min, Q

from incidents import escalating, feeling, prioritising, targeting, weighing, working
from incidents.models import AlertMove, Incident, IncidentAlert, IncidentEntry
from incidents.working import NotPossible
from monitoring.models import Alert
from monitoring.models.alerts import OPEN_STATES as OPEN_ALERTS


@transaction.atomic
def merge(*, incident: Incident, into: Incident, reason: str, by: Any, at: dt.datetime) -> Incident:
    """The incident is the same as `into`: its alerts go there, and what its cause brings goes there from now on. Returns `into`.

    Raises NotPossible when they are one already, when one of them is over, and without a reason.
    """
    if incident.pk == into.pk:
        raise NotPossible(f"{incident.number} cannot be merged into itself. Name another incident.")
    rows = {row.pk: row for row in Incident.objects.select_for_update(of=("self",)).filter(pk__in=[incident.pk, into.pk]).order_by("pk")}
    incident, into = rows[incident.pk], rows[into.pk]
    for one in (incident, into):
        if not one.is_open:
            raise NotPossible(f"{one.number} is {one.get_state_display().lower()}. Only open incidents are merged.")
    alerts = list(Alert.objects.filter(incident_alert__incident=incident).order_by("opened_at", "pk"))
    _hand_on(alerts, left=incident, joined=into, at=at)  # first: who took one of them goes on with it
    working.move(incident=incident, to="cancelled", reason=f"the same as {into.number}. {_reason(reason)}", by=by, at=at)
    Incident.objects.filter(Q(pk=incident.pk) | Q(merged_into=incident)).update(merged_into=into)
    first = alerts[0] if alerts else None
    IncidentEntry.objects.create(incident=incident, at=at, kind="merged", text=f"Merged into {into.number}: {_reason(reason)}", by=by)
    words = f"{incident.number} merged into this: {_reason(reason)}"
    IncidentEntry.objects.create(incident=into, at=at, kind="merged", text=words, by=by, alert=first)
    into.updated_at = at
    into.save(update_fields=["updated_at"])
    if going_on := [alert for alert in alerts if alert.state in OPEN_ALERTS]:
        weighing.weigh_with(incident=into, alerts=going_on, at=at)
    return into


@transaction.atomic
def split(*, incident: Incident, alerts: Collection[int], reason: str, by: Any, at: dt.datetime) -> Incident:
    """These alerts have another cause: they become an incident of their own, taken by whoever says so. Returns the new one.

    What happens to the same jobs again joins the new one while it is open. Raises NotPossible when the incident is over,
    when none or all of its alerts are named, and without a reason.
    """
    incident = Incident.objects.select_for_update(of=("self",)).get(pk=incident.pk)
    held = list(Alert.objects.filter(incident_alert__incident=incident).order_by("opened_at", "pk"))
    moved = [alert for alert in held if alert.pk in set(alerts)]
    why = _reason(reason)
    if not incident.is_open:
        raise NotPossible(f"{incident.number} is {incident.get_state_display().lower()}. Only open incidents are split.")
    if not moved or len(moved) == len(held):
        raise NotPossible(f"Choose some of the alerts of {incident.number}, not none and not all of them.")
    made = _made_of(moved, incident, at)
    _hand_on(moved, left=incident, joined=made, at=at)
    for row, words in ((incident, f"{made.number} split off: {why}"), (made, f"Split off from {incident.number}: {why}")):
        IncidentEntry.objects.create(incident=row, at=at, kind="split", text=words, by=by, alert=moved[0])
    _lighten(incident, at)
    escalating.begin(incident=made, at=at)
    return working.take(incident=made, by=by, at=at)


def _hand_on(alerts: list[Alert], *, left: Incident, joined: Incident, at: dt.datetime) -> None:
    IncidentAlert.objects.filter(alert__in=alerts).update(incident=joined)
    AlertMove.objects.bulk_create([AlertMove(alert=one, left=left, joined=joined, at=at) for one in alerts])


def _made_of(alerts: list[Alert], before: Incident, at: dt.datetime) -> Incident:
    services = prioritising.services_of([alert for alert in alerts if alert.state in OPEN_ALERTS] or alerts)
    found = prioritising.weigh(services, at=at)
    made = Incident(
        cause_key=f"split:{before.pk}:{alerts[0].pk}",
        cause_is_specific=True,
        title=weighing.title_of(alerts[0]),
        team_id=prioritising.team_of(found["service"], at=at) or before.team_id,
        opened_at=alerts[0].opened_at,
        known_at=IncidentAlert.objects.filter(alert__in=alerts).aggregate(first=Min("attached_at"))["first"],  # a split wins no time
        updated_at=at,
        split_from=before,
    )
    feeling.freeze(made, services, at=at)
    weighing.take(made, found)
    targeting.set_targets(incident=made, at=at)
    made.save()
    feeling.frozen(made)
    return made


def _lighten(incident: Incident, at: dt.datetime) -> None:
    """Weigh what is left; a person gave the reason for which it may be lighter now."""
    left = Alert.objects.filter(incident_alert__incident=incident).order_by("opened_at", "pk")
    alert = left.filter(state__in=OPEN_ALERTS).first() or left[0]
    before = incident.priority
    weighing.weigh_again(incident=incident, alert=alert, at=at)
    incident.updated_at = at
    incident.save()
    if incident.priority != before:
        weighing.tell(incident, before, alert, at)


def _reason(reason: str) -> str:
    if not reason.strip():
        raise NotPossible("Say why, so that both stories tell it.")
    return reason.strip()
