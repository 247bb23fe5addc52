"""A person sets another priority than the one that is reckoned, with a reason; it holds until the reckoned one rises."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction

from incidents import announcing, escalating, targeting
from incidents.models import Incident, IncidentEntry
from incidents.models.escalation import PRIORITIES
from incidents.working import NotPossible


@transaction.atomic
def set_priority(*, incident: Incident, priority: str, reason: str, by: Any, at: dt.datetime) -> Incident:
    """Set the priority by hand; with an empty one the reckoned counts again. Raises NotPossible without a reason or when it is over."""
    incident = Incident.objects.select_for_update(of=("self",)).get(pk=incident.pk)
    if not incident.is_open:
        raise NotPossible(f"{incident.number} is {incident.get_state_display().lower()}; its priority stays.")
    if priority not in ("", *PRIORITIES):
        raise NotPossible(f"Choose one of {', '.join(PRIORITIES)}, or what is reckoned.")
    if not reason.strip():
        raise NotPossible(f"Say why {incident.number} gets another priority.")
    if priority and priority == incident.priority_set:
        raise NotPossible(f"{incident.number} is {priority} by hand already.")
    if not priority and not incident.priority_set:
        raise NotPossible(f"{incident.number} is {incident.priority} as it is reckoned already.")
    reckoned = incident.priority_set_against or incident.priority
    before, incident.priority = incident.priority, priority or reckoned
    incident.priority_set, incident.priority_set_against = priority, reckoned if priority else ""
    incident.weighed_at, incident.updated_at = None, at
    targeting.set_targets(incident=incident, at=at)
    incident.save()
    whom = by.get_full_name() or by.get_username()
    changed = f"{incident.priority}, was {before}" if incident.priority != before else f"Still {incident.priority}"
    text = f"{changed}: {'set' if priority else 'given back to the reckoning'} by {whom}: {reason.strip()}"
    IncidentEntry.objects.create(incident=incident, at=at, kind="priority", text=text, by=by)
    if incident.priority < before:
        reached = announcing.announce_rise(incident=incident, alert=None, before=before, at=at, because=text)
        escalating.follow_priority(incident=incident, at=at, already=reached)
    return incident
