"""The door of a service's objectives."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from itsm_backup.portal import objectives_page
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.views import reads, show, version_of


@reads
def objectives(request: HttpRequest, *, moment: Moment, code: str) -> HttpResponse:
    page = objectives_page.objectives_page(version=version_of(request, code, moment), moment=moment)
    return show(request, "objectives", section="services", moment=moment, page=page)
