"""Incidents: the list, and one with its facts, impact, story and what may be done."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.safestring import SafeString

from itsm_backup.common.charts import Chart
from itsm_backup.portal.framing import Link
from itsm_backup.portal.service_list import Choice, Paging


@dataclass(frozen=True, kw_only=True)
class IncidentRow:
    name: Link
    number: str
    priority: str
    state: str
    service: Link | None
    assignee: str
    opened: SafeString
    alerts: int


@dataclass(frozen=True, kw_only=True)
class IncidentsPage:
    sentence: str
    rows: tuple[IncidentRow, ...]
    views: tuple[Choice, ...]  # open, mine, resolved
    paging: Paging


@dataclass(frozen=True, kw_only=True)
class Story:
    when: SafeString
    text: str
    who: str = ""
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class AlertRow:
    title: str
    service: Link | None
    state: str
    verdict: str
    count: str
    since: SafeString
    why: str


@dataclass(frozen=True, kw_only=True)
class Deeds:
    """What this person may do with this incident now; empty strings and tuples where there is nothing to do."""

    acknowledge: bool = False
    people: tuple[Choice, ...] = ()
    note: bool = False
    resolve: bool = False
    refusal: str = ""  # why there is nothing to do, and who can


@dataclass(frozen=True, kw_only=True)
class IncidentPage:
    pk: int
    number: str
    title: str
    facts: tuple[tuple[str, str | SafeString, str], ...]  # label, value, verdict class or ""
    priority_reason: str
    open: bool
    tree: Chart | None
    branches: tuple[tuple[str, tuple[tuple[str, str, str, str], ...]], ...]  # head, (name, note, verdict, href)
    impact_note: str
    alerts: tuple[AlertRow, ...]
    story: tuple[Story, ...]
    deeds: Deeds
    why: Link | None
