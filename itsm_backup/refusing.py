"""Every refused attempt is kept: who, when, from where, at what, and why. Pages, administration and API alike."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterator
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse

from itsm_backup.common.models import Refusal
from itsm_backup.common.time import now

log = logging.getLogger("itsm_backup.refused")
SAFE = ("GET", "HEAD", "OPTIONS")
NOBODY_A_MINUTE = 100  # attempts without a person that are kept in a minute: an open door must not fill the disk
UNSAID = "Refused, such as a form that came without its proof."
HIDDEN = "There is nothing at this address that this person may see."


class RefusalsOnRecord:
    """Middleware. What the doors noted on the request is written once the answer is made, so that no rolled back deed takes it along."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        noted = request.__dict__.get("refused", [])
        if noted or _is_refusal(request, response):
            try:
                _keep(request, response, noted)
            except DatabaseError:
                log.exception("A refused attempt at %s could not be kept.", request.path)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        if isinstance(exception, PermissionDenied):
            request.__dict__["refused_why"] = str(exception)


def _is_refusal(request: HttpRequest, response: HttpResponse) -> bool:
    if response.status_code == 401:
        return "HTTP_AUTHORIZATION" in request.META  # without one it was no attempt with somebody's key
    hidden = response.status_code == 404 and request.method not in SAFE and _person(request) is not None
    return response.status_code == 403 or hidden


def _keep(request: HttpRequest, response: HttpResponse, noted: list[dict[str, str]]) -> None:
    at, person = now(), _person(request)
    if person is None:
        since = at - dt.timedelta(minutes=1)
        if Refusal.objects.filter(person=None, at__gt=since).count() >= NOBODY_A_MINUTE:
            log.warning("refused path=%r address=%r (not kept: too many without a person)", request.path, request.META.get("REMOTE_ADDR"))
            return
    who = person.get_username() if person else "an unknown token" if "HTTP_AUTHORIZATION" in request.META else "nobody signed in"
    why = _why(request, response)
    Refusal.objects.bulk_create(
        Refusal(
            at=at, who=who, person=person.pk if person else None, method=(request.method or "")[:10], path=_clean(request.path, 500),
            address=request.META.get("REMOTE_ADDR", "")[:45], action=_clean(one["action"], 60), what=_clean(one["object"], 200), why=why,
        )
        for one in noted or [{"action": request.method or "", "object": ""}]
    )  # fmt: skip


def _person(request: HttpRequest) -> Any:
    """Who is signed in, with a session or a token; None for nobody."""
    user = getattr(request, "user", None)
    return user if user is not None and user.is_authenticated else None


def _clean(text: str, most: int) -> str:
    return text.replace("\x00", "\ufffd")[:most]


def _why(request: HttpRequest, response: Any) -> str:
    """The reason as the person was told it."""
    return _clean(next((told for told in _told(request, response) if told), UNSAID), 1_000)


def _told(request: HttpRequest, response: Any) -> Iterator[str]:
    yield request.__dict__.get("refused_why", "")
    data, shown = getattr(response, "data", None), getattr(response, "context_data", None) or {}
    yield str(data.get("detail", "")) if isinstance(data, dict) else ""
    yield str(shown.get("why") or shown.get("blocked") or "")
    yield HIDDEN if response.status_code == 404 else ""
