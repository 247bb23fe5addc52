"""The lab of Bacula: a job that ends well, one that fails and one that is cancelled, all real; their rows of the catalogue are then
copied under the nights of each service, because Bacula cannot back-date."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from monitoring.connectors.base import Answer
from monitoring.connectors.running import run_program
from tests.labs.bacula_daemons import Daemons
from tests.labs.nights import SERVICES, begins_at, what_happened

_COPIED = "type, level, clientid, jobstatus, jobfiles, jobbytes, readbytes, joberrors, jobmissingfiles, poolid, filesetid"
_COPY = """
INSERT INTO job (job, name, {copied}, schedtime, starttime, endtime, realendtime, jobtdate)
SELECT '{service}.{at:%Y-%m-%d_%H.%M.%S}', '{service}', {copied}, '{at:%F %T}', '{at:%F %T}', '{end:%F %T}', '{end:%F %T}', {seconds}
FROM job WHERE name = '{of}'
"""


class Bacula:
    kind = "bacula"
    secrets: dict[str, str] = {}
    run = staticmethod(run_program)

    def __init__(self, folder: Path) -> None:
        self.daemons = Daemons(folder)
        failed = [night for night, outcome in what_happened("breaks").items() if outcome == "failed"]
        self.kept = dict(zip(failed, ("cancelled", "failed"), strict=True))

    def make(self) -> None:
        self.daemons.start()
        self.daemons.console("run job=good yes", "run job=bad yes", "run job=slow yes")
        self.daemons.until("a job runs", lambda: self._count("slow", "R"))
        number = self.daemons.sql("SELECT jobid FROM job WHERE name = 'slow'")
        self.daemons.console(f"cancel jobid={number} yes")
        self.daemons.until("it ended", lambda: self._count("slow", "A") and self._count("good", "T") and self._count("bad", "f"))
        source = {"cancelled": "slow", "failed": "bad"}
        for service in SERVICES:
            for night, outcome in what_happened(service).items():
                if outcome != "missed":
                    self._copy(service, begins_at(night), "good" if outcome == "success" else source[self.kept[night]])
        self.daemons.sql("DELETE FROM job WHERE name IN ('good', 'bad', 'slow')")

    def _count(self, name: str, status: str) -> bool:
        return self.daemons.sql(f"SELECT count(*) FROM job WHERE name = '{name}' AND jobstatus = '{status}'") == "1"

    def _copy(self, service: str, at: dt.datetime, of: str) -> None:
        end = at + dt.timedelta(minutes=5)
        self.daemons.sql(_COPY.format(copied=_COPIED, service=service, at=at, end=end, seconds=int(end.timestamp()), of=of))

    def sources(self) -> list[dict[str, Any]]:
        return [{"host": "127.0.0.1", "port": str(self.daemons.port), "user": "reader", "history_days": "3650"}]

    def reports(self) -> dict[dt.date, Answer]:
        return {}

    def stop(self) -> None:
        self.daemons.stop()
