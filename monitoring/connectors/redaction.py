"""Take secrets out of what tools print, before anything is kept or hashed."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import quote

MASK = "<secret>"
MIN_SECRET_LENGTH = 4
# A secret that is an ordinary short word may equal a host, a user or a part of a path; inside a JSON document, where restic
# and borg never print secrets, replacing it would change what the document says.
MIN_SECRET_LENGTH_IN_DATA = 12

_USERINFO = re.compile(r"(://[^/\s:@'\"]{0,200}:)[^/\s@'\"]{1,400}@")
_ASSIGNMENT = re.compile(
    r"(?i)\b([a-z0-9_]{0,40}(?:password|passwd|passphrase|secret|secret_access_key|secret_key|api_?key|access_token|account_key|token))"
    r"([\"']?\s?[=:]\s?[\"']?)(?!<secret>)[^\s'\",;&]{1,400}"
)
_BEARER = re.compile(r"(?i)\b(authorization:\s*\w{1,20}|bearer)\s+[A-Za-z0-9._~+/=-]{8,2000}")
_PING_URL = re.compile(r"(?i)(https?://[^\s'\"]{1,200}?/)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def redact(text: str, secrets: Collection[str] = (), *, data: bool = False) -> str:
    """The text with known secrets, passwords in URLs and addresses of pings masked.

    `data` says that the text is a JSON document: then only long secrets and passwords in URLs are looked for, so that the
    document stays readable and keeps its names.
    """
    shortest = MIN_SECRET_LENGTH_IN_DATA if data else MIN_SECRET_LENGTH
    forms = {form for secret in secrets if len(secret) >= shortest for form in (secret, quote(secret, safe=""))}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, MASK)
    text = _USERINFO.sub(rf"\1{MASK}@", text)
    if data:
        return text
    text = _ASSIGNMENT.sub(rf"\1\2{MASK}", text)
    text = _BEARER.sub(rf"\1 {MASK}", text)
    return _PING_URL.sub(rf"\1{MASK}", text)


def url_secrets(address: str) -> list[str]:
    """The passwords that stand inside the URLs of an address."""
    return [match.group(0)[len(match.group(1)) : -1] for match in _USERINFO.finditer(address)]
