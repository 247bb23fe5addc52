"""Read a catalogue of Bacula that was saved to files, table by table, as CSV or as JSON lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from monitoring.connectors import reading
from monitoring.connectors.base import Step

CATALOGUE = "catalog"
MAX_TABLE_BYTES = 32 * 1024 * 1024
_NAMES = {
    "client": ("client.csv", "clientid", "name"),
    "pool": ("pool.csv", "poolid", "name"),
    "fileset": ("fileset.csv", "filesetid", "fileset"),
}


def catalogue_steps(folder: Path) -> list[Step]:
    """The jobs with the names of client, pool and file set, and what was logged, as the catalogue itself would answer."""
    text = _text(folder / "job.jsonl") or _text(folder / "job.csv")
    names = {key: {row.get(number): row.get(name) for row in rows(_text(folder / file))} for key, (file, number, name) in _NAMES.items()}
    jobs = []
    for row in rows(text):
        found = {key: names[key].get(str(row.get(number))) for key, (_, number, _) in _NAMES.items()}
        jobs.append({**row, **found})
    logs: dict[str, str] = {}
    for row in rows(_text(folder / "log.csv")):
        if any(
            word in str(row.get("logtext")).lower() for word in ("error", "fatal", "warning", "cancel", "differ", "could not", "cannot")
        ) and "Termination:" not in str(row.get("logtext")):
            logs[str(row.get("jobid"))] = (logs.get(str(row.get("jobid")), "") + str(row.get("logtext")))[:8000]
    told = [{"jobid": job_id, "logtext": logtext} for job_id, logtext in logs.items()]
    return [Step(name="jobs", exit_code=0, stdout=_lines(jobs)), Step(name="logs", exit_code=0, stdout=_lines(told))]


def table_step(name: str, text: str) -> Step:
    """One table of a file, as the catalogue itself would answer."""
    return Step(name=name, exit_code=0, stdout=_lines(list(rows(text)) or [{}]))


def rows(text: str) -> Iterator[dict[str, Any]]:
    """The rows of CSV with a head line, or of JSON lines; what is no row is an empty one."""
    if not text.lstrip().startswith("{"):
        try:
            yield from csv.DictReader(io.StringIO(text.replace("\x00", "\ufffd")))
        except csv.Error:
            yield {}
        return
    for line in text.splitlines():
        try:
            row = json.loads(line) if line.strip() else None
        except (ValueError, RecursionError):
            row = {}
        if row is not None:
            yield row if isinstance(row, dict) else {}


def _lines(found: list[dict[str, Any]]) -> str:
    return "\n".join(json.dumps(row, default=str) for row in found)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return reading.decoded(file.read(MAX_TABLE_BYTES))
    except OSError:
        return ""
