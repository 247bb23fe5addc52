"""One look at our own database: is a dump due, is a restore to be tested, and who does it. One worker at a time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connection

from itsm_backup.own_database import dumping, programs, restoring, telling
from itsm_backup.own_database.dumping import Clock, Dump
from itsm_backup.own_database.programs import NotPossible
from monitoring import planning, pointing, schedules
from monitoring.models import BackupJob, BackupRun, RestoreTest

TOOL, JOB = "itsm-backup", "database"
FOLDER = "own-backups"
TRY_AGAIN_AFTER = dt.timedelta(minutes=15)
TEST_EVERY = dt.timedelta(days=1)
_LOCK = 7_315_011
NO_RIGHT = (
    "The product's account in PostgreSQL may not create databases, so no restore can be tested. Let an administrator of the server run"
    " ALTER ROLE … CREATEDB for it."
)


def folder() -> Path:
    return Path(settings.DATA_DIR) / FOLDER


def own_job() -> BackupJob | None:
    """The job that dumps are told under; None until somebody has declared it."""
    return BackupJob.objects.select_related("tool", "schedule").filter(tool__name=TOOL, external_id=JOB).first()


def look_after(*, clock: Clock) -> list[str]:
    """Dump if a dump is due, then test the newest dump if a test is; returns what was done, in words. Safe at any time."""
    job = own_job()
    if job is None or not settings.OWN_BACKUP:
        return []
    if not (dump_is_due(job=job, at=clock()) or test_is_due(job=job, at=clock())):
        return []
    with _alone() as alone:
        return _work(job, clock) if alone else []


def _work(job: BackupJob, clock: Clock) -> list[str]:
    """Asked again under the lock: another worker may just have done it."""
    done = []
    telling.tell_lost(job=job, at=clock())
    if dump_is_due(job=job, at=clock()):
        done.append(_dump(job, clock))
    dumps = dumping.dumps_in(folder()) if folder().exists() else []
    if dumps and test_is_due(job=job, at=clock()):
        done.append(_test(job, dumps[0], clock))
    return done


def _dump(job: BackupJob, clock: Clock) -> str:
    begun_at = clock()
    telling.tell_begun(job=job, at=begun_at)
    try:
        folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        dumping.tidy(folder=folder())
        made = dumping.dump(folder=folder(), programs=programs.find_programs(), clock=clock)
    except (NotPossible, OSError) as error:
        telling.tell_failure(job=job, begun_at=begun_at, problem=str(error), at=clock())
        return f"dump failed: {error}"
    telling.tell_dump(job=job, begun_at=begun_at, dump=made, at=clock())
    pointing.keep_only(job=job, names=dumping.tidy(folder=folder()), at=clock())
    return f"dumped {made.size_bytes:,} bytes to {made.name}"


def _test(job: BackupJob, dump: Dump, clock: Clock) -> str:
    if not programs.may_create_databases():
        telling.tell_no_restore(job=job, reason=NO_RIGHT, at=clock())
        return NO_RIGHT
    try:
        found = programs.find_programs()
    except NotPossible as error:
        telling.tell_no_restore(job=job, reason=str(error), at=clock())
        return f"no restore test: {error}"
    restored = restoring.restore(folder=folder(), dump=dump, programs=found, clock=clock)
    telling.tell_restore(job=job, dump=dump, restored=restored, at=clock())
    return f"restore failed: {restored.problem}" if restored.problem else f"restored {restored.rows:,} rows"


def dump_is_due(*, job: BackupJob, at: dt.datetime) -> bool:
    """At the first start at once, then at the times of the job's schedule; after a failure again in a quarter of an hour."""
    runs = BackupRun.objects.filter(job=job, operation="backup", occurred_at__lte=at)
    newest = runs.order_by("-occurred_at").first()
    if newest is None:
        return True
    if not hasattr(job, "schedule"):
        return False
    schedule = planning.schedule_of(job)
    due = [one for one in schedules.occurrences(schedule, at - dt.timedelta(days=8), at) if one.due_at <= at]
    good = runs.filter(outcome__in=BackupRun.GOOD)
    if (good.filter(occurred_at__gte=due[-1].opens_at) if due else good).exists():
        return False
    again_from = at - TRY_AGAIN_AFTER
    return newest.state == "running" or newest.occurred_at < (max(due[-1].due_at, again_from) if due else again_from)


def test_is_due(*, job: BackupJob, at: dt.datetime) -> bool:
    """Once a day, and of each new dump while the latest test has not passed."""
    points = BackupRun.objects.filter(job=job, operation="backup", outcome__in=BackupRun.GOOD)
    newest = points.order_by("-occurred_at").values_list("occurred_at", flat=True).first()
    if newest is None:
        return False
    tests = BackupRun.objects.filter(job=job, operation="restore_test", occurred_at__lte=at).order_by("-occurred_at")
    latest = tests.first()
    if latest is None or at - latest.occurred_at >= TEST_EVERY:
        return True
    return latest.outcome == "failed" and latest.occurred_at < newest


def state_in_words() -> str:
    """Where it stands, for people: off, not declared, or what came of the latest dump and test."""
    job = own_job()
    if job is None:
        return "not declared yet"
    if not settings.OWN_BACKUP:
        return "switched off (OWN_BACKUP)"
    newest = BackupRun.objects.filter(job=job, operation="backup", state="finished").order_by("-occurred_at").first()
    if newest is None:
        return "the first dump is made within a minute"
    if not newest.is_good:
        return f"the latest dump failed: {newest.message}"
    test = RestoreTest.objects.filter(job=job).order_by("-ended_at").first()
    if test is None:
        return "dumped; the restore is tested next"
    return "dumped, and got back to prove it" if test.outcome == "passed" else f"dumped, but the restore is not proven: {test.message}"


@contextmanager
def _alone() -> Iterator[bool]:
    """Hold the lock for as long as this connection lives; False when another worker dumps or restores."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        alone = cursor.fetchone()[0]
    try:
        yield alone
    finally:
        if alone and not connection.needs_rollback:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
