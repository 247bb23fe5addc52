"""Doors of the register of tools: reading it, trying a tool, comparing candidates."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from catalogue.refusing import NotAllowed, Refused
from itsm_backup.common.http.typed import typed
from itsm_backup.common.time import now
from itsm_backup.portal import tool_comparison, tool_pages
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.mapping_doors import SECTION, tool_of
from itsm_backup.portal.views import reads, show
from monitoring import assessing
from monitoring.models import Tool


def check_reader(request: HttpRequest) -> None:
    if not Tool.objects.visible_to(request.user).exists() and not request.user.has_perm("monitoring.view_tool"):
        raise PermissionDenied("Tools are read by those who may see at least one of them.")


@reads
def tools(request: HttpRequest, *, moment: Moment) -> HttpResponse:
    check_reader(request)
    return show(request, "tools", section=SECTION, moment=moment, page=tool_pages.tools_page(user=request.user, moment=moment))


@reads
def one(request: HttpRequest, *, moment: Moment, name: str) -> HttpResponse:
    page = tool_pages.tool_page(tool=tool_of(request, name), user=request.user, moment=moment)
    return show(request, "tool", section=SECTION, moment=moment, page=page)


@require_POST
@login_required
def test_connection(request: HttpRequest, *, name: str) -> HttpResponse:
    tool = tool_of(request, name)
    try:
        trial = assessing.assess(tool=tool, by=request.user, at=now())
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from None
    if trial.complete:
        messages.success(request, f"{tool} was tried. Its scorecard is kept; nothing that it said became a run.")
    else:
        messages.error(request, f"{tool} did not answer in full. {' '.join(trial.problems)}")
    return redirect("portal:tool", name)


@reads
def compare(request: HttpRequest, *, moment: Moment) -> HttpResponse:
    check_reader(request)
    page = tool_comparison.comparison_page(user=request.user, moment=moment, chosen=request.GET.getlist("c")[:40], sent=request.GET.dict())
    return show(request, "compare_tools", section=SECTION, moment=moment, page=page)


@require_POST
@login_required
def keep_weights(request: HttpRequest) -> HttpResponse:
    given, problems = tool_comparison.read_weights(request.POST.dict())
    reason = typed(request, "reason")
    try:
        if not problems:
            assessing.set_weights(given=given, by=request.user, at=now(), reason=reason)
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from None
    except Refused as error:
        problems = [str(error)]
    if problems:
        messages.error(request, f"Nothing was kept. {' '.join(problems)}")
    else:
        messages.success(request, "These weights count from now on.")
    return redirect("portal:compare_tools")
