"""Titles of what is over, told as what was: the sentence that names an incident was written while it lasted."""

from __future__ import annotations

import re

_FAIL = " fail because "
_NOW = (
    (" is past its ", " was past its "),
    (" has used most of its ", " had used most of its "),
    (" has damaged copies", " had damaged copies"),
    (" has not answered", " did not answer"),
    (" keeps failing and recovering", " kept failing and recovering"),
)
_WAS = {
    "is": "was", "are": "were", "has": "had", "have": "had", "does": "did", "do": "did", "can": "could", "cannot": "could not",
    "may be": "may have been",
}  # fmt: skip
_PRESENT = re.compile(rf"\b({'|'.join(sorted(_WAS, key=len, reverse=True))})\b")


def told(title: str, *, over: bool) -> str:
    """`Backups of Pharmacy failed because the storage was full`, of what is over; else the title as it is."""
    if not over:
        return title
    what, fails, cause = title.partition(_FAIL)
    if fails:
        return f"{what} failed because {_PRESENT.sub(lambda found: _WAS[found[1]], cause)}"
    return next((title.replace(now, was, 1) for now, was in _NOW if now in title), title)
