"""Doors of the quarantine of a tool: looking at it, and having it read again after its effect was seen."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from catalogue.refusing import NotAllowed, Refused
from itsm_backup.common.http.typed import typed
from itsm_backup.common.time import now
from itsm_backup.portal import quarantine_pages
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.mapping_doors import SECTION, tool_of
from itsm_backup.portal.views import reads, show
from monitoring import rereading, setting_aside
from monitoring.models import QuarantinedRecord


@reads
def one(request: HttpRequest, *, moment: Moment, name: str) -> HttpResponse:
    tried = request.GET.get("try") == "yes"
    page = quarantine_pages.quarantine_page(tool=tool_of(request, name), user=request.user, moment=moment, tried=tried)
    return show(request, "quarantine", section=SECTION, moment=moment, page=page)


@require_POST
@login_required
def set_aside(request: HttpRequest, *, name: str, record: int) -> HttpResponse:
    rows = QuarantinedRecord.objects.visible_to(request.user).select_related("tool")
    found, reason = (
        get_object_or_404(rows, pk=record, tool=tool_of(request, name)),
        typed(request, "reason", most=setting_aside.MOST_LETTERS),
    )
    try:
        setting_aside.set_aside(record=found, by=request.user, at=now(), reason=reason)
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from None
    except Refused as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"Record {record} was set aside. Its story keeps why.")
    return redirect("portal:quarantine", name)


@require_POST
@login_required
def read_again(request: HttpRequest, *, name: str) -> HttpResponse:
    try:
        found = rereading.reread(tool=tool_of(request, name), by=request.user, at=now())
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from None
    except Refused as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"Read again. {rereading.sentence(found)}")
    return redirect("portal:quarantine", name)
