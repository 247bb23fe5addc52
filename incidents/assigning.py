"""Whose an incident is: a person's, who goes on with it, or a team's, which has to look."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Exists, Q, QuerySet, TextField
from django.db.models.functions import Cast
from guardian.models import GroupObjectPermission, UserObjectPermission

from catalogue.models import ServiceVersion, Team
from incidents import announcing, escalating, lapsing, targeting, working
from incidents.models import Incident, IncidentEntry
from incidents.working import NotPossible
from monitoring.models import Alert

CHANGE = "incidents.change_incident"
_BACKEND = "django.contrib.auth.backends.ModelBackend"


def workers() -> QuerySet[Any]:
    """People who may work on incidents, by name; superusers, who may do anything, are not offered."""
    people = get_user_model().objects.with_perm(CHANGE, backend=_BACKEND, include_superusers=False)
    return people.filter(is_active=True).order_by("first_name", "last_name", "username")


def workers_on(incident: Incident) -> QuerySet[Any]:
    """Those of them who may see the incident."""
    return workers().filter(_sees(incident)).distinct()


def readers_of(incident: Incident) -> QuerySet[Any]:
    """Everybody with a live account who may see the incident, by name; superusers, who may see anything, are not offered."""
    people = get_user_model().objects.filter(_sees(incident), is_active=True, is_superuser=False)
    return people.order_by("first_name", "last_name", "username").distinct()  # each once, in however many roles


def _sees(incident: Incident) -> Q:
    """Who may: by role, as owner of a service that it hit, or by a right on a service or tool of it."""
    alerts = Alert.objects.filter(incident_alert__incident=incident)
    services, tools = alerts.filter(service__isnull=False).values("service"), alerts.filter(service=None).values("tool")
    owned = ServiceVersion.objects.approved().filter(effective__endswith=None, service__in=services)
    seen = Q(pk__in=owned.values("owner"))
    for right, rows, key in (("catalogue.view_service", services, "service"), ("monitoring.view_tool", tools, "tool")):
        by_role = Q(pk__in=get_user_model().objects.with_perm(right, backend=_BACKEND, include_superusers=False).values("pk"))
        seen |= (by_role & Exists(rows)) | _granted(right, rows.values_list(Cast(key, TextField())))
    return seen


def _granted(right: str, rows: QuerySet[Any]) -> Q:
    """Who has the right on one of the rows by itself, or by a role that is limited to them."""
    app, _, codename = right.partition(".")
    of_them = {"permission__codename": codename, "permission__content_type__app_label": app}
    on = {**of_them, "object_pk__in": rows}
    own, roles = UserObjectPermission.objects.filter(**on), GroupObjectPermission.objects.filter(**on)
    return Q(pk__in=own.values("user")) | Q(groups__in=roles.values("group"))


@transaction.atomic
def assign(*, incident: Incident, assignee: Any, by: Any, at: dt.datetime, was: str | None = None) -> Incident:
    """Hand the incident to somebody, who goes on with it and is told; a new or waiting one becomes in progress.

    `was` is whose it was on the page that was looked at (`whose`). Raises NotPossible when it is over, already theirs, somebody else's
    meanwhile, or beyond what they may work on.
    """
    incident = _open(incident, was)
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
    if assignee.pk != by.pk:
        announcing.announce_handing(incident=incident, to=assignee, by=by, at=at)
    return incident


@transaction.atomic
def assign_team(*, incident: Incident, team: Team, by: Any, at: dt.datetime, was: str | None = None) -> Incident:
    """Hand the incident to a team: nobody's until one of it takes it, its targets in the hours of that team, which is told.

    Raises NotPossible when it is over, already theirs, or somebody else's meanwhile.
    """
    incident = _open(incident, was)
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


def whose(incident: Incident) -> str:
    """Whose it is, as a form carries it: `person:12`, or else `team:3`; empty for nobody's."""
    if incident.assignee_id:
        return f"person:{incident.assignee_id}"
    return f"team:{incident.team_id}" if incident.team_id else ""


def _open(incident: Incident, was: str | None) -> Incident:
    incident = Incident.objects.select_for_update(of=("self",)).get(pk=incident.pk)
    if not incident.is_open:
        raise NotPossible(f"{incident.number} is {incident.get_state_display().lower()}; nobody has to work on it.")
    if was is not None and was != whose(incident):
        name = incident.assignee.get_full_name() or incident.assignee.get_username() if incident.assignee else incident.team or "nobody"
        raise NotPossible(f"{incident.number} is with {name} meanwhile. Hand it over again if it should still go to somebody else.")
    return incident
