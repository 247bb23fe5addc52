"""A program loads while the database is brought up to date, and begins when the data folder's holder has published its services."""

import json
import os
import platform
import subprocess
import sys
import time

import pytest

from itsm_backup.launcher import held


@pytest.fixture
def lock(tmp_path):
    path = tmp_path / "lock"
    path.write_text(json.dumps({"pid": os.getpid(), "command": "up"}))
    return path


def test_a_held_program_begins_when_the_services_are_published_and_not_before(lock):
    command = [sys.executable, "-X", "importtime", "-m", "itsm_backup.launcher.held", "platform", "--terse"]
    with subprocess.Popen(
        command, env={**os.environ, held.HELD_BY: str(lock)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        for line in program.stderr:
            if "catalogue.models" in line:
                break  # it loads the product
        time.sleep(1)
        assert program.poll() is None
        lock.write_text(json.dumps({"pid": os.getpid(), "services": {}}))
        out, _ = program.communicate(timeout=120)
    assert (program.returncode, out.strip()) == (0, platform.platform(terse=True))


def test_without_a_launcher_nothing_is_waited_for(monkeypatch):
    monkeypatch.delenv(held.HELD_BY, raising=False)
    held.wait()


def test_a_lock_that_is_just_being_written_is_looked_at_again(lock, monkeypatch):
    looks = iter(["", '{"pid": 1', '{"pid": 1, "services": {}}'])
    monkeypatch.setenv(held.HELD_BY, str(lock))
    monkeypatch.setattr(held.time, "sleep", lambda _: lock.write_text(next(looks)))
    held.wait()
    assert next(looks, None) is None
