"""What people do with an incident: take it, note, hold, resolve with a reason, close."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction

from catalogue import duties
from incidents import announcing, escalating
from incidents.models import Incident, IncidentEntry
from monitoring.models import Alert

# from → to: whether a reason is required. Everything else is refused.
TRANSITIONS: dict[tuple[str, str], bool] = {
    ("new", "in_progress"): False,
    ("new", "on_hold"): True,
    ("new", "cancelled"): True,
    ("new", "resolved"): True,
    ("in_progress", "on_hold"): True,
    ("in_progress", "resolved"): True,
    ("in_progress", "cancelled"): True,
    ("on_hold", "in_progress"): False,
    ("on_hold", "resolved"): True,
    ("resolved", "closed"): False,
    ("resolved", "in_progress"): True,
}
REOPEN_WITHIN = dt.timedelta(days=7)


class NotPossible(Exception):
    """The incident does not allow this now; the message says why and what is possible."""


def take(*, incident: Incident, by: Any, at: dt.datetime) -> Incident:
    """Acknowledge: the incident is in progress and assigned to `by`; the alerts that it had by then are acknowledged."""
    incident = move(incident=incident, to="in_progress", reason="", by=by, at=at, assignee=by)
    Alert.objects.filter(incident_alert__incident=incident, incident_alert__attached_at__lte=at, state="firing").update(
        state="acknowledged", acknowledged_at=at, acknowledged_by=by
    )
    return incident


@transaction.atomic
def assign(*, incident: Incident, assignee: Any, by: Any, at: dt.datetime) -> Incident:
    """Hand the incident to somebody, who goes on with it; a new or waiting one becomes in progress.

    Raises NotPossible when it is over, or already theirs.
    """
    incident = Incident.objects.select_for_update(of=("self",)).get(pk=incident.pk)
    name = assignee.get_full_name() or assignee.get_username()
    if not incident.is_open:
        raise NotPossible(f"{incident.number} is {incident.get_state_display().lower()}; nobody has to work on it.")
    if incident.assignee_id == assignee.pk:
        raise NotPossible(f"{incident.number} is with {name} already.")
    if incident.state != "in_progress":
        incident = move(incident=incident, to="in_progress", reason="", by=by, at=at, assignee=assignee)
    Incident.objects.filter(pk=incident.pk).update(assignee=assignee, updated_at=at)
    IncidentEntry.objects.create(incident=incident, at=at, kind="state", text=f"Handed to {name}", by=by)
    incident.assignee = assignee
    return incident


@transaction.atomic
def move(*, incident: Incident, to: str, reason: str, by: Any, at: dt.datetime, assignee: Any = None) -> Incident:
    """Move the incident to another state; raises NotPossible for a step that the table does not have or that lacks its reason."""
    incident = Incident.objects.select_for_update(of=("self",)).get(pk=incident.pk)
    needs_reason = TRANSITIONS.get((incident.state, to))
    label = Incident.State(to).label.lower()
    if needs_reason is None:
        raise NotPossible(f"{incident.number} is {incident.get_state_display().lower()} and cannot become {label}.")
    if needs_reason and not reason.strip():
        raise NotPossible(f"Say why {incident.number} becomes {label}.")
    if incident.state == "resolved" and to == "in_progress" and incident.resolved_at and at > incident.resolved_at + REOPEN_WITHIN:
        raise NotPossible(f"{incident.number} was resolved more than 7 days ago. Open a new one.")
    if to == "resolved" and incident.service is not None:
        _keep_apart(incident.service, by, at)
    incident.state, incident.updated_at = to, at
    incident.resolved_at = at if to == "resolved" else (incident.resolved_at if to == "closed" else None)
    incident.acknowledged_at = incident.acknowledged_at or (at if to == "in_progress" else None)
    incident.assignee = assignee or incident.assignee
    incident.save()
    text = f"{Incident.State(to).label} by {by.get_full_name() or by.get_username()}" + (f": {reason.strip()}" if reason.strip() else "")
    IncidentEntry.objects.create(incident=incident, at=at, kind="state", text=text, by=by)
    escalating.look_again(incident=incident, at=at)
    if to == "resolved":
        announcing.announce_resolution(incident=incident, proof=f"Resolved by hand: {reason.strip()}", at=at)
    return incident


def _keep_apart(service: Any, by: Any, at: dt.datetime) -> None:
    """Who wrote the promise, or set what is measured, does not close by hand what breaks it."""
    told = duties.clash(by=by, act="resolve", on=service, at=at)
    if told:
        raise NotPossible(told)


def note(*, incident: Incident, text: str, by: Any, at: dt.datetime) -> IncidentEntry:
    """Write a line into the timeline; raises NotPossible for an empty one."""
    if not text.strip():
        raise NotPossible("The note is empty.")
    return IncidentEntry.objects.create(incident=incident, at=at, kind="note", text=text.strip(), by=by)
