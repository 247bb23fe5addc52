"""Doors of detected changes: reading them, and saying that one needs no new version."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from catalogue.refusing import NotAllowed, Refused
from itsm_backup.common.http.typed import typed
from itsm_backup.common.time import now
from itsm_backup.portal import detected_pages
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.views import reads, show
from monitoring import detecting
from monitoring.models import DetectedChange


@reads
def detected(request: HttpRequest, *, moment: Moment) -> HttpResponse:
    page = detected_pages.detected_page(user=request.user, moment=moment, code=request.GET.get("service", "")[:64])
    return show(request, "detected", section="services", moment=moment, page=page)


@require_POST
@login_required
def settle(request: HttpRequest, *, pk: int) -> HttpResponse:
    user: Any = request.user
    change = DetectedChange.objects.visible_to(user).filter(pk=pk).select_related("service", "job").first()
    if change is None:
        raise Http404(str(pk))
    try:
        detecting.settle(change=change, by=user, at=now(), reason=typed(request, "reason"))
        messages.success(
            request, f"{change.service}: no new version for “{detecting.aspect_words(change.aspect)}”. It is kept who said so, and why."
        )
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from None
    except Refused as error:
        messages.error(request, str(error))
    return redirect("portal:detected")
