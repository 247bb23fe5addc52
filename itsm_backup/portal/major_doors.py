"""Doors of major incidents: the list, one of them, and what is done with it; a refusal keeps what was typed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from incidents import leading, nominating
from incidents.models import Incident, MajorIncident
from incidents.working import NotPossible
from itsm_backup.common.http.typed import raw, typed
from itsm_backup.common.time import now
from itsm_backup.portal import major_page
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.deeds import deed
from itsm_backup.portal.returning import posted
from itsm_backup.portal.views import page_number, reads, show

MAY_SEE = "incidents.view_majorincident"


def may_see(request: HttpRequest) -> None:
    if not request.user.has_perm(MAY_SEE):
        raise PermissionDenied("Major incidents are worked on by those who may see tools.")


@reads
def majors(request: HttpRequest, *, moment: Moment) -> HttpResponse:
    may_see(request)
    page = major_page.majors_page(user=request.user, moment=moment, view=request.GET.get("view", ""), page=page_number(request))
    return show(request, "majors", section="incidents", moment=moment, page=page)


@reads
def major(request: HttpRequest, *, moment: Moment, number: str) -> HttpResponse:
    may_see(request)
    return shown(request, moment, number)


def shown(request: HttpRequest, moment: Moment, number: str, failed: dict[str, Any] | None = None) -> HttpResponse:
    """The page; `failed` says which form was refused and why, with what was sent."""
    found = major_page.find(number=number, user=request.user, moment=moment)
    if found is None:
        raise Http404(number)
    page = major_page.major_page(major=found, user=request.user, moment=moment)
    return show(request, "major", section="incidents", moment=moment, status=409 if failed else 200, page=page, failed=failed)


def deed_on_major(permission: str, form: str) -> Callable[[Callable[[HttpRequest, MajorIncident], str]], Any]:
    """A form of the page: who may not see it gets 404, who may not do it 403."""

    def making(act: Callable[[HttpRequest, MajorIncident], str]) -> Any:
        def doing(request: HttpRequest, *, number: str) -> HttpResponse:
            may_see(request)
            at = now()
            found = major_page.find(number=number, user=request.user, moment=Moment(at=at, now=at))
            if found is None:
                raise Http404(number)
            if not request.user.has_perm(permission):
                raise PermissionDenied(f"That takes somebody else: {who_can(permission)} can.")
            try:
                told = act(request, found)
            except NotPossible as error:
                return shown(request, Moment(at=at, now=at), number, failed={"form": form, "why": str(error), "sent": request.POST})
            messages.success(request, told)
            return redirect("portal:major", found.number)

        return posted(doing, page="portal:major")

    return making


def who_can(permission: str) -> str:
    """Names of those who hold it, superusers aside."""
    return leading.names_of(permission) or "nobody at present"


@deed(leading.WORK, "propose", "reason")
def propose_major(request: HttpRequest, incident: Incident) -> str:
    made = nominating.propose(incident=incident, reason=typed(request, "reason"), by=request.user, at=now())
    return f"{made.number} is proposed. Incident managers decide on it."


@deed_on_major(leading.DECLARE, "declare")
def declare_major(request: HttpRequest, found: MajorIncident) -> str:
    people = {name: _person(request, name) for name in ("manager", "communications_lead")}
    leading.declare(major=found, interval_min=_minutes(request), reason=typed(request, "reason"), by=request.user, at=now(), **people)
    return f"{found.number} is declared."


@deed_on_major(leading.DECLARE, "step")
def major_step(request: HttpRequest, found: MajorIncident) -> str:
    moved = leading.move(major=found, to=raw(request, "to"), reason=typed(request, "reason"), by=request.user, at=now())
    return f"{found.number}: {moved.get_state_display().lower()}."


@deed_on_major(leading.DECLARE, "appoint")
def appoint_to_major(request: HttpRequest, found: MajorIncident) -> str:
    chosen = _person(request, "person")
    if chosen is None:
        raise NotPossible("Choose who takes it over.")
    leading.appoint(major=found, part=raw(request, "part"), person=chosen, reason=typed(request, "reason"), by=request.user, at=now())
    return f"{leading.name_of(chosen)} has taken it over."


@deed_on_major(leading.DECLARE, "interval")
def set_major_interval(request: HttpRequest, found: MajorIncident) -> str:
    minutes = _minutes(request)
    leading.set_interval(major=found, interval_min=minutes, reason=typed(request, "reason"), by=request.user, at=now())
    return f"People are told every {minutes} minutes."


def _person(request: HttpRequest, name: str) -> Any:
    chosen = raw(request, name)
    return get_user_model().objects.filter(pk=int(chosen)).first() if chosen.isdigit() and chosen.isascii() and len(chosen) < 10 else None


def _minutes(request: HttpRequest) -> int:
    text = raw(request, "minutes")
    if not (text.isdigit() and text.isascii() and len(text) < 6):
        raise NotPossible("Say every how many minutes people are told, such as 30.")
    return int(text)
