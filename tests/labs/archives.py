"""Labs of the tools that keep a repository for each service: restic, borg and borgmatic."""

from __future__ import annotations

import datetime as dt
import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from monitoring.connectors.base import Answer, Step
from monitoring.connectors.running import run_program
from tests.labs.nights import NIGHTS, SERVICES, begins_at, reported, what_happened

PASSWORD = "correct horse 4711"


class Repositories(ABC):
    """One repository, and one folder to save, for each service."""

    kind: str
    secrets: dict[str, str]
    run = staticmethod(run_program)
    kept: dict[dt.date, str] = {}

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._reports: dict[dt.date, Answer] = {}

    def make(self) -> None:
        for service in SERVICES:
            self.data(service).mkdir(parents=True)
            self.init(service)
            for night, outcome in what_happened(service).items():
                (self.data(service) / "file").write_bytes(os.urandom(2_000))
                if outcome != "missed":
                    self._keep(night, self.back_up(service, night, fails=outcome == "failed"), outcome)

    def _keep(self, night: dt.date, step: Step, outcome: str) -> None:
        assert (step.exit_code != 0) == (outcome == "failed"), (step.command, step.stderr)
        if outcome == "failed":
            self._reports[night] = reported(step, night)

    def data(self, service: str) -> Path:
        return self.folder / "data" / service

    def repository(self, service: str) -> Path:
        return self.folder / "repos" / service

    def reports(self) -> dict[dt.date, Answer]:
        return self._reports

    def stop(self) -> None:
        """Nothing runs, so there is nothing to stop."""
        return

    @abstractmethod
    def init(self, service: str) -> None:
        """Make the repository of the service."""

    @abstractmethod
    def back_up(self, service: str, night: dt.date, *, fails: bool) -> Step:
        """What the tool said of that night's backup."""

    def sources(self) -> list[dict[str, Any]]:
        return [{"repository": str(self.repository(service)), "zone": "UTC"} for service in SERVICES]


class Restic(Repositories):
    kind = "restic"
    secrets = {"password": PASSWORD}

    def call(self, service: str, *arguments: str) -> Step:
        env = {"RESTIC_REPOSITORY": str(self.repository(service)), "RESTIC_PASSWORD": PASSWORD, "HOME": str(self.folder)}
        return run_program("run", ["restic", *arguments], env=env, timeout_s=60)

    def init(self, service: str) -> None:
        assert self.call(service, "init").exit_code == 0

    def back_up(self, service: str, night: dt.date, *, fails: bool) -> Step:
        away = self.data(service).with_suffix(".away")
        if fails:
            self.data(service).rename(away)  # what is to be saved is gone
        done = self.call(service, "backup", "--json", "--host", "db01", "--time", f"{begins_at(night):%F %T}", str(self.data(service)))
        if fails:
            away.rename(self.data(service))
        return done


class Borg(Repositories):
    kind = "borg"
    secrets = {"passphrase": PASSWORD}

    def call(self, service: str, *arguments: str, passphrase: str = PASSWORD) -> Step:
        env = {"BORG_REPO": str(self.repository(service)), "BORG_PASSPHRASE": passphrase, "HOME": str(self.folder)}
        return run_program("run", ["borg", *arguments], env=env, timeout_s=60)

    def init(self, service: str) -> None:
        assert self.call(service, "init", "-e", "repokey", "--make-parent-dirs").exit_code == 0

    def back_up(self, service: str, night: dt.date, *, fails: bool) -> Step:
        told = ["create", "--json", "--log-json", "--timestamp", f"{begins_at(night):%FT%T}"]
        archive = f"{self.repository(service)}::{service}-{night}"
        return self.call(service, *told, archive, str(self.data(service)), passphrase="of another one" if fails else PASSWORD)


class Borgmatic(Repositories):
    kind = "borgmatic"
    secrets: dict[str, str] = {}

    def config(self, service: str, night: dt.date = NIGHTS[-1], passphrase: str = PASSWORD) -> Path:
        path = self.folder / f"{service}.yaml"
        path.write_text(
            f"location:\n    source_directories:\n        - {self.data(service)}\n    repositories:\n        - {self.repository(service)}\n"
            f"storage:\n    encryption_passphrase: {passphrase}\n    archive_name_format: '{service}-{night}'\n"
            f"    extra_borg_options:\n        create: --timestamp {begins_at(night):%FT%T}\n"
        )
        return path

    def call(self, config: Path, *arguments: str) -> Step:
        return run_program("run", ["borgmatic", "-c", str(config), "--no-color", *arguments], env={"HOME": str(self.folder)}, timeout_s=60)

    def init(self, service: str) -> None:
        self.repository(service).parent.mkdir(exist_ok=True)
        done = self.call(self.config(service), "rcreate", "--encryption", "repokey")
        assert done.exit_code == 0, done.stderr

    def back_up(self, service: str, night: dt.date, *, fails: bool) -> Step:
        done = self.call(self.config(service, night, "of another one" if fails else PASSWORD), "create", "--json")
        self.config(service)
        return done

    def sources(self) -> list[dict[str, Any]]:
        return [{"config": str(self.config(service))} for service in SERVICES]
