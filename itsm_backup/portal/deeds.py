"""What people do on an incident's page: one form, one act, back to the page; a refusal keeps what was typed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth import get_user_model
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from incidents import working
from incidents.models import Incident
from itsm_backup.common.time import now
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.incident_page import CHANGE, RESOLVE
from itsm_backup.portal.views import incident_shown

Deed = Callable[[HttpRequest, Incident], str]


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
                failed = {"form": form, "why": str(error), "typed": request.POST.get(field, "")}
                messages.error(request, str(error))
                return incident_shown(request, moment=Moment(at=at, now=at), number=number, failed=failed)
            messages.success(request, told)
            return redirect("portal:incident", incident.number)

        return require_POST(login_required(doing))

    return making


def _typed(request: HttpRequest, name: str, most: int) -> str:
    """What was typed, without the NULs that the database refuses; raises NotPossible for more than fits, so that nothing is cut."""
    text = request.POST.get(name, "").replace("\x00", "").replace("\r\n", "\n")
    if len(text) > most:
        raise working.NotPossible(
            f"That is {len(text):,} characters, and {most:,} fit. Shorten it, or say where the long text can be read."
        )
    return text


@deed(CHANGE, "acknowledge")
def acknowledge(request: HttpRequest, incident: Incident) -> str:
    working.take(incident=incident, by=request.user, at=now())
    return f"You have taken {incident.number}."


@deed(CHANGE, "assign", "assignee")
def assign(request: HttpRequest, incident: Incident) -> str:
    people = get_user_model().objects.with_perm(CHANGE, backend="django.contrib.auth.backends.ModelBackend")
    chosen = request.POST.get("assignee", "")
    assignee = people.filter(is_active=True, pk=chosen).first() if chosen.isdigit() and len(chosen) < 18 else None
    if assignee is None:
        raise working.NotPossible("Choose somebody who may work on incidents.")
    working.assign(incident=incident, assignee=assignee, by=request.user, at=now())
    return f"{incident.number} is with {assignee.get_full_name() or assignee.get_username()} now."


@deed(CHANGE, "note", "text")
def note(request: HttpRequest, incident: Incident) -> str:
    working.note(incident=incident, text=_typed(request, "text", 4_000), by=request.user, at=now())
    return "The note stands in the story."


@deed(RESOLVE, "resolve", "reason")
def resolve(request: HttpRequest, incident: Incident) -> str:
    working.move(incident=incident, to="resolved", reason=_typed(request, "reason", 2_000), by=request.user, at=now())
    return f"{incident.number} is resolved."
