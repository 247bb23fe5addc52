"""Barman, live: the real program is asked about real backups of a real PostgreSQL."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitoring.connectors.barman import Barman
from monitoring.connectors.base import Answer
from tests.labs.barman_saved import Saved
from tests.labs.postgres import BINARIES

pytestmark = [
    pytest.mark.real_tool("barman", str(BINARIES / "postgres")),
    pytest.mark.tested("live", "barman"),
]


@pytest.fixture(scope="module")
def lab() -> Iterator[Saved]:
    folder = Path(tempfile.mkdtemp(prefix="barman-"))
    folder.chmod(0o755)
    lab = Saved(folder)
    try:
        yield lab
    finally:
        lab.stop()
        shutil.rmtree(folder, ignore_errors=True)


def test_it_follows_a_server_from_nothing_to_its_backups(lab: Saved) -> None:
    lab.start()
    nothing = lab.poll()
    lab.barman("switch-wal", "--force", "--archive", "main")  # before any log is archived, Barman refuses to begin
    backup = lab.barman("backup", "main")
    lab.barman("switch-wal", "--force", "--archive", "main")
    lab.barman("archive-wal", "main")
    told = lab.poll()
    again = Barman().read(lab.ask(cursor=told.cursor))
    checked = lab.barman("-f", "json", "check", "main")
    lab.stop()
    refused = lab.barman("backup", "main")
    after = lab.poll()

    assert (nothing.complete, nothing.records, nothing.job_ids) == (True, [], ["main"])
    assert (told.complete, told.problems, told.rejects) == (True, [], [])
    (record,) = told.records
    assert (record.outcome, record.native_status, record.consistent_at) == ("success", "DONE", record.ended_at)
    assert record.bytes_stored
    assert again.complete
    assert again.records[0].bytes_stored is None  # it was shown before, and what was told then stays
    assert after.records == told.records  # a backup that was refused leaves nothing: only its report tells
    saved, verified, failed = Barman().read(Answer(kind="push", steps=[backup, checked, refused])).records
    assert (saved.outcome, saved.artefact_id) == ("success" if saved.consistent_at else "warning", record.artefact_id)
    assert (verified.job_external_id, verified.operation) == ("main:check", "verify")
    assert (failed.outcome, failed.job_external_id) == ("failed", "main")


def test_it_says_why_it_got_no_answer(lab: Saved, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told = [lab.poll(config="/nowhere/barman.conf"), lab.poll(server="nobody")]
    lab.runs_as = lambda *argv: list(argv)
    monkeypatch.setenv("PATH", str(tmp_path))
    told.append(lab.poll())

    assert not any(each.complete for each in told)
    assert all(each.problems for each in told)
    assert "not installed" in told[2].problems[0]
