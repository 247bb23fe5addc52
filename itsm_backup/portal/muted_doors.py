"""The door of the register of mutes."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from itsm_backup.portal import muted_page
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.views import reads, show


@reads
def muted(request: HttpRequest, *, moment: Moment) -> HttpResponse:
    page = muted_page.muted_page(user=request.user, moment=moment)
    return show(request, "muted", section="incidents", moment=moment, page=page)
