"""Doors of who is told when."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from itsm_backup.portal import escalation_page, simulation_page
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.views import reads, show

MAY_SEE = "incidents.view_escalationpolicy"


@reads
def escalation(request: HttpRequest, *, moment: Moment) -> HttpResponse:
    if not request.user.has_perm(MAY_SEE):
        raise PermissionDenied("Escalation policies are read by those who may see tools.")
    asked = {name: request.GET[name] for name in ("service", "priority", "days", "draft") if name in request.GET}
    sim = simulation_page.simulation(user=request.user, moment=moment, asked=asked)
    page = escalation_page.escalation_page(user=request.user)
    return show(request, "escalation", section="incidents", moment=moment, page=page, sim=sim, status=404 if sim.problem else 200)
