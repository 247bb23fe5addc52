"""The ledger worked out again from the raw runs alone, to hold against the ledger that is kept."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from catalogue.models import Window
from monitoring import gathering, matching, recalling, settling
from monitoring.asking import array
from monitoring.models import BackupJob, ExpectedRun

_ROWS = """
SELECT e.* FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) AS asked(service, since, until)
JOIN monitoring_backupjob j ON j.service_id = asked.service
JOIN monitoring_expectedrun e ON e.job_id = j.id AND e.opens_at >= asked.since AND e.opens_at < asked.until
ORDER BY e.job_id, e.due_at
"""
GOOD = ("satisfied", "satisfied_late")
BAD = ("missed",)
UNCOUNTED = "uncounted"  # on a day that does not count: no rate asks what came of it


class Line(msgspec.Struct, frozen=True):
    """One occurrence: what the ledger says of it, and what the runs say."""

    job: str
    due_at: dt.datetime
    in_ledger: str
    by_runs: str
    settled: bool

    @property
    def agrees(self) -> bool:
        return self.in_ledger == self.by_runs

    @property
    def good(self) -> bool | None:
        """By the runs; None for what is neither good nor bad: excused, not counted, unconfirmed, still open."""
        return True if self.by_runs in GOOD else False if self.by_runs in BAD and self.settled else None


def again(*, periods: Mapping[int, tuple[dt.datetime, dt.datetime]], at: dt.datetime) -> dict[int, list[Line]]:
    """The occurrences of each service that opened in its period, by job and due time. Five queries for any number of services.

    Windows, calendars and the latest full reading of a tool are taken as they are known now, as settling takes them.
    """
    asked = [array(periods), array(since for since, _ in periods.values()), array(until for _, until in periods.values())]
    rows: dict[int, list[ExpectedRun]] = defaultdict(list)
    for row in ExpectedRun.objects.raw(_ROWS, asked):
        rows[row.job_id].append(row)
    runs = settling.runs_answering(rows)
    jobs = BackupJob.objects.select_related("tool__state").defer("tool__secrets").filter(pk__in=rows).order_by("name", "pk")
    windows, counted = recalling.windows_of(periods), recalling.counted_days_of(periods)
    found: dict[int, list[Line]] = {service: [] for service in periods}
    for job in jobs:
        service = job.service_id or 0
        found[service] += _lines(job, rows[job.pk], runs[job.pk].values(), windows[service], counted[service], at)
    return found


def _lines(
    job: BackupJob, rows: list[ExpectedRun], runs: Iterable[matching.Run], windows: Iterable[Window],
    counted: Sequence[matching.CountedDays], at: dt.datetime,
) -> Iterator[Line]:  # fmt: skip
    settled = matching.match(
        [gathering.occurrence_of(row) for row in rows],
        runs,
        at=at,
        pushed=not job.tool.connector.polled,
        complete_reading_at=job.tool.state.latest_complete_at,
        monitored_from=job.tool.monitored_from,
        holds=list(settling.holds_over(windows, rows)),
        days=counted,
    )
    for row, line in zip(rows, settled, strict=True):
        kept, found = row.state if row.counts else UNCOUNTED, UNCOUNTED if line.uncounted else line.state
        yield Line(job.name, row.due_at, kept, found, line.settled_at is not None)
