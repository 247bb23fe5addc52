"""One service: promise, proof, problems, history."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.safestring import SafeString

from itsm_backup.common.charts import Chart
from itsm_backup.portal.framing import Exposure, Link


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One promise of the entry: what it says, what is measured, from what, and the verdict."""

    name: str
    promised: str
    measured: str
    evidence: str
    verdict: str
    verdict_words: str = ""
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class RunRow:
    when: SafeString
    verdict: str
    result: str
    took: str
    moved: str
    note: str
    href: str
    job: str = ""


@dataclass(frozen=True, kw_only=True)
class JobRow:
    name: str
    tool: str
    schedule: str
    next_due: SafeString | str
    latest: str
    verdict: str


@dataclass(frozen=True, kw_only=True)
class ProblemRow:
    kind: str  # "Incident" or "Alert"
    name: Link
    state: str
    priority: str
    since: SafeString
    note: str = ""
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class HistoryRow:
    when: SafeString
    what: str
    note: str
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class ServicePage:
    code: str
    name: str
    summary: str
    status: str
    status_words: str
    why: str
    meta: tuple[tuple[str, str], ...]  # (bold part's label, bold part)
    department: Link | None
    admin_href: str
    exposure: Exposure
    figure: tuple[tuple[str, str], ...]  # (("6", "h"), ("12", "min"))
    figure_note: SafeString | str
    saw: Chart
    saw_narrow: Chart
    claims: tuple[Claim, ...]
    runs: tuple[RunRow, ...]
    runs_zone: str
    older_runs: str
    strip: Chart
    strip_narrow: Chart
    days_note: str
    jobs: tuple[JobRow, ...]
    problems: tuple[ProblemRow, ...]
    history: tuple[HistoryRow, ...]
