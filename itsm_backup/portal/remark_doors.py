"""The door to an owner's “not right”: a steward says what came of it."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from catalogue import replying
from catalogue.models import Attestation, Service
from catalogue.refusing import NotAllowed, Refused
from itsm_backup.common.http.typed import typed
from itsm_backup.common.time import now


@require_POST
@login_required
def reply_remark(request: HttpRequest, *, pk: int) -> HttpResponse:
    rows = Attestation.objects.filter(service__in=Service.objects.visible_to(request.user)).select_related("service")
    row = rows.filter(pk=pk).first()
    if row is None:
        raise Http404(str(pk))
    number = typed(request, "version")
    version = row.service.versions.filter(number=number).first() if number.isdigit() and len(number) < 10 else None
    try:
        replying.reply(attestation=row, text=typed(request, "text", most=replying.MOST), version=version, by=request.user, at=now())
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from None
    except Refused as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "Your answer stands beside what was said, and its owner is told.")
    return redirect("portal:entry_ownership", row.service.code)
