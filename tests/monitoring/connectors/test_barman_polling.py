"""Barman, live: the real program is asked about real backups of a real PostgreSQL."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitoring.connectors.barman import Barman
from monitoring.connectors.base import Answer, Reading, Step
from monitoring.connectors.running import run_program

BINARIES = max(Path("/usr/lib/postgresql").glob("*/bin/initdb"), default=Path("/nowhere/initdb")).parent
pytestmark = [
    pytest.mark.real_tool("barman"),
    pytest.mark.tested("live", "barman"),
    pytest.mark.skipif(
        not (shutil.which("barman") and BINARIES.is_dir()) and not os.environ.get("CI"), reason="barman or postgresql is not installed"
    ),
]


class Lab:
    """A PostgreSQL of its own that Barman saves. PostgreSQL refuses root, so everything runs as its own account then."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.config = folder, folder / "barman.conf"
        self.prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        told = f"host={folder} user=postgres dbname=postgres"
        self.config.write_text(
            f"[barman]\nbarman_home={folder}/barman\nbarman_user={'postgres' if self.prefix else pwd.getpwuid(os.geteuid()).pw_name}\n"
            f"log_file={folder}/barman.log\nlog_level=INFO\n"
            f"[main]\ndescription=main\nconninfo={told}\nstreaming_conninfo={told}\nbackup_method=postgres\narchiver=on\n"
            f"path_prefix={BINARIES}\n"
        )
        (folder / "barman").mkdir()
        if self.prefix:
            owner = pwd.getpwnam("postgres")
            for path in (folder, folder / "barman", self.config):
                os.chown(path, owner.pw_uid, owner.pw_gid)

    def call(self, *argv: str) -> Step:
        return run_program("run", [*self.prefix, *argv], env={}, timeout_s=120)

    def run(self, *argv: str) -> Step:
        done = self.call(*argv)
        assert done.exit_code == 0, (done.command, done.stdout, done.stderr)
        return done

    def start(self) -> None:
        self.run(str(BINARIES / "initdb"), "-D", f"{self.folder}/data", "-A", "trust", "-U", "postgres")
        told = f"listen_addresses = ''\nunix_socket_directories = '{self.folder}'\nfsync = off\n"
        told += f"archive_mode = on\narchive_command = 'cp %p {self.folder}/barman/main/incoming/%f'\n"
        (self.folder / "data" / "postgresql.auto.conf").write_text(told)
        self.barman("check", "main")  # makes its folders, before the first log is archived
        self.run(str(BINARIES / "pg_ctl"), "-D", f"{self.folder}/data", "-l", f"{self.folder}/log", "-w", "start")

    def stop(self) -> None:
        subprocess.run([*self.prefix, str(BINARIES / "pg_ctl"), "-D", f"{self.folder}/data", "-m", "immediate", "stop"], check=False)

    def barman(self, *arguments: str) -> Step:
        return self.call("barman", "-c", str(self.config), *arguments)

    def ask(self, cursor: dict[str, Any] | None = None, **settings: str) -> Answer:
        def as_owner(name: str, argv: list[str], **how: Any) -> Step:
            return run_program(name, [*self.prefix, *argv], **how)

        return Barman().ask(settings={"config": str(self.config), **settings}, secrets={}, run=as_owner, cursor=cursor or {})

    def poll(self, **settings: str) -> Reading:
        return Barman().read(self.ask(**settings))


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    folder = Path(tempfile.mkdtemp(prefix="barman-"))
    folder.chmod(0o755)
    lab = Lab(folder)
    try:
        yield lab
    finally:
        lab.stop()
        shutil.rmtree(folder, ignore_errors=True)


def test_it_follows_a_server_from_nothing_to_its_backups(lab: Lab) -> None:
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


def test_it_says_why_it_got_no_answer(lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told = [lab.poll(config="/nowhere/barman.conf"), lab.poll(server="nobody")]
    lab.prefix = []
    monkeypatch.setenv("PATH", str(tmp_path))
    told.append(lab.poll())

    assert not any(each.complete for each in told)
    assert all(each.problems for each in told)
    assert "not installed" in told[2].problems[0]
