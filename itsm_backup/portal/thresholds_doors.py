"""Doors of the status thresholds: trying others on past days, and putting them in force."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from catalogue.refusing import NotAllowed, NotReady
from itsm_backup.common.http.typed import everything, typed
from itsm_backup.common.time import now
from itsm_backup.portal import thresholds_page
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.views import reads, show
from monitoring import workflow

MAY_SEE, USUAL_DAYS = "monitoring.view_statusworkflow", 7


def _typed(sent: Any) -> dict[str, str]:
    return {name: sent[name].replace("\x00", "").strip() for name in workflow.FIELDS if name in sent}


def _days(sent: Any) -> int:
    text = sent.get("days", "")
    return int(text) if text in map(str, thresholds_page.DAYS) else USUAL_DAYS


@reads
def thresholds(request: HttpRequest, *, moment: Moment) -> HttpResponse:
    if not request.user.has_perm(MAY_SEE):
        raise PermissionDenied("Thresholds are read by those who may see tools.")
    page = thresholds_page.thresholds_page(user=request.user, moment=moment, typed=_typed(request.GET), days=_days(request.GET))
    return show(request, "thresholds", section="services", moment=moment, page=page)


@require_POST
@login_required
def put_in_force(request: HttpRequest) -> HttpResponse:
    at, values, reason = now(), _typed(everything(request)), typed(request, "reason")
    try:
        workflow.put_in_force(values=values, by=request.user, at=at, reason=reason)
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from None
    except NotReady as error:
        page = thresholds_page.thresholds_page(
            user=request.user, moment=Moment(at=at, now=at), typed=values, days=_days(request.POST), reason=reason,
            problems=tuple(error.problems),
        )  # fmt: skip
        return show(request, "thresholds", section="services", moment=Moment(at=at, now=at), status=409, page=page)
    messages.success(request, "These thresholds are in force. Every service is judged again by them; earlier judgements stay as they were.")
    return redirect("portal:thresholds")
