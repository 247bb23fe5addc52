"""Doors of the methods: the list, and the page of one. Everybody who is signed in may know how things are counted."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse

from itsm_backup.portal import method_pages
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.views import reads, show
from monitoring.methods import MethodError, find


@reads
def methods(request: HttpRequest, *, moment: Moment) -> HttpResponse:
    return show(request, "methods", section="reports", moment=moment, page=method_pages.methods_page(moment=moment))


@reads
def method(request: HttpRequest, *, moment: Moment, method_id: str, version: str = "1") -> HttpResponse:
    try:
        found = find(method_id.upper(), version)
    except MethodError as error:
        raise Http404(str(error)) from None
    page = method_pages.method_page(method=found, moment=moment)
    return show(request, "method", section="reports", moment=moment, page=page)
