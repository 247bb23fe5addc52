"""Repositories with weeks of known history, made by the real programs, read live: each day that was backed up is told, and no other."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from itsm_backup.common.http.addresses import Allowed
from monitoring.connectors import CONNECTORS
from monitoring.connectors.bacula import Bacula
from monitoring.connectors.base import Answer, Reading, Step
from monitoring.connectors.pgbackrest import PgBackRest
from monitoring.connectors.querying import querying
from monitoring.connectors.running import run_program
from tests.labs.bacula_daemons import NEEDED, free_ports
from tests.labs.postgres import as_postgres
from tests.recordings import SAMPLES, START

LABS = SAMPLES.parent / "lab"
DAYS, SERVICES, END = "13", "5", "2026-07-14"  # days on which some were missed, shrank, or stopped
PASSWORD = "lab-password"
SECRET = {"restic": "password", "borg": "passphrase"}
NONE = ("missed", "stopped")
FAILED = {"restic": {"failed_incomplete": {"warning", "partial", "failed"}}, "borg": {"failed_source_missing": {"failed"}}}
LEAVES_A_COPY = {"restic": (0, 3), "borg": (0, 1)}
pytestmark = pytest.mark.skipif(not LABS.is_dir(), reason="the scripts of the labs are not at hand")
TOOLS = [pytest.param(tool, marks=[pytest.mark.real_tool(tool), pytest.mark.tested("live", tool)]) for tool in SECRET]


def lab(tool: str, folder: Path, *more: str) -> tuple[Path, Path]:
    """The lab of a tool, and its truth, which lies elsewhere while the lab is read."""
    made = folder / "lab"
    argv = ["bash", LABS / f"{tool}-lab.sh", made, DAYS, SERVICES, END, *more]
    done = subprocess.run(argv, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=600)
    assert done.returncode in (0, 141), done.stderr  # 141: it ended after all history was made, where it damages a copy
    return made, (made / "truth").rename(folder / "told") if (made / "truth").is_dir() else folder


@pytest.mark.parametrize("tool", TOOLS)
def test_every_day_that_was_backed_up_is_told_and_no_other(tool: str, tmp_path: Path) -> None:
    made, hidden = lab(tool, tmp_path)
    (made / "truth.json").unlink(missing_ok=True)
    found: dict[str, list[tuple[str, str | None, int | None]]] = {}
    for number in range(1, int(SERVICES) + 1):
        settings = {"repository": str(made / f"repos/svc{number}"), "timeout_s": "120", "zone": "UTC"}
        answer = CONNECTORS[tool].ask(settings=settings, secrets={SECRET[tool]: PASSWORD}, run=run_program, cursor={})
        told = CONNECTORS[tool].read(answer)
        assert told.complete and not told.rejects, told.problems
        found[f"svc{number}"] = [(f"{one.started_at:%Y-%m-%d}", one.outcome, one.bytes_source) for one in told.records if one.started_at]

    runs = {name: [json.loads(line) for line in (hidden / f"{name}.jsonl").read_text().splitlines()] for name in found}
    assert {run["outcome"] for own in runs.values() for run in own} >= {"success", "shrunken", *NONE, *FAILED[tool]}
    for name, copies in found.items():
        kept = {run["date"]: run for run in runs[name] if run["exit_code"] in LEAVES_A_COPY[tool]}
        assert [day for day, _, _ in copies] == list(kept)
        assert all(size in (None, kept[day]["source_bytes"]) for day, _, size in copies)
        good = {day for day, outcome, _ in copies if outcome == "success"}
        assert good >= {day for day, run in kept.items() if run["outcome"] in ("success", "shrunken")}
    _reports(tool, hidden, {name: own[-1] for name, own in runs.items()})


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that the account of PostgreSQL reaches, too."""
    folder = Path(tempfile.mkdtemp(prefix="lab-"))
    folder.chmod(0o755)
    yield folder
    if (folder / "lab/stop.sh").exists():
        subprocess.run([folder / "lab/stop.sh"], check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(folder)


def days_of(told: Reading, *outcomes: str) -> set[tuple[str, str]]:
    """Service and day of everything with such an outcome; the job of a service is named for it."""
    return {
        (record.job_external_id.removeprefix("Backup-"), f"{record.started_at:%Y-%m-%d}")
        for record in told.records
        if record.started_at and record.outcome in outcomes
    }


def truth_of(runs: list[dict[str, Any]], *outcomes: str) -> set[tuple[str, str]]:
    return {(run["service"], run["date"]) for run in runs if run["outcome"] in outcomes}


@pytest.mark.tested("live", "pgbackrest")
@pytest.mark.real_tool("pgbackrest", "faketime")
def test_pgbackrest_tells_every_day_that_was_backed_up(open_folder: Path) -> None:
    made, hidden = lab("pgbackrest", open_folder)
    (made / "truth.json").unlink()
    told = Reading()
    for config in ("all", "plain"):
        settings = {"config": str(made / f"{config}.conf"), "timeout_s": "60"}
        answer = PgBackRest().ask(
            settings=settings, secrets={}, run=lambda name, argv, **how: run_program(name, as_postgres(*argv), **how), cursor={}
        )
        one = PgBackRest().read(answer)
        assert one.complete and not one.rejects, one.problems
        told.records += one.records

    runs = [json.loads(line) for path in hidden.glob("*.jsonl") for line in path.read_text().splitlines()]
    assert days_of(told, "success") == truth_of(runs, "success", "shrunken")
    assert len(told.records) == len(days_of(told, "success"))  # nothing else is claimed
    assert {record.job_external_id for record in told.records if not record.encrypted} == {"svc4"}
    (failed,) = truth_of(runs, "failed")
    command = f"pgbackrest --config={made}/plain.conf --stanza=svc4 --no-online backup --type=incr"
    step = Step(name="run", command=command, exit_code=55, started_at=START, stdout=(hidden / "svc4.last.out").read_text())
    (record,) = PgBackRest().read(Answer(kind="push", steps=[step])).records
    assert (record.job_external_id, record.outcome) == (failed[0], "failed")


@pytest.mark.tested("live", "bacula")
@pytest.mark.real_tool(*NEEDED)
def test_bacula_tells_every_outcome_of_its_catalogue(open_folder: Path) -> None:
    port = str(free_ports(1)[0])
    made, _ = lab("bacula", open_folder, port)
    runs = json.loads((made / "truth.json").rename(open_folder / "truth.json").read_text())["runs"]
    settings = {"host": "127.0.0.1", "port": port, "user": "postgres", "zone": "UTC", "history_days": "3650"}
    with querying(allowed=Allowed("127.0.0.1"), settings=settings, secrets={}) as query:
        told = Bacula().read(Bacula().ask(settings=settings, secrets={}, query=query, cursor={}))

    assert told.complete and not told.rejects, told.problems
    assert days_of(told, "success") == truth_of(runs, "success", "shrunken")
    assert days_of(told, "failed") == truth_of(runs, "failed")
    (cancelled,) = [record for record in told.records if record.outcome == "cancelled"]
    assert cancelled.job_external_id.startswith("Slow-")
    assert len(told.records) == len([run for run in runs if run["outcome"] not in NONE]) + 1


def _reports(tool: str, hidden: Path, latest: dict[str, dict[str, Any]]) -> None:
    """What no listing shows, the report of the wrapper does: the last run of the service that failed."""
    for name, run in latest.items():
        if run["outcome"] not in FAILED[tool]:
            continue
        said = [(hidden / f"{name}.last.{end}").read_text() for end in ("json", "err")]
        command = {"restic": "restic backup --json /data", "borg": f"borg create --json --log-json /r::{name}-{run['date']} /data"}[tool]
        step = Step(name="run", command=command, exit_code=run["exit_code"], started_at=START, stdout=said[0], stderr=said[1])
        (record,) = CONNECTORS[tool].read(Answer(kind="push", steps=[step], host="db01")).records
        assert record.outcome in FAILED[tool][run["outcome"]], record
