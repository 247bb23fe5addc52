"""Doors of recounted figures: reading what differs, and saying why a published one stands."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from catalogue.refusing import NotAllowed, NotReady
from itsm_backup.common.http.typed import typed
from itsm_backup.common.time import now
from itsm_backup.portal import reconciliation_page
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.views import reads, show
from reporting import following_up
from reporting.models import Discrepancy, Report


@reads
def reconciliation(request: HttpRequest, *, moment: Moment) -> HttpResponse:
    page = reconciliation_page.reconciliation_page(user=request.user, moment=moment)
    return show(request, "reconciliation", section="reports", moment=moment, page=page)


@require_POST
@login_required
def explain_discrepancy(request: HttpRequest, *, pk: int) -> HttpResponse:
    at, reason = now(), typed(request, "reason")
    seen = Discrepancy.objects.visible_to(request.user).filter(report__in=Report.objects.visible_to(request.user), pk=pk)
    row = seen.first()
    if row is None:
        raise Http404(str(pk))
    try:
        following_up.explain(discrepancy=row, by=request.user, at=at, reason=reason)
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from None
    except NotReady as error:
        moment = Moment(at=at, now=at)
        page = reconciliation_page.reconciliation_page(user=request.user, moment=moment, problems=tuple(error.problems), typed={pk: reason})
        return show(request, "reconciliation", section="reports", moment=moment, status=409, page=page)
    messages.success(request, "The published figure stands. Your reason stands beside both figures.")
    return redirect("portal:reconciliation")
