"""What a form of the portal sent: whole or refused, never cut silently."""

from __future__ import annotations

from django.http import HttpRequest

from catalogue.refusing import NotReady


def raw(request: HttpRequest, name: str) -> str:
    """What stands in the field, to be shown again after a refusal."""
    return request.POST.get(name, "").replace("\x00", "").strip()


def typed(request: HttpRequest, name: str, *, most: int = 2_000) -> str:
    """The same for an act. Raises NotReady, saying what to shorten, when it is longer than what is kept."""
    text = raw(request, name)
    if told := too_long(name, text, most):
        raise NotReady([told])
    return text


def too_long(name: str, text: str, most: int) -> str:
    """One sentence when the text is longer than what is kept; empty when it fits."""
    if len(text) <= most:
        return ""
    return (
        f"Under “{name.replace('_', ' ')}” stand {len(text):,} characters, and at most {most:,} are kept. Shorten it: nothing was changed."
    )
