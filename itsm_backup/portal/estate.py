"""The estate: who keeps the promise, who does not, and what is being done."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.safestring import SafeString

from itsm_backup.common.charts import Chart
from itsm_backup.portal.framing import Exposure, Link


@dataclass(frozen=True, kw_only=True)
class Attention:
    """One service that needs somebody: worst first."""

    verdict: str
    service: Link
    place: str  # "Tier 1, Radiology"
    exposure: Exposure
    known: str | SafeString
    handled: Link | None
    handled_note: str


@dataclass(frozen=True, kw_only=True)
class Tile:
    name: str
    href: str
    exposure: Exposure


@dataclass(frozen=True, kw_only=True)
class Group:
    """A tier or a department with its tiles; `more` leads to those that are not shown."""

    name: str
    notes: tuple[str, ...]
    tiles: tuple[Tile, ...]
    more: Link | None = None


@dataclass(frozen=True, kw_only=True)
class EstatePage:
    sentence: str
    lead: SafeString | str
    tally_wide: SafeString
    tally_narrow: SafeString
    counts: tuple[tuple[str, int, str], ...]  # verdict, how many, link to them
    attention: tuple[Attention, ...]
    attention_more: Link | None
    success: Chart | None
    success_note: str
    success_href: str
    groups: tuple[Group, ...]
    grouped_by: str
    regroup: Link
