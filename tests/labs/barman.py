"""The lab of Barman: a backup that is good, one that is interrupted and one that is refused, all real; the first two are then
listed under the nights of each service, because Barman cannot back-date."""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from monitoring.connectors.base import Answer, Step
from tests.labs.barman_saved import Saved
from tests.labs.nights import SERVICES, begins_at, reported, what_happened
from tests.labs.postgres import as_postgres, give

_TIMES = re.compile(r"^(begin_time|end_time)=.*$", re.MULTILINE)


class Barman:
    kind = "barman"
    secrets: dict[str, str] = {}

    def __init__(self, folder: Path) -> None:
        self.saved = Saved(folder)
        self.run = self.saved.as_owner
        self._refused: Step | None = None
        nights = [night for night, outcome in what_happened("breaks").items() if outcome == "failed"]
        self.kept = {nights[0]: "failed"}
        self._not_kept = nights[1:]

    def make(self) -> None:
        self.saved.start()
        self.saved.barman("switch-wal", "--force", "--archive", "main")
        assert self.saved.barman("backup", "main").exit_code == 0
        self.saved.barman("switch-wal", "--force", "--archive", "main")
        self.saved.barman("archive-wal", "main")
        good = self._base().name
        self._interrupt()
        interrupted = next(path.name for path in self.base.iterdir() if path.name != good)
        self.saved.stop()
        self._refused = self.saved.barman("backup", "main")
        assert self._refused.exit_code != 0
        for service in SERVICES:
            self._list_under_its_nights(service, good=good, interrupted=interrupted)
        self._configure()

    @property
    def base(self) -> Path:
        return self.saved.folder / "barman/main/base"

    def _base(self) -> Path:
        (only,) = self.base.iterdir()
        return only

    def _interrupt(self) -> None:
        """Begin a backup so slow that it can be interrupted, as somebody at its terminal would."""
        argv = as_postgres("barman", "-c", str(self.saved.config), "backup", "--bwlimit", "100", "main")
        env = {**os.environ, "TZ": "UTC", "LC_ALL": "C"}
        slow = subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        ends_at = time.monotonic() + 60
        while not any("status=STARTED" in path.read_text() for path in self.base.glob("*/backup.info")):
            assert time.monotonic() < ends_at, "no backup began"
            time.sleep(0.1)
        time.sleep(1)
        os.killpg(slow.pid, signal.SIGINT)
        slow.wait(60)

    def _list_under_its_nights(self, service: str, *, good: str, interrupted: str) -> None:
        home = self.saved.folder / "barman" / service
        shutil.copytree(self.base.parent / "wals", home / "wals")
        for night, outcome in what_happened(service).items():
            if outcome == "missed" or (outcome == "failed" and night not in self.kept):
                continue
            told = (
                (self.base / (interrupted if outcome == "failed" else good) / "backup.info")
                .read_text()
                .replace("server_name=main", f"server_name={service}")
            )
            begins = begins_at(night)
            times = {"begin_time": begins, "end_time": begins + dt.timedelta(minutes=5)}
            entry = home / "base" / f"{begins:%Y%m%dT%H%M%S}/backup.info"
            entry.parent.mkdir(parents=True)
            moved = _TIMES.sub(lambda found, times=times: found[0] if found[0].endswith("=None") else f"{found[1]}={times[found[1]]}", told)
            entry.write_text(moved)
        give(home)

    def _configure(self) -> None:
        told = self.saved.config.read_text()
        head, main = told[: told.index("[main]")], told[told.index("[main]") :]
        self.saved.config.write_text(head + "".join(main.replace("main", service) for service in SERVICES))

    def sources(self) -> list[dict[str, Any]]:
        return [{"config": str(self.saved.config), "zone": "UTC"}]

    def reports(self) -> dict[dt.date, Answer]:
        assert self._refused is not None
        told = {}
        for night in self._not_kept:
            argv = (self._refused.command or "").replace("main", "breaks")
            said = {name: (getattr(self._refused, name) or "").replace("main", "breaks") for name in ("stdout", "stderr")}
            told[night] = reported(Step(name="run", command=argv, exit_code=self._refused.exit_code, **said), night)
        return told

    def stop(self) -> None:
        self.saved.stop()
