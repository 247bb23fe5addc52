"""The guide of the first day: four steps, each with its state and the place where it is done."""

from __future__ import annotations

from dataclasses import dataclass

from itsm_backup.portal.framing import Link


@dataclass(frozen=True, kw_only=True)
class Step:
    title: str
    what: str
    done: bool
    state: str
    door: Link | None
    who: str = ""  # who can do it, when this person cannot


@dataclass(frozen=True, kw_only=True)
class GuidePage:
    sentence: str
    steps: tuple[Step, ...]
    complete: bool
