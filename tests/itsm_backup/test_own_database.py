"""Our own database, dumped and got back by the real pg_dump and pg_restore."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from django.core.management import call_command
from django.db import connection

from catalogue.models import ServiceStatus
from incidents.models import Incident
from itsm_backup import granting, journey
from itsm_backup.common.time import now
from itsm_backup.estate.beginning import begin
from itsm_backup.own_database import dumping, keeping, programs, restoring
from monitoring.models import Alert, BackupRun, ExpectedRun, RestorePoint, RestoreTest, ServiceState
from tests.factories import make_admin, make_user

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = dt.timedelta(hours=1)


class Clock:
    """Stands where it is set, and ticks a second at each look."""

    def __init__(self, at: dt.datetime) -> None:
        self.at = at

    def __call__(self) -> dt.datetime:
        self.at += dt.timedelta(seconds=1)
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock(now().replace(microsecond=0))


@pytest.fixture(autouse=True)
def declared(settings, tmp_path, clock):
    settings.OWN_BACKUP, settings.DATA_DIR = True, tmp_path
    settings.PG_PROGRAMS = os.environ["PG_PROGRAMS"]
    begin(at=clock(), data_dir=tmp_path, empty=False)
    journey.advance(at=clock())


def runs(operation: str) -> list[tuple[str, str | None]]:
    found = BackupRun.objects.filter(operation=operation).order_by("occurred_at")
    return list(found.values_list("outcome", "message"))


def restore_claim() -> dict:
    evaluation = ServiceState.objects.get(service__code="ITSM-DB").evaluation
    return next(claim for claim in evaluation.result["claims"] if claim["claim"] == "restore")


def scratch_is_there() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [restoring.scratch_name()])
        return cursor.fetchone() is not None


def test_it_is_dumped_and_got_back_and_the_promise_is_proven(clock):
    done = keeping.look_after(clock=clock)
    assert [words.split()[0] for words in done] == ["dumped", "restored"]
    (dump,) = dumping.dumps_in(keeping.folder())
    assert dump.tables["public.monitoring_backuprun"] == 1  # the run that is just going on
    assert dump.rows == sum(dump.tables.values()) > 100
    assert (keeping.folder() / dump.name).stat().st_mode & 0o777 == 0o600
    test = RestoreTest.objects.get() if journey.advance(at=clock()) else None
    assert test and (test.outcome, test.verified, test.rows) == ("passed", True, dump.rows)
    assert test.point == RestorePoint.objects.get()
    assert "A copy on the same disk covers the loss of an item only." in test.message
    assert not scratch_is_there()
    assert restore_claim()["detail"] == "proven"
    assert ServiceState.objects.get(service__code="ITSM-DB").verdict == "kept"
    assert keeping.look_after(clock=clock) == []


def test_it_keeps_to_its_schedule_and_keeps_no_more_than_it_promises(clock, monkeypatch):
    monkeypatch.setattr(dumping, "KEPT", 2)
    clock.at = clock.at.replace(hour=0, minute=41)
    for hours in (0, 3, 6, 9, 12):
        clock.at = clock.at.replace(hour=0, minute=41) + hours * HOUR
        keeping.look_after(clock=clock)
    assert [outcome for outcome, _ in runs("backup")] == ["success"] * 3
    kept = {dump.name for dump in dumping.dumps_in(keeping.folder())}
    assert len(kept) == 2
    assert len(list(keeping.folder().iterdir())) == 4
    assert set(RestorePoint.objects.filter(gone_at=None).values_list("external_id", flat=True)) == kept
    assert len(runs("restore_test")) == 1  # once a day while it passes


def test_a_dump_whose_bytes_changed_contradicts_the_promise_and_a_good_one_proves_it_again(clock):
    keeping.look_after(clock=clock)
    journey.advance(at=clock())
    dump = dumping.dumps_in(keeping.folder())[0]
    path = keeping.folder() / dump.name
    content = bytearray(path.read_bytes())
    middle = len(content) * 2 // 3
    content[middle : middle + 64] = bytes(byte ^ 0xFF for byte in content[middle : middle + 64])
    path.write_bytes(content)
    clock.at += dt.timedelta(days=1)
    job = keeping.own_job()
    keeping._test(job, dump, clock)
    journey.advance(at=clock())
    assert restore_claim()["detail"] == "test_failed"
    assert not scratch_is_there()
    assert runs("restore_test")[-1][1]
    assert Alert.objects.open().filter(alert_class="rto_test_failed").exists()
    assert Incident.objects.open().exists()
    clock.at = clock.at + 24 * HOUR  # the next dump is good, and is tested at once
    keeping.look_after(clock=clock)
    journey.advance(at=clock())
    assert restore_claim()["detail"] == "proven"
    assert not Alert.objects.open().filter(alert_class="rto_test_failed").exists()


def test_a_dump_that_lost_rows_is_seen_although_it_can_be_restored(clock):
    keeping.look_after(clock=clock)
    dump = dumping.dumps_in(keeping.folder())[0]
    more = dumping.Dump(**{**{name: getattr(dump, name) for name in dump.__struct_fields__}, "tables": {**dump.tables, "public.lost": 5}})
    found = restoring.restore(folder=keeping.folder(), dump=more, programs=programs.find_programs(), clock=clock)
    assert found.problem == "Rows differ from what was dumped: public.lost missing of 5."


def test_a_file_that_changed_where_no_restore_looks_is_seen_by_its_digest(clock):
    keeping.look_after(clock=clock)
    dump = dumping.dumps_in(keeping.folder())[0]
    with (keeping.folder() / dump.name).open("ab") as file:
        file.write(b"more")
    found = restoring.restore(folder=keeping.folder(), dump=dump, programs=programs.find_programs(), clock=clock)
    assert "digest differs" in found.problem


def test_when_it_stops_the_service_is_at_risk_then_broken_at_the_computed_instants(clock, settings):
    keeping.look_after(clock=clock)
    journey.advance(at=clock())
    settings.OWN_BACKUP = False
    assert keeping.look_after(clock=clock) == []
    captured_at = ServiceState.objects.get(service__code="ITSM-DB").captured_at
    second = dt.timedelta(seconds=1)
    for after, verdict in (
        (0.9 * 12 * HOUR, "kept"),
        (0.9 * 12 * HOUR + second, "at_risk"),
        (12 * HOUR, "at_risk"),
        (12 * HOUR + second, "broken"),
    ):
        journey.advance(at=captured_at + after)
        state = ServiceState.objects.get(service__code="ITSM-DB")
        assert state.verdict == verdict, after
    assert ServiceStatus.objects.get(service__code="ITSM-DB").status == "degraded"
    missed = ExpectedRun.objects.filter(state="missed", job=keeping.own_job())
    assert missed.exists()


def test_a_full_disk_is_told_and_leaves_nothing(clock, monkeypatch):
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        (words,) = keeping.look_after(clock=clock)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert words.startswith("dump failed:")
    assert list(keeping.folder().iterdir()) == []
    assert runs("backup")[0][0] == "failed"
    assert RestorePoint.objects.count() == 0
    assert keeping.look_after(clock=clock) == []
    clock.at += dt.timedelta(minutes=16)
    assert keeping.look_after(clock=clock)[0].startswith("dumped")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (None, "pg_dump was not found in"),
        ("#!/bin/sh\necho 'pg_dump (PostgreSQL) 14.9'\n", "is version 14, the server is"),
        ("#!/bin/sh\nexit 3\n", "is version unknown"),
    ],
)
def test_missing_or_other_tools_are_told_in_words(clock, settings, tmp_path, script, words):
    settings.PG_PROGRAMS = str(tmp_path / "bin")
    (tmp_path / "bin").mkdir()
    if script:
        for name in ("pg_dump", "pg_restore"):
            (tmp_path / "bin" / name).write_text(script)
            (tmp_path / "bin" / name).chmod(0o755)
    keeping.look_after(clock=clock)
    (outcome, message) = runs("backup")[0]
    assert outcome == "failed" and words in (message or "")
    assert words in keeping.state_in_words()


def test_without_the_right_to_create_databases_it_says_so_and_proves_nothing(clock):
    with connection.cursor() as cursor:
        cursor.execute("DROP ROLE IF EXISTS plain_reader")
        cursor.execute("CREATE ROLE plain_reader")
        cursor.execute("SELECT current_user")
        owner = cursor.fetchone()[0]
        cursor.execute(f"GRANT {owner} TO plain_reader")  # may do with every table what it likes, and still make no database
    keeping.look_after(clock=clock)
    dump, job = dumping.dumps_in(keeping.folder())[0], keeping.own_job()
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE plain_reader")
    try:
        assert "CREATEDB" in keeping._test(job, dump, clock)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET ROLE")
            cursor.execute("DROP ROLE plain_reader")
    assert runs("restore_test")[-1][0] == "skipped"


def test_two_workers_at_once_make_one_dump(clock):
    words: list[list[str]] = []

    def work() -> None:
        try:
            words.append(keeping.look_after(clock=now))
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len([one for one in words if one]) == 1
    assert [outcome for outcome, _ in runs("backup")] == ["success"]


def test_a_dump_that_was_killed_leaves_nothing_that_counts(clock, tmp_path):
    """The process dies between the start and the end of pg_dump; the next look tidies up."""
    slow = tmp_path / "bin"
    slow.mkdir()
    for name in ("pg_dump", "pg_restore"):
        real = os.path.join(os.environ["PG_PROGRAMS"], name)
        (slow / name).write_text(f'#!/bin/sh\ncase "$1" in --version) exec {real} --version;; esac\nsleep 60\n')
        (slow / name).chmod(0o755)
    code = (
        "import django; django.setup()\n"
        "from django.conf import settings\n"
        f"settings.OWN_BACKUP, settings.DATA_DIR, settings.PG_PROGRAMS = True, {str(tmp_path)!r}, {str(slow)!r}\n"
        f"settings.DATABASES['default']['NAME'] = {connection.settings_dict['NAME']!r}\n"
        "from itsm_backup.own_database import keeping\n"
        "from itsm_backup.common.time import now\n"
        "keeping.look_after(clock=now)\n"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "itsm_backup.settings"}
    victim = subprocess.Popen([sys.executable, "-c", code], env=environment, start_new_session=True)
    end = time.monotonic() + 60
    while time.monotonic() < end and not list(keeping.folder().glob("*.partial")):
        time.sleep(0.1)
    assert list(keeping.folder().glob("*.partial"))
    os.killpg(victim.pid, signal.SIGKILL)
    victim.wait()
    assert BackupRun.objects.get(operation="backup").state == "running"
    clock.at = now() + dt.timedelta(minutes=16)
    done: list[str] = []
    while time.monotonic() < end and not done:  # until the database has noticed that the other session is gone
        done = keeping.look_after(clock=clock)
        clock.at += dt.timedelta(minutes=16)
    assert not list(keeping.folder().glob("*.partial"))
    assert [outcome for outcome, _ in runs("backup")] == ["unknown", "success"]
    assert RestorePoint.objects.count() == 1


def test_a_file_that_somebody_took_away_is_no_copy_any_more(clock):
    keeping.look_after(clock=clock)
    for path in keeping.folder().iterdir():
        path.unlink()
    clock.at += 24 * HOUR
    keeping.look_after(clock=clock)
    assert RestorePoint.objects.filter(gone_at=None).count() == 1
    assert RestorePoint.objects.count() == 2


def test_an_empty_installation_declares_it_with_its_own_people(clock, capsys):
    while now() <= clock.at:  # the clock is up to two seconds ahead, and an entry in force is not changed for the past
        time.sleep(0.1)
    make_user("olga")
    root = make_admin()
    for name, role in {"stan": "steward", "mia": "monitoring-admin", "ann": "approver"}.items():
        granting.grant(user=make_user(name), role=role, by=root, at=now(), reason="test")
    call_command("declare_own_database", owner="olga", steward="stan", monitoring_admin="mia", approver="ann")
    version = keeping.own_job().service.versions.get(state="approved", effective__endswith=None)
    assert (version.owner.username, version.approver.username) == ("olga", "ann")
    assert "ITSM-DB" in capsys.readouterr().out
