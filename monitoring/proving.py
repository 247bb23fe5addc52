"""What backups prove when somebody tries to get them back: restore tests read from runs, and what a judgement reads of them.

Tests are made anew from the runs of their job whenever news of it came, so late, corrected, moved and deleted runs come right.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from django.db import connection

from catalogue.models import Commitment
from itsm_backup.common.time import iso
from monitoring.asking import array, fetch
from monitoring.combining import PROOFS
from monitoring.models import BackupRun, RestorePlan, RestoreTest
from monitoring.planning import COUNTED

TESTS_READ = 10
MOST_RUNS = 500
_OUTCOMES = {"success": "passed", "warning": "passed", "failed": "failed", "partial": "failed"}
_READ = ("scope", "outcome", "verified", "started_at", "ended_at", "usable_at", "duration_s", "rows", "files", "size_bytes", "message")
_FIELDS = ("job_id", "point_id", *_READ)


_RUNS = f"""
SELECT r.* FROM unnest(%s::bigint[], %s::timestamptz[]) AS asked(job, since)
JOIN monitoring_backuprun r ON r.job_id = asked.job AND r.occurred_at >= asked.since
WHERE r.operation IN {PROOFS} AND r.state = 'finished'
"""  # noqa: S608 - our own words
_KNOWN = """
SELECT t.* FROM unnest(%s::bigint[], %s::timestamptz[]) AS asked(job, since)
JOIN monitoring_restoretest t ON t.job_id = asked.job AND t.started_at >= asked.since
"""
# The one point of the same service or tool whose id the test names, in full or by its beginning.
_POINTS = """
SELECT r.id, min(p.id) FROM unnest(%s::bigint[]) AS asked(run) JOIN monitoring_backuprun r ON r.id = asked.run
JOIN monitoring_protecteditem i ON i.service_id = r.service_id OR r.service_id IS NULL AND i.tool_id = r.tool_id
JOIN monitoring_restorepoint p ON p.item_id = i.id AND starts_with(p.external_id, r.artefact_id)
WHERE r.artefact_id <> '' GROUP BY r.id HAVING count(*) = 1
"""
# A job that only ever tests copies protects nothing: no copy of its own is missed.
_OWN_ITEMS = f"""
UPDATE monitoring_protecteditem i SET service_id = own.service FROM (
  SELECT j.id, CASE WHEN EXISTS (SELECT FROM monitoring_jobschedule s WHERE s.job_id = j.id)
    OR EXISTS (SELECT FROM monitoring_backuprun r WHERE r.job_id = j.id AND r.operation IN {COUNTED}) THEN j.service_id END AS service
  FROM monitoring_backupjob j WHERE j.id = ANY(%s::bigint[])) own
WHERE i.job_id = own.id AND i.service_id IS DISTINCT FROM own.service
"""  # noqa: S608


def follow_jobs(since: Mapping[int, dt.datetime]) -> dict[int, set[dt.datetime]]:
    """Bring the restore tests of jobs in line with their runs since an instant of each; returns, by job, when the tests began that
    came, went or changed.

    The caller holds the state rows of the jobs.
    """
    asked = [array(since), array(since.values())]
    found = list(BackupRun.objects.raw(_RUNS, asked)) if since else []
    known = {test.run_id: test for test in RestoreTest.objects.raw(_KNOWN, asked)} if since else {}
    concerned = {run.job_id for run in found} | {test.job_id for test in known.values()}
    if not concerned:
        return {}
    tests = {run.pk: test_of(run) for run in found if run.operation == "restore_test"}
    for run, point in fetch(_POINTS, [array(tests)]):
        tests[run].point_id = point
    changed = [test for pk, test in tests.items() if pk not in known or _differs(test, known[pk])]
    gone = [test for pk, test in known.items() if pk not in tests]
    RestoreTest.objects.filter(pk__in=[test.pk for test in gone]).delete()
    RestoreTest.objects.bulk_create(
        changed, update_conflicts=True, unique_fields=["run"], update_fields=[name.removesuffix("_id") for name in _FIELDS]
    )
    with connection.cursor() as cursor:
        cursor.execute(_OWN_ITEMS, [array(concerned)])
    before = [known[test.run_id] for test in changed if test.run_id in known]
    began: dict[int, set[dt.datetime]] = defaultdict(set)
    for test in [*changed, *gone, *before]:
        began[test.job_id].add(test.started_at)
    return began


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


_NEWEST = """
SELECT t.* FROM unnest(%(services)s::bigint[]) AS asked(service)
CROSS JOIN (VALUES ('full'), ('sample')) AS kind(scope)
CROSS JOIN LATERAL (
  SELECT t.* FROM monitoring_backupjob j JOIN monitoring_restoretest t ON t.job_id = j.id
  WHERE j.service_id = asked.service AND t.scope = kind.scope AND t.outcome <> 'inconclusive' AND t.ended_at <= %(at)s
  ORDER BY t.ended_at DESC, t.run_id DESC LIMIT %(most)s) t
ORDER BY t.scope, t.ended_at DESC, t.run_id DESC
"""


def inputs_of(*, commitments: Mapping[int, Commitment | None], service_of: Mapping[int, int], at: dt.datetime) -> dict[int, dict[str, Any]]:
    """What `restore_claim` reads of each service, as JSON values; nothing for those whose commitment promises no restore.

    `service_of` gives the service of each of their jobs.
    """
    promised = {pk: one for pk, one in commitments.items() if one and (one.rto_s or one.restore_test_days)}
    if not promised:
        return {}
    tests: dict[int, list[RestoreTest]] = defaultdict(list)
    for test in RestoreTest.objects.raw(_NEWEST, {"services": array(promised), "most": TESTS_READ, "at": at}):
        tests[service_of[test.job_id]].append(test)
    conclusive = BackupRun.objects.filter(operation="verify", state="finished", verified__isnull=False, occurred_at__lte=at)
    newest = conclusive.filter(job__service__in=promised).order_by("job", "-occurred_at", "-pk").distinct("job")
    checks: dict[int, list[BackupRun]] = defaultdict(list)
    for check in newest:
        checks[service_of[check.job_id]].append(check)
    waiting = waiting_of((test for found in tests.values() for test in found), at)
    return {pk: _inputs(one.rto_s, one.restore_test_days, tests[pk], checks[pk], waiting) for pk, one in promised.items()}


def inputs_again(*, recorded: dict[str, Any], runs: Iterable[BackupRun], at: dt.datetime, knows_waiting: bool = True) -> dict[str, Any]:
    """The same from runs as they were known at `at`, for a judgement that is repeated; early ones knew of no test that waits."""
    known = [run for run in runs if run.state == "finished" and run.operation in PROOFS and run.first_seen_at <= at]
    tests = [test_of(run) for run in known if run.operation == "restore_test"]
    tests = [test for test in tests if test.ended_at <= at and test.outcome != "inconclusive"]
    tests.sort(key=lambda test: (test.ended_at, test.run_id), reverse=True)
    newest = [test for scope in ("full", "sample") for test in [one for one in tests if one.scope == scope][:TESTS_READ]]
    waiting = waiting_of(newest, at) if knows_waiting else set()
    checks: dict[int, BackupRun] = {}
    for run in sorted(known, key=lambda run: (run.occurred_at, run.pk)):
        if run.operation == "verify" and run.verified is not None and run.occurred_at <= at:
            checks[run.job_id] = run
    return _inputs(recorded["rto_s"], recorded["test_days"], newest, [checks[job] for job in sorted(checks)], waiting)


def waiting_of(tests: Iterable[RestoreTest], at: dt.datetime) -> set[int]:
    """Runs of the tests that a person said to have passed, and that nobody had verified at `at`; no question where none can be one."""
    open_ = [test.run_id for test in tests if test.outcome == "passed" and test.verified is None]
    if not open_:
        return set()
    told = RestorePlan.objects.filter(run__in=open_, recorded_at__lte=at).exclude(verified_at__lte=at)
    return {run for run in told.values_list("run", flat=True) if run is not None}


def runs_of_jobs(jobs: list[int], at: dt.datetime) -> list[BackupRun]:
    """The newest runs of these jobs, known at `at`, that could have proved something."""
    runs = BackupRun.objects.filter(job__in=jobs, operation__in=PROOFS, first_seen_at__lte=at, occurred_at__lte=at)
    return list(runs.order_by("-occurred_at")[:MOST_RUNS])


def _inputs(
    rto_s: int | None, test_days: int | None, tests: Sequence[RestoreTest], checks: Iterable[BackupRun], waiting: Collection[int]
) -> dict[str, Any]:
    """The newest full tests and the newest sample. What waits and was too slow refutes at once; a sample that waits says nothing."""
    waits = {test.run_id for test in tests if test.run_id in waiting and not (rto_s and (test.duration_s or 0) > rto_s)}
    samples = [test for test in tests if test.scope == "sample" and test.run_id not in waiting][:1]
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
                **({"waits": True} if test.run_id in waits else {}),
            }
            for test in [*(one for one in tests if one.scope == "full"), *samples]
        ],
        "checks": [
            {"run": run.pk, "job": run.job_id, "at": iso(run.ended_at or run.occurred_at), "passed": run.verified} for run in checks
        ],
    }
