"""One run: what happened, what was read from which answer, and what was corrected later."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.safestring import SafeString

from itsm_backup.portal.framing import Link


@dataclass(frozen=True, kw_only=True)
class Correction:
    when: SafeString
    lines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class RunPage:
    pk: int
    title: str
    verdict: str
    result: str
    service: Link | None
    facts: tuple[tuple[str, str | SafeString], ...]
    message: str
    corrections: tuple[Correction, ...]
    raw: str
    raw_note: str
    raw_refusal: str = ""
