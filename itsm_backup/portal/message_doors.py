"""The door of what was sent about incidents."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from incidents import posting
from itsm_backup.portal import message_page
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.views import page_number, reads, show


@reads
def messages(request: HttpRequest, *, moment: Moment) -> HttpResponse:
    if not posting.may_read(request.user):
        raise PermissionDenied("What was sent is read by those who work on incidents, and by auditors.")
    page = message_page.messages_page(user=request.user, moment=moment, asked=request.GET, page=page_number(request))
    return show(request, "messages", section="incidents", moment=moment, page=page)
