"""Whose an incident is: a person's, who goes on with it, or a team's, which has to look."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import QuerySet

from catalogue.models import Team
from incidents import announcing, escalating, lapsing, targeting, working
from incidents.models import Incident, IncidentEntry
from incidents.working import NotPossible

CHANGE = "incidents.change_incident"
_BACKEND = "django.contrib.auth.backends.ModelBackend"


def workers() -> QuerySet[Any]:
    """People who may work on incidents, by name; superusers, who may do anything, are not offered."""
    people = get_user_model().objects.with_perm(CHANGE, backend=_BACKEND, include_superusers=False)
    return people.filter(is_active=True).order_by("first_name", "last_name", "username")


@transaction.atomic
def assign(*, incident: Incident, assignee: Any, by: Any, at: dt.datetime) -> Incident:
    """Hand the incident to somebody, who goes on with it; a new or waiting one becomes in progress.

    Raises NotPossible when it is over, already theirs, or beyond what they may work on.
    """
    incident = _open(incident)
    name = assignee.get_full_name() or assignee.get_username()
    if incident.assignee_id == assignee.pk:
        raise NotPossible(f"{incident.number} is with {name} already.")
    if not Incident.objects.visible_to(assignee, "change").filter(pk=incident.pk).exists():
        raise NotPossible(f"{name} may not work on {incident.number}: nothing that it is about is theirs to see. Choose somebody else.")
    if incident.state != "in_progress":
        incident = working.move(incident=incident, to="in_progress", reason="", by=by, at=at, assignee=assignee)
    Incident.objects.filter(pk=incident.pk).update(assignee=assignee, updated_at=at)
    IncidentEntry.objects.create(incident=incident, at=at, kind="state", text=f"Handed to {name}", by=by)
    incident.assignee = assignee
    return incident


@transaction.atomic
def assign_team(*, incident: Incident, team: Team, by: Any, at: dt.datetime) -> Incident:
    """Hand the incident to a team: nobody's until one of it takes it, its targets in the hours of that team, which is told.

    Raises NotPossible when it is over, or already theirs.
    """
    incident = _open(incident)
    if incident.team_id == team.pk and incident.assignee is None:
        raise NotPossible(f"{incident.number} is with {team} already.")
    before = incident.team
    incident.team, incident.assignee, incident.updated_at = team, None, at
    targeting.set_targets(incident=incident, at=at)
    if incident.state == "in_progress":
        lapsing.give_away(incident=incident, at=at)
    incident.save()
    words = f"Handed to {team}" + (f", was with {before}" if before else "")
    IncidentEntry.objects.create(incident=incident, at=at, kind="state", text=words, by=by)
    announcing.announce_handing(incident=incident, by=by, at=at)
    escalating.look_again(incident=incident, at=at)
    return incident


def _open(incident: Incident) -> Incident:
    incident = Incident.objects.select_for_update(of=("self",)).get(pk=incident.pk)
    if not incident.is_open:
        raise NotPossible(f"{incident.number} is {incident.get_state_display().lower()}; nobody has to work on it.")
    return incident
