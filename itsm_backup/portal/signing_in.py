"""Who may come in, and what becomes of a form that is sent by somebody whose session has ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

UNSENT = "unsent"  # in an address: static/unsent.js puts what was typed back into the form


class Adapter(DefaultAccountAdapter):
    """Accounts are declared by administrators or brought by the company's OIDC; nobody signs up alone."""

    def is_open_for_signup(self, request: Any) -> bool:
        return False


class BackToTheForm:
    """Middleware: who sends a form without being signed in is told so, and comes back to its page, not to the address it was sent to."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.method == "POST" and response.status_code == 302 and not request.user.is_authenticated and _asks_to_sign_in(response):
            messages.warning(request, "You were signed out before this was sent, so nothing of it was done. Sign in to send it again.")
            response["Location"] = f"{reverse('account_login')}?{urlencode({'next': _page(request)})}"
        return response


def _asks_to_sign_in(response: HttpResponse) -> bool:
    place = urlsplit(response["Location"])
    return place.path in (reverse("account_login"), reverse("admin:login")) and any(name == "next" for name, _ in parse_qsl(place.query))


def _page(request: HttpRequest) -> str:
    """The page on which the form stands, as the browser names it; without that the estate."""
    sender = request.META.get("HTTP_REFERER", "")
    if not url_has_allowed_host_and_scheme(sender, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        return "/"
    page = urlsplit(sender)
    query = [(name, value) for name, value in parse_qsl(page.query, keep_blank_values=True) if name != UNSENT]
    return f"{page.path}?{urlencode([*query, (UNSENT, '1')])}"
