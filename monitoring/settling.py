"""The ledger of due runs: what was due, what came of it, and the latest state of each job; many jobs with one set of questions."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
from django.db import transaction
from django.db.models import Q

from catalogue.models import Window
from itsm_backup.common.time import local_day
from monitoring import cells, expecting, following, gathering, matching, narrating, proving, recalling, sizing, summarising
from monitoring.asking import array, fetch, write_back
from monitoring.carrying import together
from monitoring.models import BackupJob, ExpectedRun, JobState
from monitoring.planning import COUNTED
from monitoring.storing import judge_again

BATCH = 500
_SETTLED = ("state", "run", "worst_outcome", "attempts", "backfilled", "counts", "excuse", "settled_at")
_STATE = (
    "latest_run", "good_run", "bad_streak", "good_streak", "next_due_at", "ledger_from", "ledger_until", "next_settlement_at",
    "schedule_version", "followed_at", "followed_run", "told_from", "touched_at", "touched_from",
)  # fmt: skip
_WORST = ("failed", "partial", "cancelled", "unknown", "missed", "skipped", "warning", "success")
# What is open, and what a run that is news may belong to.
_ROWS = """
SELECT e.* FROM unnest(%s::bigint[], %s::timestamptz[]) AS asked(job, touched_from)
JOIN monitoring_expectedrun e ON e.job_id = asked.job
  AND (e.state IN ('expected', 'late', 'unconfirmed') OR e.settled_at IS NULL OR e.cutoff_at > asked.touched_from)
ORDER BY e.job_id, e.due_at
"""
_RUNS = """
SELECT r.job_id, r.id, r.occurred_at, r.ended_at, r.outcome, r.state
FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) AS asked(job, since, until)
JOIN monitoring_backuprun r ON r.job_id = asked.job AND r.occurred_at >= asked.since AND r.occurred_at < asked.until
WHERE r.operation = ANY(%s)
"""
# Local days of touched runs of a job without schedule, and of the failed ones of a job with one: they may be outside of it.
_LOOSE = """
SELECT r.job_id, r.occurred_at FROM unnest(%s::bigint[], %s::timestamptz[]) AS asked(job, since)
JOIN monitoring_backuprun r ON r.job_id = asked.job AND r.occurred_at >= asked.since
WHERE r.outcome IN ('failed', 'partial', 'cancelled') OR NOT EXISTS (SELECT FROM monitoring_jobschedule s WHERE s.job_id = r.job_id)
"""
# When time alone brings news of a job: a run dated ahead of our clock.
_AHEAD = """
SELECT asked.job, min(r.occurred_at) FILTER (WHERE r.occurred_at > %(at)s), min(r.ended_at) FILTER (WHERE r.ended_at > %(at)s)
FROM unnest(%(jobs)s::bigint[]) AS asked(job) JOIN monitoring_backuprun r ON r.job_id = asked.job AND r.occurred_at >= %(since)s
GROUP BY asked.job
"""


class Work(msgspec.Struct, kw_only=True):
    """One job while it is settled: `days` are the local days on which something came, went or changed, `changed` the lines that did."""

    job: BackupJob
    state: JobState
    windows: Sequence[Window]
    counted_days: Sequence[matching.CountedDays]
    zone: str
    days: set[dt.date]
    changed: list[ExpectedRun] = []

    @property
    def has_schedule(self) -> bool:
        return hasattr(self.job, "schedule")


def settle_jobs(*, at: dt.datetime) -> int:
    """Bring the ledger of every job that was touched, or that time has changed, up to `at`; returns how many were."""
    waiting = list(JobState.objects.filter(_due(at)).order_by("touched_at", "pk").values_list("pk", flat=True)[:BATCH])
    return together(waiting, lambda ids: _settle(ids, at), "settling job")


def _due(at: dt.datetime) -> Q:
    """Touched, or changed by time alone; what was touched after `at` is for the next round, so that nothing is known too early."""
    return Q(touched_at__lte=at) | Q(next_settlement_at__lte=at, touched_at=None)


@transaction.atomic
def _settle(ids: Iterable[int], at: dt.datetime) -> int:
    works = _held(ids, at)
    if not works:
        return 0  # another worker has them, or has done it
    _add_loose_days(works)
    scheduled = [work for work in works if work.has_schedule]
    for work, written_on in zip(scheduled, expecting.expect([(work.job, work.state) for work in scheduled], at), strict=True):
        work.days |= written_on
    _match(scheduled, at)
    _forget_open([work for work in works if not work.has_schedule])
    for work in works:
        work.days |= {row.local_on for row in work.changed}
    _follow_tests(works)
    summarising.summarise([(work.job, work.state) for work in works], at)
    following.follow_jobs([_news(work, at) for work in works], at)
    sizing.follow_jobs(works, at)
    _look_ahead(works, at)
    for work in works:
        work.state.touched_at = work.state.touched_from = None
    write_back([work.state for work in works], _STATE)
    _tell_services(works, at)
    return len(works)


def _held(ids: Iterable[int], at: dt.datetime) -> list[Work]:
    """The jobs of these that wait and that nobody else has: they are ours until the transaction ends."""
    held = JobState.objects.select_for_update(skip_locked=True).filter(_due(at), pk__in=list(ids)).order_by("pk")
    states = {state.pk: state for state in held}
    jobs = list(BackupJob.objects.select_related("tool__state", "schedule", "service").filter(pk__in=states).order_by("pk"))
    services = {job.service_id for job in jobs if job.service_id}
    windows, zones, counted = recalling.windows_of(services), cells.zones_of(services, at), recalling.counted_days_of(services)
    return [
        Work(
            job=job,
            state=states[job.pk],
            windows=windows[job.service_id or 0],
            counted_days=counted[job.service_id or 0],
            zone=zones.get(job.service_id or 0, "UTC"),
            days=set(),
        )
        for job in jobs
    ]


def _news(work: Work, at: dt.datetime) -> recalling.News:
    first = min([row.deadline_at for row in work.changed if row.state == "missed"] + [work.state.touched_from or at])
    return recalling.News(job=work.job, state=work.state, windows=work.windows, news_from=first)


def _tell_services(works: Iterable[Work], at: dt.datetime) -> None:
    """Count the days of the services again, and have them judged."""
    days: dict[int, set[dt.date]] = defaultdict(set)
    zones: dict[int, str] = {}
    for work in works:
        if work.job.service_id:
            days[work.job.service_id] |= work.days
            zones[work.job.service_id] = work.zone
    cells.recount(days=days, zones=zones)
    judge_again(days, at)


def _look_ahead(works: Sequence[Work], at: dt.datetime) -> None:
    """Note when time alone brings news of each job: a run dated ahead of our clock, and the end of what silences its alerts."""
    asked = {"jobs": array(work.job.pk for work in works), "since": at - recalling.LONGEST_RUN, "at": at}
    runs = {job: instants for job, *instants in fetch(_AHEAD, asked)}
    for work in works:
        hold = narrating.hold_over(work.windows, at)
        ahead = [work.state.next_settlement_at, *runs.get(work.job.pk, []), hold.ends_at if hold else None]
        work.state.next_settlement_at = min(filter(None, ahead), default=None)


def _forget_open(works: Sequence[Work]) -> None:
    """A job that lost its schedule owes nothing any more: what was settled stays, the rest goes."""
    loose = {work.job.pk: work for work in works}
    for row in ExpectedRun.objects.filter(job__in=loose, settled_at=None) if loose else ():
        loose[row.job_id].changed.append(row)
    gone = [row.pk for work in works for row in work.changed]
    if gone:
        ExpectedRun.objects.filter(pk__in=gone).delete()
    for work in works:
        work.state.next_settlement_at = None


def _add_loose_days(works: Iterable[Work]) -> None:
    """Local days that touched runs beside a schedule fall on, and the day that one may have left."""
    loose = {work.job.pk: work for work in works if work.job.service_id and work.state.touched_from}
    if not loose:
        return
    since = {job: work.state.touched_from for job, work in loose.items()}
    for job, occurred_at in [*since.items(), *fetch(_LOOSE, [array(since), array(since.values())])]:
        loose[job].days.add(local_day(occurred_at, loose[job].zone))


def _follow_tests(works: Iterable[Work]) -> None:
    touched = {work.job.pk: work for work in works if work.state.touched_from}
    since = {job: work.state.touched_from for job, work in touched.items() if work.state.touched_from}
    for job, began in proving.follow_jobs(since).items():
        touched[job].days |= {local_day(one, touched[job].zone) for one in began}


def _match(works: Sequence[Work], at: dt.datetime) -> None:
    """Settle what is open or touched against the runs, and keep the lines that changed."""
    rows: dict[int, list[ExpectedRun]] = {work.job.pk: [] for work in works}
    if works:
        asked = [array(rows), array(work.state.touched_from for work in works)]
        for row in ExpectedRun.objects.raw(_ROWS, asked):
            rows[row.job_id].append(row)
    runs = runs_answering(rows)
    for work in works:
        if rows[work.job.pk]:
            work.changed = _matched(work, rows[work.job.pk], runs[work.job.pk], at)
        else:
            work.state.next_settlement_at = work.state.ledger_until
    write_back([row for work in works for row in work.changed], _SETTLED)


def _matched(work: Work, rows: list[ExpectedRun], runs: Mapping[int, matching.Run], at: dt.datetime) -> list[ExpectedRun]:
    """The rows that settling changes."""
    tool, state = work.job.tool, work.state
    lines = matching.match(
        [gathering.occurrence_of(row) for row in rows],
        runs.values(),
        at=at,
        pushed=not tool.connector.polled,
        complete_reading_at=tool.state.latest_complete_at,
        monitored_from=tool.monitored_from,
        holds=list(holds_over(work.windows, rows)),
        days=work.counted_days,
    )
    ahead = [line.next_change_at for line in lines if line.next_change_at]
    ahead += [state.ledger_until - expecting.HORIZON / 3] if state.ledger_until else []
    state.next_settlement_at = min((instant for instant in ahead if instant > at), default=state.ledger_until)
    return [row for row, line in zip(rows, lines, strict=True) if _apply(row, line, runs)]


def runs_answering(rows: Mapping[int, list[ExpectedRun]]) -> dict[int, dict[int, matching.Run]]:
    """By job, the runs that may answer its rows."""
    spans = [(job, some[0].opens_at, max(row.cutoff_at for row in some)) for job, some in rows.items() if some]
    found: dict[int, dict[int, matching.Run]] = {job: {} for job in rows}
    if spans:
        for job, pk, occurred_at, ended_at, outcome, state in fetch(_RUNS, [*map(array, zip(*spans, strict=True)), list(COUNTED)]):
            found[job][pk] = matching.Run(id=pk, started_at=occurred_at, ended_at=ended_at, outcome=outcome, state=state)
    return found


def holds_over(windows: Iterable[Window], rows: Sequence[ExpectedRun]) -> Iterator[matching.Hold]:
    """The windows that may excuse one of these rows, which are in the order of their openings."""
    for one in windows:
        if one.ends_at > rows[0].opens_at and one.starts_at < rows[-1].cutoff_at:
            yield matching.Hold(window=one.pk, starts_at=one.starts_at, ends_at=one.ends_at, approved_at=one.decided_at)


def _apply(row: ExpectedRun, line: matching.Settled, runs: Mapping[int, matching.Run]) -> bool:
    """Carry a settled line into its row; True when something changed."""
    outcomes = [outcome for run in line.run_ids if (outcome := runs[run].outcome)]
    best = line.best_run
    values = {
        "state": line.state,
        "run_id": best or line.failed_run or (line.run_ids[-1] if line.run_ids else None),
        "worst_outcome": runs[best].outcome if best else min(outcomes, key=_WORST.index, default=None),
        "attempts": len(line.run_ids) if line.attempted else 0,
        "backfilled": line.backfilled,
        "counts": not line.uncounted,
        "excuse": f"window {line.excused_by}" if line.excused_by else line.uncounted,
        "settled_at": line.settled_at,
    }
    changed = any(getattr(row, name) != value for name, value in values.items())
    for name, value in values.items():
        setattr(row, name, value)
    return changed
