"""Recorded answers of real tools, and the shared sample cases where they are at hand."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path

from monitoring.connectors.base import Answer, Step

RECORDED = Path(__file__).resolve().parent / "recorded"
SAMPLES = RECORDED.parents[2] / "shared" / "samples"
READABLE_KEYS = ("tool", "tool_version", "tz", "host", "steps")
START = dt.datetime(2026, 7, 14, 1, 30, tzinfo=dt.UTC)


def cases(tool: str) -> list[Path]:
    """The case folders of a tool: the shared samples where they are at hand, else the recordings kept here."""
    folder = SAMPLES / tool if (SAMPLES / tool).is_dir() else RECORDED / tool
    return sorted(each for each in folder.iterdir() if (each / "case.json").exists())


def blinded(case: Path, folder: Path) -> Path:
    """A copy of a case under a name that says nothing, without the keys that tell what was done to the data."""
    copy = folder / "x"
    shutil.copytree(case, copy)
    told = json.loads((copy / "case.json").read_text())
    (copy / "case.json").write_text(json.dumps({key: told[key] for key in READABLE_KEYS if key in told}))
    return copy


def truth(case: Path) -> dict:
    return json.loads((case / "case.json").read_text())["truth"]


def push(
    command: str,
    exit_code: int | None = 0,
    *,
    stdout: str | None = None,
    stderr: str | None = None,
    host: str | None = "db01",
    **more: object,
) -> Answer:
    """What a wrapper around one call reports."""
    times = {"started_at": START, "finished_at": START + dt.timedelta(seconds=90)}
    step_fields = {name: more.pop(name, value) for name, value in times.items()}
    step = Step(name="run", command=command, exit_code=exit_code, stdout=stdout, stderr=stderr, **step_fields)  # type: ignore[arg-type]
    return Answer(kind="push", steps=[step], host=host, **more)  # type: ignore[arg-type]


def ping(suffix: str, body: str | None = None, **meta: str) -> Answer:
    """What the door makes of one ping."""
    told = {"suffix": suffix, "received_at": START.isoformat(), "sequence": "7", **meta}
    return Answer(kind="ping", steps=[Step(name="ping", stdout=body)], job_external_id="nightly", meta=told)
