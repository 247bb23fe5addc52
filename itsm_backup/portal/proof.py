"""What proves a service's standing: its copies over time, runs, days and jobs. Bounded index reads of one service."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, Subquery, Value
from django.db.models.functions import Coalesce, Least
from django.utils.safestring import SafeString

from itsm_backup.common.charts import AgeStep, Chart, RunMark, sawtooth
from itsm_backup.common.time import duration_words
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.days import cells_html, cells_of, span
from itsm_backup.portal.trouble import flapping_at
from itsm_backup.portal.words import clock, many, result_of, size, zone
from monitoring.models import BackupJob, BackupRun, RunRevision
from monitoring.planning import COUNTED
from monitoring.restorable import Copy
from monitoring.trending import Month, days_and_months
from monitoring.wording import schedule_words

HOURS, NARROW_HOURS, DAYS = 48, 15, 31
MARKED_BACK = dt.timedelta(hours=HOURS, days=3)  # a run is marked where it ended; none of interest took longer than three days
EARLIEST = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MOST_RUNS, MOST_JOBS = 250, 50
PROTECTING = ("backup", "copy", "replicate", "log_backup")
MARKS = {"success": "good", "warning": "warning", "failed": "failed", "partial": "failed", "cancelled": "failed", "missed": "missed"}
TOLD_OF_RUNS = (
    "job", "service", "operation", "state", "outcome", "verified", "occurred_at", "started_at", "ended_at", "bytes_stored",
    "bytes_source", "message",
)  # fmt: skip
OTHER_WORK = {"restore_test": "restore test", "restore": "restore", "verify": "check", "prune": "clean-up"}  # runs that make no copy


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
    flaps: str = ""  # where it is explained that it keeps failing and recovering


def saws(*, copies: dict[int, list[Copy]], promised_s: int | None, runs: Sequence[BackupRun], moment: Moment) -> tuple[Chart, Chart]:
    """The sawtooth of 48 hours, and that of 15 for a narrow screen, from the copies that count in that time."""
    start = begins_at(moment)
    steps = age_steps(copies, start=start, end=moment.at)
    marks = [RunMark(run.ended_at or run.occurred_at, MARKS.get(run.outcome or "", "other")) for run in runs if run.operation in PROTECTING]
    common = {"steps": steps, "runs": marks[::-1], "promise_s": promised_s, "now": moment.at, "zone": zone(), "dated": moment.past}
    return sawtooth(**common, hours=HOURS), sawtooth(**common, hours=NARROW_HOURS, width=340)


def begins_at(moment: Moment) -> dt.datetime:
    """Where the sawtooth begins."""
    return moment.at - dt.timedelta(hours=HOURS)


def age_steps(copies: dict[int, list[Copy]], *, start: dt.datetime, end: dt.datetime) -> list[AgeStep]:
    """When the newest restorable copy of the worst item changed, from start to end; a service stands where its worst item stands."""
    changes = {start: set(copies)}
    for item, points in copies.items():
        for instant in (instant for point in points for instant in (point.available_at, point.ends_at)):
            if instant is not None and start < instant <= end:
                changes.setdefault(instant, set()).add(item)
    newest: dict[int, dt.datetime | None] = {}
    steps = []
    for instant in sorted(changes):
        for item in changes[instant]:
            newest[item] = _newest(copies[item], instant)
        known = [captured for captured in newest.values() if captured is not None]
        steps.append(AgeStep(instant, min(known) if known and len(known) == len(newest) else None))
    return steps


def _newest(points: Iterable[Copy], at: dt.datetime) -> dt.datetime | None:
    usable = (point.captured_at for point in points if point.available_at <= at and (point.ends_at is None or point.ends_at > at))
    return max(usable, default=None)


def runs_of(
    *,
    service_id: int,
    moment: Moment,
    before: dt.datetime | None = None,
    most: int = MOST_RUNS,
    newest: int | None = None,
    known_at: dt.datetime | None = None,
) -> list[BackupRun]:
    """The newest runs that were known at the moment, or at `known_at`, with the outcome they had then; `before` pages into the past.

    `newest` leaves out all but so many and those that the sawtooth may mark.
    """
    runs = BackupRun.objects.filter(service=service_id, occurred_at__lte=moment.at).only(*TOLD_OF_RUNS).order_by("-occurred_at", "-pk")
    as_then = moment.past and not (known_at and known_at >= moment.now)
    if as_then:
        runs = runs.filter(first_seen_at__lte=moment.at)
    if before:
        runs = runs.filter(occurred_at__lt=before)
    if newest:
        last = Coalesce(Subquery(runs.values("occurred_at")[newest - 1 : newest]), Value(EARLIEST))
        runs = runs.filter(occurred_at__gte=Least(last, Value(moment.at - MARKED_BACK)))
    found = list(runs[:most])
    return _as_then(found, moment.at) if as_then else found


def _as_then(found: list[BackupRun], at: dt.datetime) -> list[BackupRun]:
    """The runs with the outcome that was known of them at that instant."""
    later = RunRevision.objects.filter(run__in=found, at__gt=at).order_by("-at", "-pk")
    then = {revision.run_id: revision.before for revision in later}  # the earliest later revision wins
    for run in found:
        run.outcome = then.get(run.pk, {}).get("outcome", run.outcome)
        run.state = then.get(run.pk, {}).get("state", run.state)
    return found


def run_row(run: BackupRun, moment: Moment, *, with_job: bool) -> RunRow:
    verdict, result = result_of(run)
    took = duration_words((run.ended_at - run.started_at).total_seconds()) if run.started_at and run.ended_at else ""
    return RunRow(
        when=clock(run.occurred_at, moment),
        verdict=verdict,
        result=result,
        took=took,
        moved=size(run.bytes_stored if run.bytes_stored is not None else run.bytes_source),
        note=_short(run.message or ""),
        href=moment.href("run", run.pk),
        job=", ".join(filter(None, [run.job.name if with_job else "", OTHER_WORK.get(run.operation, "")])),
    )


def _short(message: str) -> str:
    first = message.strip().split("\n")[0]
    return first if len(first) <= 120 else first[:119].rstrip() + "…"


def strip(*, version: Any, moment: Moment) -> tuple[SafeString, str, list[Month]]:
    """The last 31 days as links to their pages, a sentence about them, and the counts of thirteen months, which came along."""
    days = span(moment.at.astimezone(zone()).date(), DAYS)
    rows, months = days_and_months(version, days, moment.at)
    cells = cells_of(rows, days)
    counted = [cell.kind_counted for cell in cells if cell.counts]
    counted = [kind for kind in counted if kind not in ("not_scheduled", "pending", "held", "no_data")]
    good = sum(kind in ("good", "warning", "late") for kind in counted)
    note = f"One cell a day, the worst run counts. {good} of {many(len(counted), 'counted day')} without a failed or missed run."
    if moment.past:
        note += " Counted as known today: corrections made since then are in."
    return cells_html(cells, code=version.service.code, moment=moment, element="li"), note, months


def job_rows(*, service_id: int, moment: Moment, known_at: dt.datetime | None = None) -> tuple[JobRow, ...]:
    """The jobs as they stand; in the past with the latest finished run known then, and without what was due next."""
    jobs = BackupJob.objects.filter(service=service_id).select_related("tool", "schedule", "state__latest_run").order_by("name", "pk")
    flaps = flapping_at(moment).filter(job=OuterRef("pk")).values("pk")[:1]
    shown: list[Any] = list(jobs.annotate(flaps=Subquery(flaps))[:MOST_JOBS])
    if not moment.past:
        return tuple(_job_row(job, job.state.latest_run if hasattr(job, "state") else None, moment) for job in shown)
    latest = _latest_then(shown, moment, known_at or moment.at)
    return tuple(_job_row(job, latest.get(job.pk), moment) for job in shown)


def _latest_then(jobs: list[BackupJob], moment: Moment, known_at: dt.datetime) -> dict[int, BackupRun]:
    """The latest finished run of each job at the moment: one indexed look-up each, in one question."""
    runs = BackupRun.objects.filter(job=OuterRef("pk"), occurred_at__lte=moment.at, first_seen_at__lte=known_at, operation__in=COUNTED)
    newest = runs.filter(ended_at__lte=moment.at).exclude(outcome__in=["skipped", "unknown"]).order_by("-occurred_at", "-pk")
    ids = BackupJob.objects.filter(pk__in=[job.pk for job in jobs]).values(latest=Subquery(newest.values("pk")[:1]))
    return {run.job_id: run for run in _as_then(list(BackupRun.objects.filter(pk__in=ids)), known_at)}


def _job_row(job: Any, run: BackupRun | None, moment: Moment) -> JobRow:
    state, schedule = getattr(job, "state", None), getattr(job, "schedule", None)
    verdict, latest = result_of(run) if run and run.outcome else ("", run.get_state_display() if run else "No run yet")
    return JobRow(
        name=job.name,
        tool=f"{job.tool} (replayed recording)" if job.tool.replayed else str(job.tool),
        schedule=schedule_words(schedule) if schedule else "No schedule",
        next_due=clock(state.next_due_at, moment) if state and state.next_due_at and not moment.past else "",
        latest=latest,
        verdict=verdict,
        flaps=moment.href("explain", "alert", job.flaps) if job.flaps else "",
    )
