"""A restic that prints nonsense: what is good in it is stored, the rest is told with its reason, and nothing breaks."""

from __future__ import annotations

import datetime as dt
import json
import os
import stat

import pytest

from itsm_backup.common.time import iso
from monitoring import polling
from monitoring.models import BackupRun, QuarantinedRecord, RestorePoint, ToolState
from tests.factories import make_tool

pytestmark = pytest.mark.django_db
REPOSITORY = "ab" * 32


@pytest.fixture
def tool():
    return make_tool("restic", settings={"repository": "/srv/repo"}, secrets={"password": "correct horse"})


@pytest.fixture
def restic(tmp_path, monkeypatch):
    """A program called restic that prints what the test says; it is run like the real one."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "restic"
    program.write_text(
        "#!/bin/sh\n"
        f'case "$1" in\n version) echo "restic 0.18.0 compiled with go";;\n cat) cat {tmp_path}/config;;\n'
        f' snapshots) cat {tmp_path}/snapshots; exit "$(cat {tmp_path}/code)";;\nesac\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def prints(snapshots, *, config=None, code=0):
        body = snapshots if isinstance(snapshots, bytes) else json.dumps(snapshots).encode()
        (tmp_path / "snapshots").write_bytes(body)
        (tmp_path / "config").write_bytes(json.dumps({"version": 2, "id": REPOSITORY}).encode() if config is None else config)
        (tmp_path / "code").write_text(str(code))

    return prints


def snapshot(number: int, at: dt.datetime, **more) -> dict:
    return {"time": iso(at), "paths": ["/srv/data"], "hostname": "db01", "id": f"{number:064x}", **more}


def test_it_stores_the_good_snapshots_and_gives_a_reason_for_each_bad_one(tool, restic, noon):
    day = dt.timedelta(days=1)
    bad = [
        "text", None, 7, [], {},
        snapshot(11, noon, time="0001-01-01T00:00:00Z"),
        snapshot(12, noon, time=17),
        snapshot(13, noon, id="nothing"),
        snapshot(14, noon, id=["x"]),
        snapshot(15, noon, hostname={"a": 1}, paths="all"),
    ]  # fmt: skip
    restic([snapshot(1, noon - 2 * day), *bad, snapshot(2, noon - day)])
    receipt = polling.poll(tool=tool, at=noon)
    stored = {result.external_id for result in receipt.results if result.status == "stored"}
    assert {f"{1:064x}", f"{2:064x}"} <= stored
    refused = [result for result in receipt.results if result.status == "quarantined"]
    assert len(refused) >= 9
    assert all(result.reason for result in refused)
    assert QuarantinedRecord.objects.filter(tool=tool).count() == len(refused)
    assert not receipt.complete


def test_it_nulls_numbers_that_cannot_be(tool, restic, noon):
    summary = {"total_bytes_processed": -5, "data_added_packed": 10**30, "total_files_processed": "many", "total_duration": -9223372036.85}
    restic([snapshot(1, noon - dt.timedelta(hours=1), summary=summary)])
    assert polling.poll(tool=tool, at=noon).results[0].status == "stored"
    run = BackupRun.objects.get()
    assert (run.bytes_source, run.bytes_stored, run.files_total) == (None, None, None)


def test_it_takes_a_snapshot_listed_twice_once(tool, restic, noon):
    restic([snapshot(1, noon - dt.timedelta(hours=1))] * 3)
    polling.poll(tool=tool, at=noon)
    assert BackupRun.objects.count() == 1


def test_it_keeps_snapshots_of_a_clock_that_is_ahead_but_does_not_count_on_them_yet(tool, restic, noon):
    restic([snapshot(1, noon + dt.timedelta(hours=5))])
    polling.poll(tool=tool, at=noon)
    assert BackupRun.objects.count() == 1
    assert not RestorePoint.objects.usable_at(noon).exists()


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{}", b"<html>", b'[{"time":"2026-07', b"\x00\xff\xfe" * 100, b"[" * 100_000, b'{"a":' * 100_000,
        b'[{"id": "\\ud800"}]', b"x" * 10_000_000, b"[" + b" " * 40_000_000 + b"]", b"9" * 100_000,
    ],
    ids=["empty", "object", "html", "cut", "binary", "nested", "nested objects", "surrogate", "10 MB", "40 MB", "digits"],
)  # fmt: skip
@pytest.mark.parametrize("code", [0, 1])
def test_it_notes_what_is_wrong_with_the_tool_and_loses_nothing(tool, restic, noon, body, code):
    restic([snapshot(1, noon - dt.timedelta(days=1))])
    polling.poll(tool=tool, at=noon - dt.timedelta(hours=1))
    restic(body, code=code)
    receipt = polling.poll(tool=tool, at=noon)
    assert not receipt.complete
    state = ToolState.objects.get(pk=tool.pk)
    assert len(state.problem) > 20
    assert state.consecutive_failures == 1
    assert RestorePoint.objects.usable_at(noon).count() == 1


@pytest.mark.parametrize("config", [b"", b"null", b'{"id": 7}', b"\x00", b"[" * 100_000], ids=["empty", "null", "number", "NUL", "nested"])
def test_it_takes_nothing_over_when_the_repository_does_not_tell_its_id(tool, restic, noon, config):
    restic([snapshot(1, noon)], config=config)
    assert not polling.poll(tool=tool, at=noon).complete
    assert not BackupRun.objects.exists()
    assert ToolState.objects.get(pk=tool.pk).problem
