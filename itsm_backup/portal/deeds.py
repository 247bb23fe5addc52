"""What people do on an incident's page: one form, one act, back to the page; a refusal keeps what was typed."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from catalogue.models import Team
from incidents import assigning, merging, overruling, working
from incidents.assigning import CHANGE
from incidents.models import Incident
from itsm_backup.common.time import now
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.incident_deeds import FOR_HOURS, RESOLVE, STEPS
from itsm_backup.portal.returning import posted
from itsm_backup.portal.views import incident_shown
from monitoring.models import Alert

NUMBER = re.compile(r"(?:INC-)?(\d{1,18})", re.IGNORECASE | re.ASCII)
Deed = Callable[[HttpRequest, Incident], str | tuple[str, tuple[str, str]]]  # what is told, and the page where it goes on


def deed(permission: str, form: str, field: str = "") -> Callable[[Deed], Any]:
    """A form of the incident's page: who may see the incident but lacks the permission is refused with 403, who may not see it gets 404."""

    def making(act: Deed) -> Any:
        def doing(request: HttpRequest, *, number: str) -> HttpResponse:
            pk = int(number.upper().removeprefix("INC-"))
            incident = Incident.objects.visible_to(request.user).filter(pk=pk).first()
            if incident is None:
                raise Http404(number)
            if not request.user.has_perm(permission):
                raise PermissionDenied(f"Working on {incident.number} takes the role operator.")
            try:
                told = act(request, incident)
            except working.NotPossible as error:
                at = now()
                failed = {"form": form, "why": str(error), "at": error.field, "typed": request.POST.get(field, ""), "sent": request.POST}
                return incident_shown(request, moment=Moment(at=at, now=at), number=number, failed=failed)
            words, to = told if isinstance(told, tuple) else (told, ("portal:incident", incident.number))
            messages.success(request, words)
            return redirect(*to)

        return posted(doing, page="portal:incident")

    return making


def typed(request: HttpRequest, name: str, most: int) -> str:
    """What was typed, without the NULs that the database refuses; raises NotPossible for more than fits, so that nothing is cut."""
    text = request.POST.get(name, "").replace("\x00", "").replace("\r\n", "\n")
    if len(text) > most:
        raise working.NotPossible(
            f"That is {len(text):,} characters, and {most:,} fit. Shorten it, or say where the long text can be read."
        )
    return text


@deed(CHANGE, "acknowledge")
def acknowledge(request: HttpRequest, incident: Incident) -> str:
    """For good, or for some hours."""
    at, hours = now(), request.POST.get("for_h", "")
    if hours and hours not in FOR_HOURS:
        raise working.NotPossible("Choose one of the times, or none.")
    working.take(incident=incident, by=request.user, at=at, until=at + dt.timedelta(hours=int(hours)) if hours else None)
    return f"You have taken {incident.number}" + (f" for {FOR_HOURS[hours]}." if hours else ".")


@deed(CHANGE, "assign", "whom")
def assign(request: HttpRequest, incident: Incident) -> str:
    return hand(incident, request.POST.get("whom", ""), request, was=request.POST.get("was"))


def hand(incident: Incident, whom: str, request: HttpRequest, *, was: str | None = None) -> str:
    """Hand it to `person:12` or `team:3`; returns what was done. Raises NotPossible for anybody else, and where it is not with `was`."""
    kind, _, key = whom.partition(":")
    known = {"person": assigning.workers(), "team": Team.objects.visible_to(request.user)}.get(kind)
    chosen: Any = known.filter(pk=int(key)).first() if known is not None and key.isdigit() and key.isascii() and len(key) < 18 else None
    if chosen is None:
        raise working.NotPossible("Choose somebody who may work on incidents, or a team.")
    if kind == "team":
        assigning.assign_team(incident=incident, team=chosen, by=request.user, at=now(), was=was)
        return f"{incident.number} is with {chosen} now."
    assigning.assign(incident=incident, assignee=chosen, by=request.user, at=now(), was=was)
    return f"{incident.number} is with {chosen.get_full_name() or chosen.get_username()} now."


@deed(CHANGE, "note", "text")
def note(request: HttpRequest, incident: Incident) -> str:
    working.note(incident=incident, text=typed(request, "text", 4_000), by=request.user, at=now())
    return "The note stands in the story."


@deed(RESOLVE, "resolve", "reason")
def resolve(request: HttpRequest, incident: Incident) -> str:
    ended = {"resolution": request.POST.get("resolution", ""), "cause": request.POST.get("cause", "")}
    working.move(incident=incident, to="resolved", reason=typed(request, "reason", 2_000), by=request.user, at=now(), **ended)
    return f"{incident.number} is resolved."


@deed(CHANGE, "step", "reason")
def step(request: HttpRequest, incident: Incident) -> str:
    """A step to another state that the page offers."""
    to = request.POST.get("to", "")
    if (incident.state, to) not in STEPS:
        raise working.NotPossible(f"{incident.number} is {incident.get_state_display().lower()}. Choose one of the steps that are offered.")
    moved = working.move(incident=incident, to=to, reason=typed(request, "reason", 2_000), by=request.user, at=now())
    return f"{incident.number} is {moved.get_state_display().lower()}."


@deed(CHANGE, "priority", "reason")
def priority(request: HttpRequest, incident: Incident) -> str:
    chosen, reason = request.POST.get("priority", ""), typed(request, "reason", 2_000)
    found = overruling.set_priority(incident=incident, priority=chosen, reason=reason, by=request.user, at=now())
    return f"{incident.number} is {found.priority}."


@deed(CHANGE, "merge", "reason")
def merge(request: HttpRequest, incident: Incident) -> str:
    named = request.POST.get("into", "").strip()
    number = NUMBER.fullmatch(named)
    into = Incident.objects.visible_to(request.user, "change").filter(pk=int(number[1])).first() if number else None
    if into is None:
        unknown = f"There is no incident INC-{int(number[1]):04d} that you may work on. " if number else ""
        raise working.NotPossible(f"{unknown}Name the open incident that it is the same as, such as INC-0042.", field="into")
    merging.merge(incident=incident, into=into, reason=typed(request, "reason", 2_000), by=request.user, at=now())
    return f"{incident.number} is part of {into.number} now."


@deed(CHANGE, "split", "reason")
def split(request: HttpRequest, incident: Incident) -> str:
    chosen = [int(key) for key in request.POST.getlist("alert") if key.isdigit() and key.isascii() and len(key) < 18]
    alerts = list(Alert.objects.visible_to(request.user).filter(pk__in=chosen).values_list("pk", flat=True))
    made = merging.split(incident=incident, alerts=alerts, reason=typed(request, "reason", 2_000), by=request.user, at=now())
    return f"{made.number} was split off and is with you."
