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
    shutil.copytree(case, copy, copy_function=shutil.copyfile)
    for each in (copy, *copy.rglob("*/")):
        each.chmod(0o755)  # the shared samples may be read-only
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


_ALLOWED = {
    "success": {"success"},
    "warning": {"warning", "partial"},
    "failure": {"failed"},
    "interrupted": {"cancelled", "failed"},
    "verify_ok": {"success"},
    "restore_ok": {"success"},
    "success_no_snapshot": {"skipped"},
}
_OPERATION = {"verify_ok": "verify", "verify_failed": "verify", "restore_ok": "restore"}


def assert_agrees(case: Path, records: list[dict]) -> None:
    """The last run of a case (not what a listing shows) is judged as what was done to the data, with its figures or none."""
    assert not [record for record in records if "quarantined" in record]
    told = truth(case)
    runs = [record for record in records if record["evidence_kind"] != "artefact"]
    wanted, operation = told["outcome"], _OPERATION.get(told["outcome"], "backup")
    of_operation = [run for run in runs if run["operation"] == operation] or runs
    if wanted == "no_backup":
        assert not [run for run in runs if run["operation"] == "backup" and run["outcome"] == "success"]
    elif wanted == "verify_failed":
        assert [run for run in of_operation if run["outcome"] == "failed"]
    elif of_operation and wanted in _ALLOWED:
        if "next_run" in told:  # the case goes on: its last run is another one
            assert of_operation.pop()["outcome"] in _ALLOWED[told["next_run"]]
        last = of_operation[-1]
        assert last["outcome"] in _ALLOWED[wanted]
        for field, key in (("bytes_source", "bytes"), ("files_total", "files"), ("encrypted", "encrypted")):
            assert key not in told or last[field] in (told[key], None)
