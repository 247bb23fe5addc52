"""The door of a service's objectives."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse

from itsm_backup.portal import leaving_out, objectives_page
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.views import reads, show
from monitoring import naming


@reads
def objectives(request: HttpRequest, *, moment: Moment, code: str) -> HttpResponse:
    version = objectives_page.find(code=code, user=request.user, moment=moment)
    if version is None:
        raise Http404(code)
    page = objectives_page.objectives_page(version=version, user=request.user, moment=moment)
    page = leaving_out.from_objectives(page, naming.plain_for(request.user, service=version.service_id, name=version.name))
    return show(request, "objectives", section="services", moment=moment, page=page)
