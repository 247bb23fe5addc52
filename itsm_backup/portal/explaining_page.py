"""Why something is what it is: the answer, five references, the arithmetic, and the same once more."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.safestring import SafeString

from itsm_backup.portal.framing import Link


@dataclass(frozen=True, kw_only=True)
class RunLine:
    run: Link
    when: SafeString | str
    result: str


@dataclass(frozen=True, kw_only=True)
class Reference:
    """One of the five: runs, rule, mapping, promise, arithmetic."""

    title: str
    link: Link | None = None
    lines: tuple[str | SafeString, ...] = ()
    runs: tuple[RunLine, ...] = ()
    sums: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Again:
    """What judging once more gave: from the stored inputs, and from the runs as they are now."""

    agrees: bool
    sentence: str
    from_inputs: str
    from_runs: str
    differences: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ExplainPage:
    kind: str
    pk: int
    question: str
    answer: str | SafeString
    verdict: str
    subject: Link | None
    references: tuple[Reference, ...]
    record: str  # first characters of the hash
    record_full: str
    judged: SafeString
    href: str
    again_href: str
    cite: str
    again: Again | None = None
