"""Repositories with weeks of known history, made by the real programs, read live: each day that was backed up is told, and no other."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from monitoring.connectors import CONNECTORS
from monitoring.connectors.base import Answer, Step
from monitoring.connectors.running import run_program
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


def lab(tool: str, folder: Path) -> tuple[Path, Path]:
    """The lab of a tool, and its truth, which lies elsewhere while the lab is read."""
    made = folder / "lab"
    done = subprocess.run(["bash", LABS / f"{tool}-lab.sh", made, DAYS, SERVICES, END], check=False, capture_output=True, timeout=600)
    assert done.returncode in (0, 141), done.stderr  # 141: it ended after all history was made, where it damages a copy
    return made, (made / "truth").rename(folder / "told")


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
