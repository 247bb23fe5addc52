"""Doors of a service's status: reading it, setting it by hand for a time, and ending that."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from catalogue import overriding
from catalogue.models import StatusOverride
from catalogue.refusing import NotAllowed, NotReady, Refused
from itsm_backup.common.http.typed import typed
from itsm_backup.common.time import now
from itsm_backup.portal import status_page
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.version_doors import instant_typed
from itsm_backup.portal.views import reads, show, version_of
from monitoring import waking

SECTION = "services"


@reads
def status(request: HttpRequest, *, moment: Moment, code: str) -> HttpResponse:
    page = status_page.status_page(version=version_of(request, code, moment), user=request.user, moment=moment)
    return show(request, "status", section=SECTION, moment=moment, page=page)


@require_POST
@login_required
def set_by_hand(request: HttpRequest, *, code: str) -> HttpResponse:
    at = now()
    moment, user = Moment(at=at, now=at), request.user
    version = version_of(request, code, moment)
    said = {name: typed(request, name) for name in ("status", "until", "reason")}
    try:
        until = instant_typed(said["until"])
        if until is None:
            raise NotReady(["Say until when: a status by hand never stays for good."])
        overriding.override(
            service=version.service, status=said["status"], owner=user, expires_at=until, by=user, at=at, reason=said["reason"]
        )  # fmt: skip
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from None
    except Refused as error:
        problems = tuple(error.problems) if isinstance(error, NotReady) else (str(error),)
        page = status_page.status_page(version=version, user=user, moment=moment, typed=said, problems=problems)
        return show(request, "status", section=SECTION, moment=moment, status=409, page=page)
    waking.wake()
    messages.success(request, f"{version.name}: the status is set by hand. You answer for it until it ends.")
    return redirect("portal:status", code)


@require_POST
@login_required
def end(request: HttpRequest, *, pk: int) -> HttpResponse:
    user: Any = request.user
    row = StatusOverride.objects.visible_to(user).filter(pk=pk).select_related("service").first()
    if row is None:
        raise Http404(str(pk))
    try:
        overriding.end(row=row, by=user, at=now(), reason=typed(request, "reason"))
        waking.wake()
        messages.success(request, f"{row.service}: the computed status counts again.")
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from None
    except Refused as error:
        messages.error(request, str(error))
    return redirect("portal:status", row.service.code)
