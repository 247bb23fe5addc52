from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import time

import psycopg
import pytest

from .conftest import PATIENCE_S, Start, alive, get, only_as_root, small_disk

STOP_PROMISE_S = 15
LATER_START_UNDER_TEST_LOAD_S = 20  # the promise is 10 s on a quiet machine; two test workers share it here


def wait_until_healthy(running: Start) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            assert get(running.address() + "healthz") == 200
            return
        except OSError:
            assert time.monotonic() < deadline, running.said
            time.sleep(0.2)


def make_user(product, name: str) -> None:
    code = f"from django.contrib.auth import get_user_model; get_user_model().objects.create_user({name!r})"
    product.run("shell", "-v", "0", "-c", code)


def users(product) -> list[str]:
    code = "from django.contrib.auth import get_user_model; print('users:', *get_user_model().objects.values_list('username', flat=True))"
    said = product.run("shell", "-v", "0", "-c", code)
    return next(line for line in said.splitlines() if line.startswith("users:")).split()[1:]


def test_it_starts_stops_and_starts_again_with_its_data_in_a_private_folder(product):
    first = product.up("--empty")
    parents = (product.clone, product.clone.parent)
    assert stat.S_IMODE(product.clone.parent.stat().st_mode) == 0o700
    assert get(first.address() + "healthz") == 200
    assert get(first.address() + "static/fonts/source-sans-400.woff2") == 200, "made by this very start"
    assert first.said.count("\nready http://") == 1
    make_user(product, "kept-after-stop")  # a command uses the running services
    told = product.run("shell", "-v", "0", "-c", "from django.conf import settings; print('told', settings.BASE_URL)")
    assert f"told {first.address()}".rstrip("/") in told.splitlines()
    running = product.children()
    assert {"PostgreSQL 18", "Valkey", "worker", "beat", "poller", "web"} == set(running)
    took_s = first.stop()
    assert took_s < STOP_PROMISE_S
    assert first.process.returncode == 0
    assert not any(alive(pid) for pid in running.values())
    began = time.monotonic()
    again = product.up("--empty")
    assert time.monotonic() - began < LATER_START_UNDER_TEST_LOAD_S
    assert "kept-after-stop" in users(product)
    assert again.stop(signal.SIGINT) < STOP_PROMISE_S
    assert [stat.S_IMODE(parent.stat().st_mode) for parent in parents][1] == 0o700


def test_it_clears_what_a_killed_supervisor_left_and_keeps_the_data(product):
    killed = product.up("--empty")
    make_user(product, "kept-after-kill")
    left = product.children()
    killed.stop(signal.SIGKILL)
    assert all(alive(pid) for pid in left.values())
    again = product.up("--empty")
    assert "left behind by a start that was killed" in again.said
    assert not any(alive(pid) for pid in left.values())
    assert "kept-after-kill" in users(product)
    assert get(again.address() + "healthz") == 200


def test_it_starts_again_what_dies_and_the_others_reconnect(product):
    running = product.up("--empty")
    before = product.children()
    for name in ("web", "worker", "beat", "poller", "Valkey", "PostgreSQL 18"):
        os.kill(product.children()[name], signal.SIGKILL)
        running.wait_for(f"{name} stopped unexpectedly (killed by SIGKILL)")
        running.wait_for(f"{name} was started again.")
    assert all(pid != before[name] for name, pid in product.children().items())
    wait_until_healthy(running)
    assert running.stop() < STOP_PROMISE_S


def test_it_names_the_other_up_that_uses_the_data_folder(product):
    running = product.up("--empty")
    said = product.fails("up", "--port", "0")
    assert f"is in use by another `manage.py up` (process {running.process.pid}, {running.address()})" in said
    assert "--data DIR" in said
    assert get(running.address() + "healthz") == 200


def test_it_names_a_busy_port_and_a_free_one(product):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = product.fails("up", "--port", str(port))
    assert f"Port {port} on 127.0.0.1 is already used by another program" in said
    assert "up --port " in said
    assert not (product.clone / "var/services").exists()


def test_it_names_an_address_that_is_not_of_this_machine(product):
    assert "cannot be listened on" in product.fails("up", "--host", "192.0.2.7")
    assert "is no address of this machine" in product.fails("up", "--host", "no-such-host.invalid")


@pytest.mark.parametrize("moment", ["Starting the database", "Bringing the database up to date", "Starting worker"])
def test_it_can_be_stopped_while_it_starts(product, moment):
    start = product.start("up", "--port", "0", "--empty")
    start.wait_for(moment)
    assert start.stop() < STOP_PROMISE_S
    assert "Stopped. Everything stored is kept" in start.said
    assert not (product.clone / "var/children.json").exists()


def test_it_begins_anew_after_a_first_start_that_was_killed_early(product):
    start = product.start("up", "--port", "0", "--empty")
    start.wait_for("Starting the database")
    start.stop(signal.SIGKILL)
    assert get(product.up("--empty").address() + "healthz") == 200


def rows_until_the_disk_is_full(url: str) -> int:
    """How many rows PostgreSQL confirmed before there was no room left."""
    confirmed = 0
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE filling (words text)")
        while True:
            try:
                connection.execute("INSERT INTO filling SELECT repeat('x', 1000) FROM generate_series(1, 1000)")
            except psycopg.Error:
                return confirmed
            confirmed += 1000


def test_it_loses_nothing_when_the_disk_fills_up_and_goes_on_when_there_is_room(product):
    with small_disk("320m") as disk:
        data = disk / "data"
        running = product.up("--empty", "--data", str(data))
        url = json.loads((data / "lock").read_text())["services"]["DATABASE_URL"]
        room_mib = shutil.disk_usage(disk).free // 2**20 - 60
        subprocess.run(["dd", "if=/dev/zero", f"of={disk / 'filler'}", "bs=1M", f"count={room_mib}"], capture_output=True, check=True)
        confirmed = rows_until_the_disk_is_full(url)
        assert confirmed > 0
        running.wait_for("free some room")
        (disk / "filler").unlink()
        wait_until_healthy(running)
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM filling").fetchone() == (confirmed,)
        assert running.stop() < STOP_PROMISE_S


def test_it_leaves_a_folder_alone_that_is_not_its_own(product, tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters/dear.txt").write_text("…")
    assert "is no data folder of itsm-backup" in product.fails("up", "--data", str(tmp_path / "letters"))
    assert [path.name for path in (tmp_path / "letters").iterdir()] == ["dear.txt"]


def test_it_names_a_setting_that_is_wrong_and_leaves_nothing_running(product):
    said = product.fails("up", "--port", "0", TIME_ZONE="Mars/Olympus")
    assert "TIME_ZONE is 'Mars/Olympus'" in said
    assert not (product.clone / "var/children.json").exists()
    assert "TIME_ZONE is 'Mars/Olympus'" in product.fails("migrate", TIME_ZONE="Mars/Olympus")
    assert not (product.clone / "var/children.json").exists()


def test_it_says_when_the_configured_database_cannot_be_reached(product):
    said = product.fails("up", "--port", "0", DATABASE_URL="postgresql://somebody@127.0.0.1:9/nothing")
    assert "The database that DATABASE_URL names cannot be reached" in said
    assert "Traceback" not in said


def test_it_names_a_folder_of_another_user(product, copy_of_source):
    only_as_root()
    (product.clone / "var").mkdir(mode=0o700)
    made = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "mktemp", "-d", "/tmp/itsm-nobody-XXXXXX"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\nfrom pathlib import Path\nfrom itsm_backup.launcher import data_folder, trouble\n"
        "try:\n    data_folder.DataFolder(Path(sys.argv[2]) / 'sub', account=None, is_default=False)\n"
        "except OSError as error:\n    print(trouble.from_os_error(error))\n"
    )
    shared = copy_of_source(type(product.clone)(made) / "clone")
    private = subprocess.run(["mktemp", "-d", "/tmp/itsm-private-XXXXXX"], capture_output=True, text=True, check=True).stdout.strip()
    said = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", "-c", script, shared, private],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    subprocess.run(["rm", "-rf", made, private], check=True)
    assert f"You may not use {private}" in said
    assert "--data DIR" in said
