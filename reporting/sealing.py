"""The seal: one digest over everything a report was made of, so that a changed number, version or service shows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec


def canonical(value: Any) -> bytes:
    """JSON with sorted keys: equal values give equal bytes, in any process and after the database kept them."""
    return msgspec.json.encode(value, order="sorted")


def digest_of(value: Any) -> bytes:
    return hashlib.sha256(canonical(value)).digest()


def seal_of(data: dict[str, Any], service_digests: Iterable[bytes]) -> bytes:
    """SHA-256 over the shared data and the digests of the services, in their order."""
    found = hashlib.sha256(canonical(data))
    for digest in service_digests:
        found.update(bytes(digest))
    return found.digest()
