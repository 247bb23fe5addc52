"""The lab of pgBackRest: one stanza for each service, saved while its server is down, under a clock that stands at the night."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from pathlib import Path
from typing import Any

from monitoring.connectors.base import Answer, Step
from monitoring.connectors.running import run_program
from tests.labs.nights import SERVICES, begins_at, reported, what_happened
from tests.labs.postgres import BINARIES, as_postgres, give


class PgBackRest:
    kind = "pgbackrest"
    secrets: dict[str, str] = {}
    kept: dict[dt.date, str] = {}

    def __init__(self, folder: Path) -> None:
        self.folder, self.configuration = folder, folder / "pgbackrest.conf"
        self._reports: dict[dt.date, Answer] = {}

    def run(self, name: str, argv: list[str], **how: Any) -> Step:
        return run_program(name, as_postgres(*argv), **how)

    def make(self) -> None:
        self._lay_out()
        for service in SERVICES:
            self._pgbackrest(service, "stanza-create")
            for number, (night, outcome) in enumerate(what_happened(service).items()):
                if outcome == "missed":
                    continue
                (self.data(service) / "base/1/1000").write_bytes(os.urandom(8_192))
                done = self._back_up(service, night, "full" if number == 0 else "incr", fails=outcome == "failed")
                if outcome == "failed":
                    self._reports[night] = reported(done, night)

    def _lay_out(self) -> None:
        give(self.folder)
        self.run("initdb", [str(BINARIES / "initdb"), "-D", f"{self.folder}/made", "-A", "trust", "--no-sync"], env={}, timeout_s=60)
        told = f"[global]\nrepo1-path={self.folder}/repo\nlog-level-file=off\nlog-level-console=info\nlock-path={self.folder}/lock\n"
        told += "archive-check=n\nrepo1-retention-full=9\nrepo1-cipher-type=aes-256-cbc\nrepo1-cipher-pass=correct horse 4711\n"
        for service in SERVICES:
            told += f"[{service}]\npg1-path={self.data(service)}\n"
            for name in ("PG_VERSION", "global/pg_control"):
                (self.data(service) / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(self.folder / "made" / name, self.data(service) / name)
            (self.data(service) / "base/1").mkdir(parents=True)
            (self.data(service) / "pg_wal").mkdir()
        self.configuration.write_text(told)
        give(self.folder)

    def data(self, service: str) -> Path:
        return self.folder / "data" / service

    def _back_up(self, service: str, night: dt.date, kind: str, *, fails: bool) -> Step:
        control = self.data(service) / "global/pg_control"
        if fails:
            control.rename(control.with_suffix(".away"))
        done = self._pgbackrest(service, "backup", f"--type={kind}", at=begins_at(night), fails=fails)
        if fails:
            control.with_suffix(".away").rename(control)
        return done

    def _pgbackrest(self, service: str, verb: str, *more: str, at: dt.datetime | None = None, fails: bool = False) -> Step:
        give(self.data(service))
        argv = ["pgbackrest", f"--config={self.configuration}", f"--stanza={service}", "--no-online", *more, verb]
        done = self.run("run", ["faketime", "-f", f"@{at:%F %T}", *argv] if at else argv, env={}, timeout_s=60)
        assert (done.exit_code != 0) == fails, (done.command, done.stdout, done.stderr)
        done.command = " ".join(argv)
        return done

    def sources(self) -> list[dict[str, Any]]:
        return [{"config": str(self.configuration)}]

    def reports(self) -> dict[dt.date, Answer]:
        return self._reports

    def stop(self) -> None:
        """Nothing runs."""
