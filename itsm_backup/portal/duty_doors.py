"""Doors of the evidence that duties are separate."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from itsm_backup.portal import asof, duties_page
from itsm_backup.portal.views import reads, show


@reads
def duties(request: HttpRequest, *, moment: asof.Moment) -> HttpResponse:
    if not request.user.has_perm(duties_page.MAY_SEE):
        raise PermissionDenied("Who holds which duties is read by stewards, approvers, operators, administrators and auditors.")
    page = duties_page.duties_page(user=request.user, moment=moment)
    return show(request, "duties", section="evidence", moment=moment, page=page)
