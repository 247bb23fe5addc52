from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from itsm_backup.launcher.running import needs_no_database

from .conftest import PATIENCE_S, REPOSITORY, alive


@pytest.mark.parametrize(
    "line",
    [
        "normalise --tool restic x",
        "measure --method BM-RPO-EXP",
        "help",
        "--version",
        "migrate --help",
        "makemigrations",
        "load_estate --schema",
    ],
)
def test_these_need_no_database(line):
    assert needs_no_database(line.split())


@pytest.mark.parametrize("line", ["migrate", "poll", "load_estate estate.yaml", "shell"])
def test_these_need_one(line):
    assert not needs_no_database(line.split())


def test_a_command_without_database_leaves_nothing_behind(product):
    said = product.run("makemigrations", "--check", "--dry-run")
    assert "No changes detected" in said
    assert not (product.clone / "var").exists()


def test_a_command_brings_its_services_and_takes_them_along(product):
    product.run("migrate", "-v", "0")
    assert "No planned migration operations" in product.run("migrate", "--plan")
    assert not (product.clone / "var/children.json").exists()


def test_a_command_says_that_nothing_was_started_yet(product):
    said = product.fails("poll")
    assert f"Nothing was started in the data folder {product.clone / 'var'} yet" in said
    assert "DATA_DIR=DIR python3 manage.py poll" in said
    assert "Traceback" not in said
    assert not (product.clone / "var").exists()


def test_two_commands_at_once_both_work(product):
    both = [product.start("migrate"), product.start("migrate")]
    assert [start.process.wait(timeout=PATIENCE_S) for start in both] == [0, 0], [start.said for start in both]
    assert "No migrations to apply" in both[0].said + both[1].said


def test_up_waits_for_a_command_that_is_just_running(product):
    command = product.start("shell", "-c", "import time; print('working', flush=True); time.sleep(3)")
    command.wait_for("working")
    start = product.start("up", "--port", "0", "--empty")
    start.wait_for(f"Waiting for `manage.py shell` (process {command.process.pid})")
    start.address()
    assert command.process.wait(timeout=PATIENCE_S) == 0


def test_a_killed_command_is_cleared_by_the_next(product):
    command = product.start("shell", "-c", "import time; print('working', flush=True); time.sleep(60)")
    command.wait_for("working")
    left = product.children()
    command.stop(signal.SIGKILL)
    assert all(alive(pid) for pid in left.values())
    product.run("migrate", "--plan")
    assert not any(alive(pid) for pid in left.values())


def test_a_command_stopped_by_sigterm_stops_its_services(product):
    command = product.start("shell", "-c", "import time; print('working', flush=True); time.sleep(60)")
    command.wait_for("working")
    left = product.children()
    command.stop(signal.SIGTERM)
    assert not any(alive(pid) for pid in left.values())


def test_the_tests_get_services_of_their_own_and_their_exit_code_counts(product):
    tests = product.clone / "tests"
    tests.mkdir()
    shutil.copy(REPOSITORY / "tests/services.py", tests)  # pyproject.toml loads it
    (tests / "test_example.py").write_text(
        "import os, pytest\n"
        "@pytest.mark.django_db\n"
        "def test_database():\n"
        "    from django.db import connection\n"
        "    with connection.cursor() as cursor:\n"
        "        cursor.execute('SHOW fsync')\n"
        "        assert cursor.fetchone() == ('off',)\n"
        "def test_folder():\n"
        "    assert os.environ['DATA_DIR'].startswith('/tmp/itsm-backup-test-') or 'TMPDIR' in os.environ\n"
    )
    said = product.run("test", "-n", "0", "-p", "no:cacheprovider")
    assert "2 passed" in said
    (tests / "test_example.py").write_text("def test_wrong():\n    assert 1 == 2\n")
    failed = product.start("test", "-n", "0", "-p", "no:cacheprovider")
    assert failed.process.wait(timeout=PATIENCE_S) == 1
    assert "1 failed" in failed.said
    assert not (product.clone / "var").exists()


def test_an_unknown_command_is_told_by_django(product):
    start = product.start("no_such_command")
    assert start.process.wait(timeout=PATIENCE_S) != 0
    assert "Unknown command" in start.said


def test_help_needs_neither_environment_nor_database(product, tmp_path):
    began = time.monotonic()
    assert "up [--host H] [--port N]" in product.run("--help", ITSM_BACKUP_VENV=str(tmp_path / "none"))
    bare = [sys.executable, "-E", "-S", "manage.py", "up", "--help"]  # no package can be found, as on a fresh clone
    asked = subprocess.run(bare, cwd=product.clone, capture_output=True, text=True, check=False)
    assert (asked.returncode, asked.stderr) == (0, "") and "--data DIR" in asked.stdout
    assert time.monotonic() - began < 5
    assert not (tmp_path / "none").exists()


def test_it_does_not_leak_the_secrets_to_other_users(product):
    product.run("migrate", "-v", "0")
    for path in (product.clone / "var/secrets.env", product.clone / "var/logs"):
        assert os.stat(path).st_mode & 0o077 == 0
