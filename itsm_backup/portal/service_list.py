"""The services list: filtered, sorted worst first, paged."""

from __future__ import annotations

from dataclasses import dataclass

from itsm_backup.portal.framing import Exposure, Link


@dataclass(frozen=True, kw_only=True)
class ServiceRow:
    verdict: str
    status: str
    service: Link
    code: str
    tier: int
    department: str
    exposure: Exposure
    steward: str
    incident: Link | None = None


@dataclass(frozen=True, kw_only=True)
class Choice:
    value: str
    words: str
    chosen: bool


@dataclass(frozen=True, kw_only=True)
class Paging:
    words: str  # "1 to 50 of 1,204"
    earlier: str = ""
    later: str = ""


@dataclass(frozen=True, kw_only=True)
class ServicesPage:
    sentence: str
    rows: tuple[ServiceRow, ...]
    tiers: tuple[Choice, ...]
    departments: tuple[Choice, ...]
    verdicts: tuple[Choice, ...]
    text: str
    filtered: bool
    paging: Paging
    csv_href: str
