"""The page that asks for a form again because a text of it is too long: it holds all that was sent, so that nothing typed is lost."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from itsm_backup.common.http.typed import TooLong, words
from itsm_backup.common.time import now
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.views import show

NOT_TYPED = ("csrfmiddlewaretoken",)  # the page has one of its own


class AsksAgain:
    """Middleware: whichever door read a text that is too long, this answers."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, TooLong):
            return None
        at = now()
        rest = [
            (name, value)
            for name, values in request.POST.lists()
            if name not in exception.told
            for value in values
            if name not in NOT_TYPED
        ]
        long = [
            {"name": name, "label": words(name).capitalize(), "told": told, "value": request.POST[name]}
            for name, told in exception.told.items()
        ]  # fmt: skip
        return show(
            request, "too_long", section="", moment=Moment(at=at, now=at), status=409, long=long, rest=rest, files=list(request.FILES)
        )  # fmt: skip
