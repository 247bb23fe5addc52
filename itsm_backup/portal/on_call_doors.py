"""Doors of the on-call rota: who it is, standing in, and taking that back."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth import get_user_model
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from catalogue.refusing import NotAllowed, NotReady, Refused
from incidents import rotating
from incidents.models import Rota, RotaSwap
from itsm_backup.common.http.typed import everything
from itsm_backup.common.time import now
from itsm_backup.portal import on_call_page
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.version_doors import instant_typed
from itsm_backup.portal.views import reads, show

MAY_SEE, FIELDS = "incidents.view_rota", ("person", "starts_at", "ends_at", "reason")


@reads
def on_call(request: HttpRequest, *, moment: Moment) -> HttpResponse:
    if not request.user.has_perm(MAY_SEE):
        raise PermissionDenied("Rotas are read by those who may see tools.")
    page = on_call_page.on_call_page(user=request.user, moment=moment)
    return show(request, "on_call", section="incidents", moment=moment, page=page)


@require_POST
@login_required
def stand_in(request: HttpRequest, *, pk: int) -> HttpResponse:
    at, user = now(), request.user
    rota = Rota.objects.visible_to(user).filter(pk=pk).select_related("team").first()
    if rota is None:
        raise Http404(str(pk))
    sent = everything(request, most={"reason": 300})
    typed = {name: sent.get(name, "") for name in FIELDS}
    try:
        swap = rotating.stand_in(rota=rota, by=user, at=at, reason=typed["reason"], **_read(typed))
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from None
    except NotReady as error:
        moment = Moment(at=at, now=at)
        page = on_call_page.on_call_page(user=user, moment=moment, wrong=pk, problems=tuple(error.problems), typed=typed)
        return show(request, "on_call", section="incidents", moment=moment, status=409, page=page)
    messages.success(request, f"{swap.person.get_full_name() or swap.person.get_username()} stands in for {rota.team}.")
    return redirect("portal:on_call")


def _read(typed: dict[str, str]) -> dict[str, Any]:
    """The person and the time that were typed. Raises NotReady for what is missing."""
    chosen = typed["person"]
    person = get_user_model().objects.filter(pk=int(chosen)).first() if chosen.isdigit() and len(chosen) < 10 else None
    starts_at, ends_at = instant_typed(typed["starts_at"]), instant_typed(typed["ends_at"])
    if person is None or starts_at is None or ends_at is None:
        raise NotReady(["Say who stands in, from when and until when."])
    return {"person": person, "starts_at": starts_at, "ends_at": ends_at}


@require_POST
@login_required
def take_back(request: HttpRequest, *, pk: int) -> HttpResponse:
    swap = RotaSwap.objects.visible_to(request.user).filter(pk=pk).select_related("rota__team").first()
    if swap is None:
        raise Http404(str(pk))
    try:
        rotating.take_back(swap=swap, by=request.user, at=now())
        messages.success(request, f"{swap.rota.team}: the rotation counts again.")
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from None
    except Refused as error:
        messages.error(request, str(error))
    return redirect("portal:on_call")
