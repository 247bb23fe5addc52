"""The doors of a person's own channels: entered, confirmed by what arrives there, and taken away."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from catalogue.refusing import NotReady
from incidents import confirming
from incidents.models import OwnChannel
from itsm_backup.common.http.typed import raw
from itsm_backup.common.time import now
from itsm_backup.portal.digest_doors import shown


@require_POST
@login_required
def add_channel(request: HttpRequest) -> HttpResponse:
    """A new address; the message with its code leaves at once."""
    said: dict[str, Any] = {name: raw(request, name) for name in ("name", "kind", "address", "key")}
    said["priorities"] = request.POST.getlist("priorities")
    try:
        row = confirming.add(**said, by=request.user, at=now())
    except NotReady as error:
        return shown(request, own_problems=tuple(error.problems), own_typed=said)
    messages.success(request, f"A message with a code is on its way to {row.name}. Nothing else goes there before you enter the code.")
    return redirect("portal:digest")


@require_POST
@login_required
def confirm_channel(request: HttpRequest, pk: int) -> HttpResponse:
    """The code that arrived there."""
    row = _own(request, pk)
    try:
        confirming.confirm(row=row, code=raw(request, "code"), by=request.user, at=now())
    except NotReady as error:
        return shown(request, own_problems=tuple(error.problems))
    messages.success(request, f"{row.name} is confirmed. Incidents are told there from now on.")
    return redirect("portal:digest")


@require_POST
@login_required
def ask_channel(request: HttpRequest, pk: int) -> HttpResponse:
    """Another code for one that did not arrive, or is too old."""
    row = _own(request, pk)
    try:
        confirming.ask_again(row=row, by=request.user, at=now())
    except NotReady as error:
        return shown(request, own_problems=tuple(error.problems))
    messages.success(request, f"Another code is on its way to {row.name}. The earlier one counts no more.")
    return redirect("portal:digest")


@require_POST
@login_required
def remove_channel(request: HttpRequest, pk: int) -> HttpResponse:
    """Nothing goes there any more."""
    row = _own(request, pk)
    confirming.remove(row=row, by=request.user, at=now())
    messages.success(request, f"{row.name} is taken away. Nothing goes there any more.")
    return redirect("portal:digest")


def _own(request: HttpRequest, pk: int) -> OwnChannel:
    row: Any = OwnChannel.objects.filter(pk=pk, person=request.user).first()
    if row is None:
        raise Http404(pk)
    return row  # type: ignore[no-any-return]
