"""What is done to many incidents of the list at once: each by itself, so that one that cannot be done holds no other up."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from incidents import working
from incidents.assigning import CHANGE
from incidents.models import Incident
from itsm_backup.common.http.typed import raw, typed
from itsm_backup.common.time import now
from itsm_backup.portal import queue_filters
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.deeds import NUMBER, hand
from itsm_backup.portal.incident_list import VIEWS
from itsm_backup.portal.words import many

MOST_TOLD = 5
ENTERED = "entered"


def _acknowledge(request: HttpRequest, incident: Incident) -> None:
    working.take(incident=incident, by=request.user, at=now())


def _assign(request: HttpRequest, incident: Incident) -> None:
    hand(incident, request.POST.get("whom", ""), request)


def _comment(request: HttpRequest, incident: Incident) -> None:
    working.note(incident=incident, text=typed(request, "text", most=4_000), by=request.user, at=now())


ACTS: dict[str, tuple[Callable[[HttpRequest, Incident], None], str]] = {
    "acknowledge": (_acknowledge, "acknowledged"),
    "assign": (_assign, "handed over"),
    "comment": (_comment, "commented on"),
}


@require_POST
@login_required
def act_on_many(request: HttpRequest) -> HttpResponse:
    if not request.user.has_perm(CHANGE):
        raise PermissionDenied("Working on incidents takes the role operator.")
    numbers = [found for one in request.POST.getlist("incident") if (found := NUMBER.fullmatch(one))]
    chosen = list(Incident.objects.visible_to(request.user, "change").filter(pk__in=[int(one[1]) for one in numbers]).order_by("pk"))
    typed(request, "text", most=4_000)  # a comment that is too long is asked for again before anything is done
    act, done = ACTS.get(_meant(request), (None, ""))
    if act is None or not chosen:
        messages.error(request, "Choose incidents of the list, and what to do with them. Nothing was changed.")
    else:
        _do(request, act, done, chosen)
    view, page = (raw(request, name) for name in ("view", "page"))
    at = now()
    where = {"view": view if view in VIEWS else "", "page": page if page.isascii() and page.isdigit() else ""}
    return redirect(Moment(at=at, now=at).href("incidents", **where, **queue_filters.asked_of(request.POST)))


def _meant(request: HttpRequest) -> str:
    """What is to be done; Enter in a field means what belongs to the field that was filled in."""
    do = raw(request, "do")
    if do != ENTERED:
        return do
    filled = [act for act, name in (("comment", "text"), ("assign", "whom")) if raw(request, name).strip()]
    return filled[0] if len(filled) == 1 else ""


def _do(request: HttpRequest, act: Callable[[HttpRequest, Incident], None], done: str, chosen: list[Incident]) -> None:
    refused = []
    for incident in chosen:
        try:
            act(request, incident)
        except working.NotPossible as error:
            refused.append(str(error))
    if len(refused) < len(chosen):
        messages.success(request, f"{many(len(chosen) - len(refused), 'incident')} {done}.")
    for told in list(dict.fromkeys(refused))[:MOST_TOLD]:
        messages.error(request, told)
    if len(set(refused)) > MOST_TOLD:
        messages.error(request, f"{len(set(refused)) - MOST_TOLD} more could not be {done}.")
