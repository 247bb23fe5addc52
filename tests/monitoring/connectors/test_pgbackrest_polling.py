"""pgBackRest, live: the real program is asked about real backups of a real PostgreSQL."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from monitoring.connectors.base import Answer, Reading, Step
from monitoring.connectors.pgbackrest import PgBackRest
from monitoring.connectors.running import run_program

BINARIES = max(Path("/usr/lib/postgresql").glob("*/bin/initdb"), default=Path("/nowhere/initdb")).parent
PASSPHRASE = "correct horse 4711"
pytestmark = [
    pytest.mark.real_tool("pgbackrest"),
    pytest.mark.tested("live", "pgbackrest"),
    pytest.mark.skipif(
        not (shutil.which("pgbackrest") and BINARIES.is_dir()) and not os.environ.get("CI"),
        reason="pgbackrest or postgresql is not installed",
    ),
]


class Lab:
    """A PostgreSQL of its own with one stanza. PostgreSQL refuses root, so everything runs as its own account then."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.config = folder, folder / "pgbackrest.conf"
        self.prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        self.config.write_text(
            f"[global]\nrepo1-path={folder}/repo\nrepo1-retention-full=2\nlog-level-file=off\nlock-path={folder}/lock\nspool-path={folder}\n"
            f"start-fast=y\nrepo1-cipher-type=aes-256-cbc\nrepo1-cipher-pass={PASSPHRASE}\n"
            f"[main]\npg1-path={folder}/data\npg1-socket-path={folder}\n"
        )
        (folder / "repo").mkdir()
        if self.prefix:
            owner = pwd.getpwnam("postgres")
            for path in (folder, folder / "repo", self.config):
                os.chown(path, owner.pw_uid, owner.pw_gid)

    def run(self, *argv: str) -> Step:
        done = run_program("run", [*self.prefix, *argv], env={}, timeout_s=120)
        assert done.exit_code == 0, (done.command, done.stdout, done.stderr)
        return done

    def start(self) -> None:
        self.run(str(BINARIES / "initdb"), "-D", f"{self.folder}/data", "-A", "trust", "-U", "postgres")
        push = f"pgbackrest --config={self.config} --stanza=main archive-push %p"
        told = f"listen_addresses = ''\nunix_socket_directories = '{self.folder}'\nfsync = off\n"
        told += f"archive_mode = on\narchive_command = '{push}'\n"
        (self.folder / "data" / "postgresql.auto.conf").write_text(told)
        self.run(str(BINARIES / "pg_ctl"), "-D", f"{self.folder}/data", "-l", f"{self.folder}/log", "-w", "start")

    def stop(self) -> None:
        subprocess.run([*self.prefix, str(BINARIES / "pg_ctl"), "-D", f"{self.folder}/data", "-m", "immediate", "stop"], check=False)

    def pgbackrest(self, *arguments: str) -> Step:
        return self.run("pgbackrest", f"--config={self.config}", "--stanza=main", "--log-level-console=info", *arguments)

    def ask(self, config: Path | None = None, **settings: str) -> Answer:
        told = {"config": str(config or self.config), "timeout_s": "60", **settings}
        return PgBackRest().ask(settings=told, secrets={}, run=run_program, cursor={})

    def poll(self, config: Path | None = None, **settings: str) -> Reading:
        return PgBackRest().read(self.ask(config, **settings))


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    folder = Path(tempfile.mkdtemp(prefix="pgbackrest-"))
    folder.chmod(0o755)
    lab = Lab(folder)
    try:
        yield lab
    finally:
        lab.stop()
        shutil.rmtree(folder, ignore_errors=True)


def test_it_follows_a_stanza_from_nothing_to_its_backups(lab: Lab) -> None:
    nothing = lab.poll()
    asked = lab.poll(stanza="main")
    lab.start()
    lab.pgbackrest("stanza-create")
    empty = lab.poll()
    first, second = lab.pgbackrest("--type=full", "backup"), lab.pgbackrest("--type=incr", "backup")
    checked, verified = lab.pgbackrest("check"), lab.pgbackrest("verify")
    told = lab.poll()

    assert not nothing.complete
    assert not asked.complete
    assert (empty.complete, empty.records, empty.job_ids) == (True, [], ["main"])
    assert (told.complete, told.problems, told.rejects) == (True, [], [])
    assert [(record.level, record.outcome, record.encrypted) for record in told.records] == [
        ("full", "success", True),
        ("incremental", "success", True),
    ]
    assert all(record.bytes_source and record.bytes_stored for record in told.records)
    pushed = PgBackRest().read(Answer(kind="push", steps=[first, second, checked, verified])).records
    assert [record.outcome for record in pushed] == ["success"] * 4
    assert [record.artefact_id for record in pushed[:2]] == [record.artefact_id for record in told.records]
    assert {record.job_external_id for record in pushed[:2]} == {"main"}
    assert lab.poll() == told


def test_it_says_why_it_got_no_answer(lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.conf"
    wrong.write_text(lab.config.read_text().replace(PASSPHRASE, "something else 99"))
    answers = [lab.ask(wrong), lab.ask(tmp_path / "none.conf", stanza="main")]
    monkeypatch.setenv("PATH", str(tmp_path))
    answers.append(lab.ask())
    told = [PgBackRest().read(answer) for answer in answers]

    assert not any(each.complete for each in told)
    assert all(each.problems for each in told)
    assert "passphrase" in told[0].problems[0]
    assert "not installed" in told[2].problems[0]
    assert "something else 99" not in msgspec.json.encode(answers).decode()
