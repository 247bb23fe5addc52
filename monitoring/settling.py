"""The ledger of due runs: what was due, what came of it, and the latest state of each job."""

from __future__ import annotations

import datetime as dt

from django.db import connection, transaction
from django.db.models import Max, Min, Q, QuerySet

from catalogue.models import ServiceVersion, Window
from itsm_backup.common.time import local_day
from monitoring import cells, following, gathering, matching, planning, proving, schedules
from monitoring.carrying import each
from monitoring.models import BackupJob, BackupRun, ExpectedRun, JobState
from monitoring.planning import COUNTED
from monitoring.storing import judge_again

BATCH = 500
HORIZON = dt.timedelta(hours=36)
_SETTLED = {
    "state": "varchar",
    "run_id": "bigint",
    "worst_outcome": "varchar",
    "attempts": "smallint",
    "backfilled": "boolean",
    "excuse": "varchar",
    "settled_at": "timestamptz",
}
_SAVE = f"""
UPDATE monitoring_expectedrun SET {", ".join(f"{name} = found.{name}" for name in _SETTLED)}
FROM unnest(%s::bigint[], {", ".join(f"%s::{kind}[]" for kind in _SETTLED.values())}) AS found(id, {", ".join(_SETTLED)})
WHERE monitoring_expectedrun.id = found.id
"""  # noqa: S608 - column names are this module's own
_OPEN = ("expected", "late", "unconfirmed")
_WORST = ("failed", "partial", "cancelled", "unknown", "missed", "skipped", "warning", "success")


def settle_jobs(*, at: dt.datetime) -> int:
    """Bring the ledger of every job that was touched, or that time has changed, up to `at`; returns how many were."""
    waiting = list(JobState.objects.filter(_due(at)).order_by("touched_at", "pk").values_list("pk", flat=True)[:BATCH])
    return each(waiting, lambda job_id: _settle(job_id, at), "settling job")


def _due(at: dt.datetime) -> Q:
    """Touched, or changed by time alone; what was touched after `at` is for the next round, so that nothing is known too early."""
    return Q(touched_at__lte=at) | Q(next_settlement_at__lte=at, touched_at=None)


@transaction.atomic
def _settle(job_id: int, at: dt.datetime) -> bool:
    state = JobState.objects.select_for_update(skip_locked=True).filter(_due(at), pk=job_id).first()
    if state is None:
        return False  # another worker has it, or has done it
    job = BackupJob.objects.select_related("tool__state", "schedule", "service").get(pk=job_id)
    windows = following.windows_of(job)
    days = _loose_days(job, state, at)
    if hasattr(job, "schedule"):
        days |= _expect(job, state, at)
        changed = _match(job, state, windows, at)
    else:
        state.next_settlement_at = None
        changed = _forget_open(job)
    days |= {row.local_on for row in changed}
    tested = proving.follow_job(job=job, since=state.touched_from)
    _summarise(job, state, at)
    news_from = min([row.deadline_at for row in changed if row.state == "missed"] + [state.touched_from or at])
    following.follow_job(job=job, state=state, windows=windows, news_from=news_from, at=at)
    state.next_settlement_at = min(filter(None, [state.next_settlement_at, *_ahead(job, windows, at)]), default=None)
    state.touched_at = state.touched_from = None
    state.save()
    if job.service_id:
        zone = zone_of(job.service_id, at)
        cells.recount(service_id=job.service_id, days=days | {local_day(one, zone) for one in tested}, zone=zone)
        judge_again([job.service_id], at)
    return True


def zone_of(service_id: int, at: dt.datetime) -> str:
    return ServiceVersion.objects.in_force(at).filter(service=service_id).values_list("zone", flat=True).first() or "UTC"


def _ahead(job: BackupJob, windows: QuerySet[Window], at: dt.datetime) -> list[dt.datetime]:
    """When time alone brings news of the job: a run dated ahead of our clock, and the end of what silences its alerts."""
    runs = BackupRun.objects.filter(job=job, occurred_at__gte=at - following.LONGEST_RUN)
    found = runs.aggregate(begins=Min("occurred_at", filter=Q(occurred_at__gt=at)), ends=Min("ended_at", filter=Q(ended_at__gt=at)))
    hold = following.hold_over(windows, at)
    return [instant for instant in (*found.values(), hold.ends_at if hold else None) if instant]


def _forget_open(job: BackupJob) -> list[ExpectedRun]:
    """A job that lost its schedule owes nothing any more: what was settled stays, the rest goes."""
    rows = list(job.expected_runs.filter(settled_at=None))
    job.expected_runs.filter(pk__in=[row.pk for row in rows]).delete()
    return rows


def _loose_days(job: BackupJob, state: JobState, at: dt.datetime) -> set[dt.date]:
    """Local days that touched runs of a job without schedule fall on, and the day that one may have left."""
    if hasattr(job, "schedule") or state.touched_from is None or not job.service_id:
        return set()
    zone = zone_of(job.service_id, at)
    runs = BackupRun.objects.filter(job=job, occurred_at__gte=state.touched_from)
    return {local_day(occurred_at, zone) for occurred_at in [state.touched_from, *runs.values_list("occurred_at", flat=True)]}


def _expect(job: BackupJob, state: JobState, at: dt.datetime) -> set[dt.date]:
    """Write the occurrences that are due up to a day and a half ahead; a changed schedule changes only the future.

    Returns the local days on which something was written or taken away.
    """
    days: set[dt.date] = set()
    version = job.schedule.history.aggregate(newest=Max("history_id"))["newest"]
    begins = planning.begins_at(job)
    schedule = planning.schedule_of(job, begins)
    early = dt.timedelta(seconds=schedule.early_tolerance_s)
    upcoming = schedules.next_due_after(schedule, at)
    until = max(at + HORIZON, (upcoming + dt.timedelta(seconds=1)) if upcoming else at)
    spans = [(state.ledger_until or begins - early, until)]
    if state.schedule_version not in (0, version):
        old = job.expected_runs.filter(state="expected", opens_at__gt=at)
        days |= set(old.values_list("local_on", flat=True))
        old.delete()
        spans = [(at, until)]
    elif state.ledger_from and begins < state.ledger_from:  # history from before the ledger has become known
        spans.append((begins - early, state.ledger_from - early))
    due = [o for since, end in spans for o in schedules.occurrences(schedule, since, end) if o.opens_at >= since - early]
    first = min(since for since, _ in spans)
    known = set(job.expected_runs.filter(due_at__gte=first).values_list("due_at", flat=True)) if due else set()
    new = [occurrence for occurrence in due if occurrence.due_at not in known]
    ExpectedRun.objects.bulk_create([_expected(job, occurrence) for occurrence in new], ignore_conflicts=True, batch_size=1_000)
    state.schedule_version, state.ledger_until, state.next_due_at = version, until, upcoming
    state.ledger_from = min(filter(None, [state.ledger_from, begins]))  # a changed schedule may reach further back, and owes nothing there
    return days | {occurrence.local_on for occurrence in new}


def _expected(job: BackupJob, occurrence: schedules.Occurrence) -> ExpectedRun:
    return ExpectedRun(
        job=job,
        due_at=occurrence.due_at,
        opens_at=occurrence.opens_at,
        deadline_at=occurrence.deadline_at,
        cutoff_at=occurrence.cutoff_at,
        local_on=occurrence.local_on,
        backfilled=occurrence.due_at < job.tool.monitored_from,
    )


def _match(job: BackupJob, state: JobState, windows: QuerySet[Window], at: dt.datetime) -> list[ExpectedRun]:
    """Settle what is open or touched against the runs; returns the rows that changed."""
    concerned = Q(state__in=_OPEN) | Q(settled_at=None)
    if state.touched_from:
        concerned |= Q(cutoff_at__gt=state.touched_from)
    rows = list(job.expected_runs.filter(concerned).order_by("due_at"))
    if not rows:
        state.next_settlement_at = state.ledger_until
        return []
    runs = {run.pk: run for run in _runs(job, rows[0].opens_at, max(row.cutoff_at for row in rows))}
    lines = matching.match(
        [gathering.occurrence_of(row) for row in rows],
        [matching.Run(id=r.pk, started_at=r.occurred_at, ended_at=r.ended_at, outcome=r.outcome, state=r.state) for r in runs.values()],
        at=at,
        pushed=not job.tool.connector.polled,
        complete_reading_at=job.tool.state.latest_complete_at,
        monitored_from=job.tool.monitored_from,
        holds=_holds(windows, rows),
    )
    changed = [row for row, line in zip(rows, lines, strict=True) if _apply(row, line, runs)]
    _save(changed)
    ahead = [line.next_change_at for line in lines if line.next_change_at]
    ahead += [state.ledger_until - HORIZON / 3] if state.ledger_until else []
    state.next_settlement_at = min((instant for instant in ahead if instant > at), default=state.ledger_until)
    return changed


def _save(rows: list[ExpectedRun]) -> None:
    """Write what settling found, in one statement however many occurrences there are."""
    values = [[getattr(row, name) for row in rows] for name in ("pk", *_SETTLED)]
    with connection.cursor() as cursor:
        cursor.execute(_SAVE, values)


def _runs(job: BackupJob, since: dt.datetime, until: dt.datetime) -> list[BackupRun]:
    runs = BackupRun.objects.filter(job=job, occurred_at__gte=since, occurred_at__lt=until, operation__in=COUNTED)
    return list(runs.only("occurred_at", "ended_at", "outcome", "state"))


def _holds(windows: QuerySet[Window], rows: list[ExpectedRun]) -> list[matching.Hold]:
    near = windows.filter(ends_at__gt=rows[0].opens_at, starts_at__lt=rows[-1].cutoff_at)
    return [matching.Hold(window=w.pk, starts_at=w.starts_at, ends_at=w.ends_at, approved_at=w.decided_at) for w in near]


def _apply(row: ExpectedRun, line: matching.Settled, runs: dict[int, BackupRun]) -> bool:
    """Carry a settled line into its row; True when something changed."""
    outcomes = [runs[run].outcome for run in line.run_ids if runs[run].outcome]
    best = line.best_run
    values = {
        "state": line.state,
        "run_id": best or line.failed_run or (line.run_ids[-1] if line.run_ids else None),
        "worst_outcome": runs[best].outcome if best else min(outcomes, key=_WORST.index, default=None),
        "attempts": len(line.run_ids) if line.attempted else 0,
        "backfilled": line.backfilled,
        "excuse": f"window {line.excused_by}" if line.excused_by else "",
        "settled_at": line.settled_at,
    }
    changed = any(getattr(row, name) != value for name, value in values.items())
    for name, value in values.items():
        setattr(row, name, value)
    return changed


def _summarise(job: BackupJob, state: JobState, at: dt.datetime) -> None:
    """Latest run, latest good run, and how many occurrences in a row were good or bad."""
    finished = BackupRun.objects.filter(job=job, state="finished", operation__in=COUNTED, occurred_at__lte=at)
    finished = finished.exclude(outcome__in=["skipped", "unknown"])
    newest = list(finished.order_by("-occurred_at", "-id")[:60])
    state.latest_run = newest[0] if newest else None
    state.good_run = (
        next((run for run in newest if run.is_good), None) or finished.filter(outcome__in=BackupRun.GOOD).order_by("-occurred_at").first()
    )
    if hasattr(job, "schedule"):
        settled = job.expected_runs.filter(deadline_at__lte=at).exclude(state__in=["excused", "unconfirmed", "expected"])
        settled = settled.exclude(state="late", worst_outcome=None)  # still running: neither good nor bad yet
        results = [kind in ("satisfied", "satisfied_late") for kind in settled.order_by("-due_at").values_list("state", flat=True)[:60]]
    else:
        results = [run.is_good for run in newest]
    state.good_streak = _streak(results, True)
    state.bad_streak = _streak(results, False)


def _streak(results: list[bool], wanted: bool) -> int:
    return next((n for n, result in enumerate(results) if result is not wanted), len(results))
