"""Keys to the API: made once, shown once, kept as a hash."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from typing import Any

from monitoring.models import ApiToken, Tool

PREFIX = "itsmb_"


def issue(*, user: Any, scope: str, tool: Tool | None, at: dt.datetime, days: int) -> str:
    """Make a token and return its text, which is shown this once and cannot be read again."""
    text = PREFIX + secrets.token_urlsafe(32)
    ApiToken.objects.create(
        user=user,
        scope=scope,
        tool=tool,
        digest=_digest(text),
        hint=text[len(PREFIX) : len(PREFIX) + 6],
        created_at=at,
        expires_at=at + dt.timedelta(days=days),
    )
    return text


def find(text: str, *, at: dt.datetime) -> ApiToken | None:
    """The live token of an active user for this text, else None."""
    token = ApiToken.objects.select_related("user", "tool").filter(digest=_digest(text), revoked_at=None, expires_at__gt=at).first()
    return token if token and token.user.is_active else None


def revoke(*, token: ApiToken, at: dt.datetime) -> None:
    ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=at)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
