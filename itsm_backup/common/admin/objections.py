"""What stands against a change or a grant besides missing rights: floors above say it here, every door of the admin asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from itsm_backup.common.time import now

to_changes: list[Callable[[Any, Any, Any], str]] = []  # (person, model, at) → why not; empty when nothing does
to_rights: list[Callable[[Any, Iterable[str], Any], str]] = []  # (person, names of rights on one row, at) → why not


def against_change(person: Any, model: Any) -> str:
    """Why this person may change no row of this kind; empty when they may, as far as their rights go."""
    return next(filter(None, (object_to(person, model, now()) for object_to in to_changes)), "")


def against_rights(person: Any, rights: Iterable[str]) -> str:
    """Why these rights on one row cannot be given to the person."""
    wanted = list(rights)
    return next(filter(None, (object_to(person, wanted, now()) for object_to in to_rights)), "")
