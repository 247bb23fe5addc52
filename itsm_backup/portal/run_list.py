"""All runs of one service, newest first, page by page into the past."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import prefetch_related_objects

from itsm_backup.common.time import parse_instant
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.proof import RunRow, run_row, runs_of
from itsm_backup.portal.words import zone

PAGE = 50


@dataclass(frozen=True, kw_only=True)
class RunsPage:
    code: str
    name: str
    rows: tuple[RunRow, ...]
    zone_words: str
    newest: str
    earlier: str


def runs_page(*, version: Any, moment: Moment, before: str) -> RunsPage:
    """One page of the runs; `before` (an instant) is where the page above ended, anything unreadable begins at the newest."""
    try:
        start = parse_instant(before) if before else None
    except (ValueError, OverflowError):
        start = None
    runs = runs_of(service_id=version.service_id, moment=moment, before=start, most=PAGE + 1)
    prefetch_related_objects(runs, "job")
    code = version.service.code
    last = runs[PAGE - 1].occurred_at.isoformat() if len(runs) > PAGE else ""
    return RunsPage(
        code=code,
        name=version.name,
        rows=tuple(run_row(run, moment, with_job=True) for run in runs[:PAGE]),
        zone_words=moment.at.astimezone(zone()).tzname() or "",
        newest=moment.href("runs", code) if start else "",
        earlier=moment.href("runs", code, before=last) if last else "",
    )
