"""The addresses of the Healthchecks protocol: which check a ping is about and what it says.

    /ping/<uuid>                      success          /ping/<ping_key>/<slug>          the same by name
    /ping/<uuid>/start                it begins        …/start
    /ping/<uuid>/fail                 it failed        …/fail
    /ping/<uuid>/log                  only a log       …/log
    /ping/<uuid>/<0-255>              an exit code     …/<0-255>

with HEAD, GET or POST; `?rid=<uuid>` ties a start to its end; `?create=1` makes the check of a slug that is not known yet.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal
from uuid import UUID

import msgspec

METHODS = ("HEAD", "GET", "POST")
BODY_LIMIT_BYTES = 100_000
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_PING_KEY = re.compile(r"[A-Za-z0-9_-]{8,64}")
_SLUG = re.compile(r"[a-z0-9_-]{1,100}")
_WORDS = ("start", "fail", "log")


class PingAddress(msgspec.Struct, kw_only=True, frozen=True):
    """A ping that may be taken. `suffix` is empty for success, a word, or an exit code without leading zeros."""

    suffix: str
    uuid: str | None = None
    ping_key: str | None = None
    slug: str | None = None
    rid: str | None = None
    create: bool = False


class PingRefusal(msgspec.Struct, kw_only=True, frozen=True):
    """A ping that is not taken, with the status and the text to answer."""

    status: Literal[400, 404, 405]
    text: str


def read_address(path: str, *, method: str = "POST", query: Mapping[str, str] | None = None) -> PingAddress | PingRefusal:
    """What a request to `path` (with or without the leading `/ping`) means, answered as Healthchecks answers it."""
    if method not in METHODS:
        return PingRefusal(status=405, text="use HEAD, GET or POST")
    parts = path.strip("/").split("/")
    if parts[0] == "ping":
        parts = parts[1:]
    check = _check(parts)
    if isinstance(check, PingRefusal):
        return check
    names, rest = check
    suffix = _suffix(rest)
    if isinstance(suffix, PingRefusal):
        return suffix
    rid = (query or {}).get("rid", "")
    if rid and not _UUID.fullmatch(rid):
        return PingRefusal(status=400, text="invalid uuid format")
    return PingAddress(suffix=suffix, rid=str(UUID(rid)) if rid else None, create=(query or {}).get("create") == "1", **names)


def _check(parts: list[str]) -> tuple[dict[str, str], list[str]] | PingRefusal:
    if parts and _UUID.fullmatch(parts[0]):
        return {"uuid": str(UUID(parts[0]))}, parts[1:]
    if len(parts) < 2 or not _PING_KEY.fullmatch(parts[0]):
        return PingRefusal(status=404, text="not found")
    if parts[1] != parts[1].lower():
        return PingRefusal(status=400, text="invalid slug: use lower-case letters, digits, hyphens and underscores")
    if not _SLUG.fullmatch(parts[1]):
        return PingRefusal(status=404, text="not found")
    return {"ping_key": parts[0], "slug": parts[1]}, parts[2:]


def _suffix(rest: list[str]) -> str | PingRefusal:
    if not rest:
        return ""
    if len(rest) == 1 and rest[0] in _WORDS:
        return rest[0]
    if len(rest) == 1 and rest[0].isascii() and rest[0].isdigit():
        return str(int(rest[0])) if len(rest[0]) <= 3 and int(rest[0]) <= 255 else PingRefusal(status=400, text="invalid url format")
    return PingRefusal(status=404, text="not found")
