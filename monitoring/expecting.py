"""What will be due: the occurrences of each job's schedule, written into the ledger a day and a half ahead."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import msgspec
from django.db.models import Max

from monitoring import planning, schedules
from monitoring.asking import array, fetch
from monitoring.models import BackupJob, ExpectedRun, JobSchedule, JobState

HORIZON = dt.timedelta(hours=36)
_KNOWN = """
SELECT e.job_id, e.due_at FROM unnest(%s::bigint[], %s::timestamptz[]) AS asked(job, since)
JOIN monitoring_expectedrun e ON e.job_id = asked.job AND e.due_at >= asked.since
"""


class Due(msgspec.Struct, kw_only=True):
    """What the ledger of a job lacks perhaps: occurrences from `since` on, and the days from which open ones were taken away."""

    occurrences: list[schedules.Occurrence]
    since: dt.datetime
    left: set[dt.date]


def expect(jobs: Sequence[tuple[BackupJob, JobState]], at: dt.datetime) -> list[set[dt.date]]:
    """Write the occurrences that are due up to a day and a half ahead; a changed schedule changes only the future.

    Returns, for each job, the local days on which something was written or taken away. The caller holds the state rows, and saves them.
    """
    versions = _versions([job for job, _ in jobs])
    begins = planning.beginnings([job for job, _ in jobs])
    due = {job.pk: _due(job, state, versions[job.schedule.pk], begins[job.pk], at) for job, state in jobs}
    since = {job: one.since for job, one in due.items() if one.occurrences}
    known = set(fetch(_KNOWN, [array(since), array(since.values())])) if since else set()
    new = {job.pk: [one for one in due[job.pk].occurrences if (job.pk, one.due_at) not in known] for job, _ in jobs}
    rows = [_expected(job, occurrence) for job, _ in jobs for occurrence in new[job.pk]]
    ExpectedRun.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1_000)
    return [due[job.pk].left | {occurrence.local_on for occurrence in new[job.pk]} for job, _ in jobs]


def _versions(jobs: Sequence[BackupJob]) -> Mapping[int, int]:
    """The history id of each schedule as it is now."""
    entries = JobSchedule.history.filter(id__in=[job.schedule.pk for job in jobs]).order_by()
    return dict(entries.values("id").annotate(newest=Max("history_id")).values_list("id", "newest")) if jobs else {}


def _due(job: BackupJob, state: JobState, version: int, begins: dt.datetime, at: dt.datetime) -> Due:
    schedule = planning.schedule_of(job, begins)
    early = dt.timedelta(seconds=schedule.early_tolerance_s)
    upcoming = schedules.next_due_after(schedule, at)
    until = max(at + HORIZON, (upcoming + dt.timedelta(seconds=1)) if upcoming else at)
    owed_from = begins - early  # an earlier look, or a start of watch that people moved on, owes nothing from before it
    spans, left = [(max(state.ledger_until or owed_from, owed_from), until)], set()
    if state.schedule_version not in (0, version):
        old = job.expected_runs.filter(state="expected", opens_at__gt=at)
        left = set(old.values_list("local_on", flat=True))
        old.delete()
        spans = [(max(at, owed_from), until)]
    elif state.ledger_from and begins < state.ledger_from:  # history from before the ledger has become known
        spans.append((owed_from, state.ledger_from - early))
    state.schedule_version, state.ledger_until, state.next_due_at = version, until, upcoming
    state.ledger_from = min(filter(None, [state.ledger_from, begins]))  # a changed schedule may reach further back, and owes nothing there
    occurrences = [o for since, end in spans for o in schedules.occurrences(schedule, since, end) if o.opens_at >= since - early]
    return Due(occurrences=occurrences, since=min(since for since, _ in spans), left=left)


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
