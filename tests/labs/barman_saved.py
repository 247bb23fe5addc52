"""A PostgreSQL that a real Barman saves."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from monitoring.connectors.barman import Barman
from monitoring.connectors.base import Answer, Reading, Step
from monitoring.connectors.running import run_program
from tests.labs.postgres import BINARIES, account, as_postgres, give


class Saved:
    """A PostgreSQL of its own that Barman saves, under the account of PostgreSQL."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.config = folder, folder / "barman.conf"
        self.runs_as = as_postgres
        told = f"host={folder} user=postgres dbname=postgres"
        self.config.write_text(
            f"[barman]\nbarman_home={folder}/barman\nbarman_user={account()}\n"
            f"log_file={folder}/barman.log\nlog_level=INFO\n"
            f"[main]\ndescription=main\nconninfo={told}\nstreaming_conninfo={told}\nbackup_method=postgres\narchiver=on\n"
            f"path_prefix={BINARIES}\n"
        )
        (folder / "barman").mkdir()
        give(folder)

    def call(self, *argv: str) -> Step:
        return run_program("run", self.runs_as(*argv), env={}, timeout_s=120)

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
        subprocess.run(as_postgres(str(BINARIES / "pg_ctl"), "-D", f"{self.folder}/data", "-m", "immediate", "stop"), check=False)

    def barman(self, *arguments: str) -> Step:
        return self.call("barman", "-c", str(self.config), *arguments)

    def ask(self, cursor: dict[str, Any] | None = None, **settings: str) -> Answer:
        return Barman().ask(settings={"config": str(self.config), **settings}, secrets={}, run=self.as_owner, cursor=cursor or {})

    def as_owner(self, name: str, argv: list[str], **how: Any) -> Step:
        return run_program(name, self.runs_as(*argv), **how)

    def poll(self, **settings: str) -> Reading:
        return Barman().read(self.ask(**settings))
