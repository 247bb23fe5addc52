from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from itsm_backup.launcher.children import RUN_MARK, Child, Children, clear_leftovers, end_processes_in, processes_in, started

from .conftest import alive


def child(tmp_path: Path, code: str, **more: object) -> Child:
    return Child(
        name="example",
        command=[sys.executable, "-c", code],
        log=tmp_path / "logs/example.log",
        folder=tmp_path,
        environment=dict(os.environ),
        **more,  # type: ignore[arg-type]
    )


SLEEPS = "import time; time.sleep(60)"
IGNORES_TERM = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True); time.sleep(60)"
LEAVES_A_GRANDCHILD = (
    "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid, flush=True)"
)


def says(one: Child) -> bool:
    return bool(one.log.read_text().strip())


def test_it_stops_a_child_that_ignores_the_polite_signal(tmp_path):
    children = Children(tmp_path / "children.json")
    stubborn = child(tmp_path, IGNORES_TERM, patience_s=0.2)
    stubborn.is_ready = lambda: says(stubborn)
    assert children.start_and_wait(stubborn)
    children.stop()
    assert stubborn.ending() == "killed by SIGKILL"
    assert not (tmp_path / "children.json").exists()


def test_it_reports_a_child_that_ends_before_it_is_ready(tmp_path):
    children = Children(tmp_path / "children.json")
    assert not children.start_and_wait(child(tmp_path, "raise SystemExit(3)", is_ready=lambda: False))
    assert [one.ending() for one in children] == ["exit code 3"]
    children.stop()


def test_it_kills_what_a_dead_child_left_in_its_group(tmp_path):
    children = Children(tmp_path / "children.json")
    parent = child(tmp_path, LEAVES_A_GRANDCHILD, is_ready=lambda: False)
    children.start_and_wait(parent)
    grandchild = int(parent.log.read_text())
    deadline = time.monotonic() + 5
    while alive(grandchild) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not alive(grandchild)
    children.stop()


def test_it_ends_the_recorded_leftovers_of_a_killed_supervisor_and_their_relatives(tmp_path):
    record = tmp_path / "children.json"
    kept = Children(record)
    kept.start(child(tmp_path, SLEEPS))
    leader = kept.all[0].process
    relative = subprocess.Popen([sys.executable, "-c", SLEEPS], env={**os.environ, RUN_MARK: kept.mark}, start_new_session=True)
    assert leader is not None
    assert clear_leftovers(record) == ["example"]
    assert leader.wait(5) == -signal.SIGTERM
    assert relative.wait(5) == -signal.SIGTERM
    assert not record.exists()


def test_it_never_touches_a_process_that_only_reuses_the_recorded_id(tmp_path):
    innocent = subprocess.Popen([sys.executable, "-c", SLEEPS])
    record = tmp_path / "children.json"
    row = {"name": "web", "pid": innocent.pid, "started": "another boot 12345", "signal": int(signal.SIGKILL)}
    record.write_text(json.dumps({"mark": "0" * 32, "children": [row]}))
    assert clear_leftovers(record) == []
    time.sleep(0.2)
    assert innocent.poll() is None
    innocent.kill()
    innocent.wait()


@pytest.mark.parametrize("content", ["", "{", '{"mark": "", "children": []}'])
def test_it_lives_with_a_record_that_was_cut_short(tmp_path, content):
    (tmp_path / "children.json").write_text(content)
    assert clear_leftovers(tmp_path / "children.json") == []


def test_it_tells_a_zombie_from_a_living_process(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert started(process.pid) is None
    process.wait()
    assert started(os.getpid())


def test_it_ends_an_unrecorded_server_by_the_folder_it_works_in(tmp_path):
    (tmp_path / "postgres").mkdir()
    server = subprocess.Popen([sys.executable, "-c", SLEEPS], cwd=tmp_path / "postgres")
    other = subprocess.Popen([sys.executable, "-c", SLEEPS], cwd=tmp_path)
    assert processes_in(tmp_path / "postgres") == [server.pid]
    end_processes_in(tmp_path / "postgres")
    assert server.wait(5) != 0
    assert other.poll() is None
    other.kill()
    other.wait()
