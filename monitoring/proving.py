"""What backups prove when somebody tries to get them back: restore tests read from runs, and what a judgement reads of them.

Tests are made anew from the runs of their job whenever news of it came, so late, corrected, moved and deleted runs come right.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from typing import Any

from django.db.models import Q

from catalogue.models import Commitment
from itsm_backup.common.time import iso
from monitoring.combining import PROOFS
from monitoring.models import BackupJob, BackupRun, ProtectedItem, RestorePoint, RestoreTest
from monitoring.planning import COUNTED

FULL_TESTS_READ = 10
MOST_RUNS = 500
_OUTCOMES = {"success": "passed", "warning": "passed", "failed": "failed", "partial": "failed"}
_READ = ("scope", "outcome", "verified", "started_at", "ended_at", "usable_at", "duration_s", "rows", "files", "size_bytes", "message")
_FIELDS = ("job_id", "point_id", *_READ)


def follow_job(*, job: BackupJob, since: dt.datetime | None) -> set[dt.datetime]:
    """Bring the restore tests of a job in line with its runs since an instant; returns when the tests began that came, went or changed.

    The caller holds the job's state row. Without an instant nothing was touched.
    """
    if since is None:
        return set()
    runs = BackupRun.objects.filter(job=job, operation__in=PROOFS, state="finished", occurred_at__gte=since)
    known = {test.run_id: test for test in RestoreTest.objects.filter(job=job, started_at__gte=since)}
    found = list(runs)
    if not found and not known:
        return set()
    tests = {run.pk: test_of(run) for run in found if run.operation == "restore_test"}
    for run in found:
        if run.pk in tests:
            tests[run.pk].point_id = _point_of(run)
    changed = [test for pk, test in tests.items() if pk not in known or _differs(test, known[pk])]
    gone = [test for pk, test in known.items() if pk not in tests]
    RestoreTest.objects.filter(pk__in=[test.pk for test in gone]).delete()
    RestoreTest.objects.bulk_create(
        changed, update_conflicts=True, unique_fields=["run"], update_fields=[name.removesuffix("_id") for name in _FIELDS]
    )
    _own_items(job)
    before = [known[test.run_id] for test in changed if test.run_id in known]
    return {test.started_at for test in [*changed, *gone, *before]}


def test_of(run: BackupRun) -> RestoreTest:
    """What a finished run says as a restore test, not saved."""
    ended_at = max(run.ended_at or run.occurred_at, run.occurred_at)
    outcome = "failed" if run.verified is False else _OUTCOMES.get(run.outcome or "", "inconclusive")
    usable_at = run.ended_at if outcome == "passed" else None
    return RestoreTest(
        run=run,
        job_id=run.job_id,
        scope="full" if run.level == "full" else "sample",
        outcome=outcome,
        verified=run.verified,
        started_at=run.occurred_at,
        ended_at=ended_at,
        usable_at=usable_at,
        duration_s=math.ceil((usable_at - run.started_at).total_seconds()) if usable_at and run.started_at else None,
        rows=run.rows_total,
        files=run.files_total,
        size_bytes=run.bytes_source,
        message=run.message or "",
    )


def _differs(one: RestoreTest, two: RestoreTest) -> bool:
    return any(getattr(one, name) != getattr(two, name) for name in _FIELDS)


def _point_of(run: BackupRun) -> int | None:
    """The one point of the same service or tool whose id the test names, in full or by its beginning."""
    if not run.artefact_id:
        return None
    place = Q(item__service=run.service_id) if run.service_id else Q(item__tool=run.tool_id)
    points = RestorePoint.objects.filter(place, external_id__startswith=run.artefact_id).values_list("pk", flat=True)[:2]
    return points[0] if len(points) == 1 else None


def _own_items(job: BackupJob) -> None:
    """A job that only ever tests copies protects nothing: no copy of its own is missed."""
    protects = hasattr(job, "schedule") or BackupRun.objects.filter(job=job, operation__in=COUNTED).exists()
    service = job.service_id if protects else None
    items = ProtectedItem.objects.filter(job=job)
    items = items.exclude(service=service) if service else items.filter(service__isnull=False)
    items.update(service=service)


def inputs_of(*, jobs: list[BackupJob], commitment: Commitment | None, at: dt.datetime) -> dict[str, Any] | None:
    """What `restore_claim` reads of a service's jobs, as JSON values; None when the version promises no restore."""
    if commitment is None or not (commitment.rto_s or commitment.restore_test_days):
        return None
    tests = RestoreTest.objects.filter(job__in=jobs, ended_at__lte=at).exclude(outcome="inconclusive").order_by("-ended_at", "-run")
    checks = BackupRun.objects.filter(job__in=jobs, operation="verify", state="finished", verified__isnull=False, occurred_at__lte=at)
    newest = [*tests.filter(scope="full")[:FULL_TESTS_READ], *tests.filter(scope="sample")[:1]]
    return _inputs(commitment.rto_s, commitment.restore_test_days, newest, checks.order_by("job", "-occurred_at", "-pk").distinct("job"))


def inputs_again(*, recorded: dict[str, Any], runs: Iterable[BackupRun], at: dt.datetime) -> dict[str, Any]:
    """The same from runs as they were known at `at`, for a judgement that is repeated."""
    known = [run for run in runs if run.state == "finished" and run.operation in PROOFS and run.first_seen_at <= at]
    tests = [test_of(run) for run in known if run.operation == "restore_test"]
    tests = [test for test in tests if test.ended_at <= at and test.outcome != "inconclusive"]
    tests.sort(key=lambda test: (test.ended_at, test.run_id), reverse=True)
    newest = [test for test in tests if test.scope == "full"][:FULL_TESTS_READ] + [test for test in tests if test.scope == "sample"][:1]
    checks: dict[int, BackupRun] = {}
    for run in sorted(known, key=lambda run: (run.occurred_at, run.pk)):
        if run.operation == "verify" and run.verified is not None and run.occurred_at <= at:
            checks[run.job_id] = run
    return _inputs(recorded["rto_s"], recorded["test_days"], newest, [checks[job] for job in sorted(checks)])


def runs_of_jobs(jobs: list[int], at: dt.datetime) -> list[BackupRun]:
    """The newest runs of these jobs, known at `at`, that could have proved something."""
    runs = BackupRun.objects.filter(job__in=jobs, operation__in=PROOFS, first_seen_at__lte=at, occurred_at__lte=at)
    return list(runs.order_by("-occurred_at")[:MOST_RUNS])


def _inputs(rto_s: int | None, test_days: int | None, tests: Iterable[RestoreTest], checks: Iterable[BackupRun]) -> dict[str, Any]:
    return {
        "rto_s": rto_s,
        "test_days": test_days,
        "tests": [
            {
                "run": test.run_id,
                "scope": test.scope,
                "outcome": test.outcome,
                "verified": test.verified,
                "started_at": iso(test.started_at),
                "ended_at": iso(test.ended_at),
                "duration_s": test.duration_s,
            }
            for test in tests
        ],
        "checks": [
            {"run": run.pk, "job": run.job_id, "at": iso(run.ended_at or run.occurred_at), "passed": run.verified} for run in checks
        ],
    }
