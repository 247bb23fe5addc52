"""The latest state of jobs: latest run, latest good run, and how many occurrences in a row were good or bad."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence

from monitoring.asking import array, fetch
from monitoring.models import BackupJob, BackupRun, JobState
from monitoring.planning import COUNTED

LOOKED_AT = 60  # a longer row of good or bad occurrences is not counted further
_FINISHED = """
SELECT r.job_id, r.id, r.outcome FROM unnest(%(jobs)s::bigint[]) AS asked(job) CROSS JOIN LATERAL (
  SELECT * FROM monitoring_backuprun r
  WHERE r.job_id = asked.job AND r.state = 'finished' AND r.operation = ANY(%(counted)s) AND r.occurred_at <= %(at)s
    AND r.outcome NOT IN ('skipped', 'unknown') AND (r.outcome = ANY(%(good)s) OR NOT %(good_only)s)
  ORDER BY r.occurred_at DESC, r.id DESC LIMIT %(most)s) r
ORDER BY r.job_id, r.occurred_at DESC, r.id DESC
"""
# A late one that is still running is neither good nor bad yet.
_SETTLED = """
SELECT e.job_id, e.state FROM unnest(%(jobs)s::bigint[]) AS asked(job) CROSS JOIN LATERAL (
  SELECT * FROM monitoring_expectedrun e
  WHERE e.job_id = asked.job AND e.deadline_at <= %(at)s AND e.state NOT IN ('excused', 'unconfirmed', 'expected')
    AND NOT (e.state = 'late' AND e.worst_outcome IS NULL)
  ORDER BY e.due_at DESC LIMIT %(most)s) e
ORDER BY e.job_id, e.due_at DESC
"""


def summarise(jobs: Sequence[tuple[BackupJob, JobState]], at: dt.datetime) -> None:
    """Note it in the state rows, which the caller saves."""
    finished = _finished([job.pk for job, _ in jobs], at, good_only=False)
    all_bad = [pk for pk, runs in finished.items() if len(runs) == LOOKED_AT and not any(_is_good(outcome) for _, outcome in runs)]
    good = _finished(all_bad, at, good_only=True)
    settled = _settled([job.pk for job, _ in jobs if hasattr(job, "schedule")], at)
    for job, state in jobs:
        newest = finished[job.pk]
        state.latest_run_id = newest[0][0] if newest else None
        state.good_run_id = next((run for run, outcome in [*newest, *good[job.pk]] if _is_good(outcome)), None)
        results = settled[job.pk] if hasattr(job, "schedule") else [_is_good(outcome) for _, outcome in newest]
        state.good_streak, state.bad_streak = _streak(results, True), _streak(results, False)


def _finished(jobs: Sequence[int], at: dt.datetime, *, good_only: bool) -> dict[int, list[tuple[int, str]]]:
    """By job, its newest finished runs and their outcomes; of good ones only the newest."""
    asked = {"jobs": array(jobs), "counted": list(COUNTED), "at": at, "good": list(BackupRun.GOOD), "good_only": good_only}
    found: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for job, run, outcome in fetch(_FINISHED, {**asked, "most": 1 if good_only else LOOKED_AT}) if jobs else ():
        found[job].append((run, outcome))
    return found


def _settled(jobs: Sequence[int], at: dt.datetime) -> dict[int, list[bool]]:
    """By job, whether its newest settled occurrences were good."""
    found: dict[int, list[bool]] = defaultdict(list)
    for job, state in fetch(_SETTLED, {"jobs": array(jobs), "at": at, "most": LOOKED_AT}) if jobs else ():
        found[job].append(state in ("satisfied", "satisfied_late"))
    return found


def _is_good(outcome: str) -> bool:
    return outcome in BackupRun.GOOD


def _streak(results: list[bool], wanted: bool) -> int:
    return next((n for n, result in enumerate(results) if result is not wanted), len(results))
