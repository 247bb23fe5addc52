"""The doors of the calendar: the estate's, one service's, and one day of a service."""

from __future__ import annotations

import datetime as dt

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from itsm_backup.portal import asof, calendar_page, day_page, leaving_out
from itsm_backup.portal import service_calendar as month_page
from itsm_backup.portal.views import page_number, plain_for, reads, show, sorry, version_of
from itsm_backup.portal.words import day as day_words


@reads
def calendar(request: HttpRequest, *, moment: asof.Moment) -> HttpResponse:
    asked, number = request.GET.dict(), page_number(request)
    if asked.get("format") == "csv":
        text = calendar_page.as_csv(user=request.user, moment=moment, asked=asked, page=number)
        headers = {"Content-Disposition": 'attachment; filename="calendar.csv"'}
        return HttpResponse(text, content_type="text/csv; charset=utf-8", headers=headers)
    page = calendar_page.calendar_page(user=request.user, moment=moment, asked=asked, page=number)
    return show(request, "calendar", section="calendar", moment=moment, page=page)


@reads
def service_calendar(request: HttpRequest, *, moment: asof.Moment, code: str) -> HttpResponse:
    page = month_page.month_page(version=version_of(request, code, moment), moment=moment, month=request.GET.get("month", ""))
    return show(request, "service_calendar", section="calendar", moment=moment, page=page)


@reads
def day(request: HttpRequest, *, moment: asof.Moment, code: str, on: dt.date) -> HttpResponse:
    """The day's page; its summary alone for the card beside a calendar's cell."""
    version = version_of(request, code, moment)
    if on > day_page.newest_day(version, moment):
        return sorry(
            request,
            title="That day has not come",
            what=f"{day_words(on)} lies after the day that this page shows.",
            remedy="Choose an earlier day in the calendar.",
            status=404,
            section="calendar",
        )
    page = day_page.day_page(version=version, user=request.user, moment=moment, on=on)
    page = leaving_out.from_day(page, plain_for(request, version))
    if request.headers.get("X-Fragment") == "card":
        response = render(request, "portal/_day_card.html", {"page": page})
        response["Cache-Control"] = "private, no-store"
        return response
    return show(request, "day", section="calendar", moment=moment, page=page)
