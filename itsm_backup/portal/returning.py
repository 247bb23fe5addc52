"""Doors of forms: what is posted is done, and who looks at the address, as after a reload, gets back to the page of the form."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods


def posted(doing: Any, *, page: str, parts: tuple[str, ...] = ("number",)) -> Any:
    """For signed-in people; `page` is the name of the form's page, `parts` are those of the address that it takes."""

    def door(request: HttpRequest, **given: Any) -> HttpResponse:
        if request.method == "POST":
            return doing(request, **given)  # type: ignore[no-any-return]
        return redirect(page, **{name: given[name] for name in parts})

    return require_http_methods(["GET", "HEAD", "POST"])(login_required(door))
