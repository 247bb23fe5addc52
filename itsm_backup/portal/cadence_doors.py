"""Doors of how often tools are asked: reading it, and taking over what is recommended."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from catalogue.refusing import NotAllowed, NotReady
from itsm_backup.common.http.typed import typed
from itsm_backup.common.time import now
from itsm_backup.portal import cadence_page
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.tool_doors import check_reader
from itsm_backup.portal.views import reads, show
from itsm_backup.portal.words import many
from monitoring import calibrating

SECTION = "services"


@reads
def cadence(request: HttpRequest, *, moment: Moment) -> HttpResponse:
    check_reader(request)
    return show(request, "cadence", section=SECTION, moment=moment, page=cadence_page.cadence_page(user=request.user, moment=moment))


@require_POST
@login_required
def calibrate(request: HttpRequest) -> HttpResponse:
    at, names, reason = now(), tuple(request.POST.getlist("tool")[: cadence_page.SHOWN]), typed(request, "reason")
    follow = request.POST.get("how") == "follow"
    try:
        changed = calibrating.calibrate(names=names, follow=follow, by=request.user, at=at, reason=reason)
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from None
    except NotReady as error:
        moment = Moment(at=at, now=at)
        page = cadence_page.cadence_page(user=request.user, moment=moment, chosen=names, reason=reason, problems=tuple(error.problems))
        return show(request, "cadence", section=SECTION, moment=moment, status=409, page=page)
    how = "from now on follows what is recommended" if follow else "is asked as recommended"
    messages.success(
        request, f"{many(len(changed), 'tool')} changed: each {how}." if changed else "Nothing changed: they were set so already."
    )
    return redirect("portal:cadence")
