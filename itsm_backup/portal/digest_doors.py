"""The door of a person's own digest: what it would say now, and when it comes."""

from __future__ import annotations

import datetime as dt

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from catalogue.refusing import NotReady
from incidents import preferring
from itsm_backup.common.http.typed import raw
from itsm_backup.common.time import now
from itsm_backup.portal import digest_page
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.views import show


@login_required
def digest(request: HttpRequest) -> HttpResponse:
    """The page, and what its form sends."""
    at = now()
    moment, problems, status = Moment(at=at, now=at), (), 200
    said = {name: raw(request, name) for name in ("digest", "told_at", "zone")} if request.method == "POST" else {}
    waits = request.POST.getlist("waits")
    if said:
        try:
            preferring.prefer(
                by=request.user, digest=said["digest"], told_at=_clock(said["told_at"]), zone=said["zone"], waits=waits, at=at
            )
        except NotReady as error:
            problems, status = tuple(error.problems), 409
        else:
            messages.success(request, "It is kept, and counts from now on.")
            return redirect("portal:digest")
    page = digest_page.digest_page(user=request.user, moment=moment, problems=problems, typed={**said, "waits": waits} if said else None)
    return show(request, "digest", section="", moment=moment, status=status, page=page)


def _clock(text: str) -> dt.time:
    try:
        return dt.time.fromisoformat(text)
    except ValueError:
        raise NotReady(["Say at what time it comes, such as 07:00."]) from None
