"""The door of a person's own digest: what it would say now, and when it comes."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from catalogue.refusing import NotReady
from incidents import preferring
from itsm_backup.common.http.typed import raw
from itsm_backup.common.time import now
from itsm_backup.portal import digest_page
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.views import reads, show


@reads
def digest(request: HttpRequest, *, moment: Moment) -> HttpResponse:
    """The page; it tells of now, whatever instant is asked for."""
    return shown(request)


@require_POST
@login_required
def choose_digest(request: HttpRequest) -> HttpResponse:
    """What its form sends."""
    said = {name: raw(request, name) for name in ("digest", "told_at", "zone")}
    waits = request.POST.getlist("waits")
    try:
        preferring.prefer(by=request.user, digest=said["digest"], told_at=_clock(said["told_at"]), zone=said["zone"], waits=waits, at=now())
    except NotReady as error:
        return shown(request, problems=tuple(error.problems), typed={**said, "waits": waits})
    messages.success(request, "It is kept, and counts from now on.")
    return redirect("portal:digest")


def shown(
    request: HttpRequest, *, problems: tuple[str, ...] = (), typed: dict[str, Any] | None = None, own_problems: tuple[str, ...] = (),
    own_typed: dict[str, Any] | None = None,
) -> HttpResponse:  # fmt: skip
    """The page, with what does not go in one of its forms and what was typed there."""
    moment = Moment(at=(at := now()), now=at)
    page = digest_page.digest_page(
        user=request.user, moment=moment, problems=problems, typed=typed, own_problems=own_problems, own_typed=own_typed
    )
    return show(request, "digest", section="", moment=moment, status=409 if problems or own_problems else 200, page=page)


def _clock(text: str) -> dt.time:
    try:
        return dt.time.fromisoformat(text)
    except ValueError:
        raise NotReady(["Say at what time it comes, such as 07:00."]) from None
