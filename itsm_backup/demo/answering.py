"""Recorded answers for what a connector asks: the outputs of the real tools, with the demo's names, instants and sizes. Pure."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from itsm_backup.demo import recordings
from itsm_backup.demo.planning import Job, Run
from monitoring.connectors.base import Runner, Step


def runner(*, kind: str, repository: str, jobs: Sequence[Job], copies: Sequence[Run], at: dt.datetime, silent: bool = False) -> Runner:
    """What stands in for the program: it answers each call with a recording that holds these copies."""
    answers = {"restic": _restic, "borg": _borg, "pgbackrest": _pgbackrest}[kind]

    def run(name: str, argv: list[str], *, env: Mapping[str, str], timeout_s: float) -> Step:
        step = Step(name=name, command=shlex.join(argv), exit_code=0, stdout="", stderr="", started_at=at, finished_at=at)
        if silent and name != "version":
            step.exit_code, step.stderr = 1, unreachable(repository)
            return step
        step.stdout = answers(name, argv, repository, jobs, copies)
        return step

    return run


def unreachable(repository: str) -> str:
    """What restic says when a repository's server does not answer."""
    address = repository.removeprefix("rest:").rstrip("/")
    recorded = recordings.text("restic-unreachable.txt").replace("rest:http://127.0.0.1:9/shares/", repository)
    return recorded.replace("http://127.0.0.1:9/shares", address)


def identity(text: str) -> str:
    """64 hexadecimal digits that stand for a name, always the same."""
    return hashlib.sha256(text.encode()).hexdigest()


def _restic(name: str, argv: list[str], repository: str, jobs: Sequence[Job], copies: Sequence[Run]) -> str:
    if name == "version":
        return recordings.VERSIONS["restic"]
    if name == "cat-config":
        return json.dumps({**recordings.document("restic-cat-config.json"), "id": identity(repository)}, indent=2)
    return json.dumps([_snapshot(run) for run in copies], separators=(",", ":"))


def _snapshot(run: Run) -> dict[str, Any]:
    snapshot = recordings.document("restic-snapshots.json")[0]
    snapshot.pop("parent", None)
    snapshot |= {"time": instant(run.started_at), "tree": identity(run.id), "paths": [run.job.place], "hostname": run.job.host}
    snapshot["summary"] |= figures(run)
    return snapshot | {"id": run.id, "short_id": run.id[:8]}


def figures(run: Run) -> dict[str, Any]:
    """The figures in a summary of restic."""
    files = max(12, run.bytes_source // 4_000_000)
    return {
        "backup_start": instant(run.started_at),
        "backup_end": instant(run.ended_at),
        "data_added": int(run.bytes_stored * 1.6),
        "data_added_packed": run.bytes_stored,
        "total_files_processed": files,
        "total_bytes_processed": run.bytes_source,
    }


def _borg(name: str, argv: list[str], repository: str, jobs: Sequence[Job], copies: Sequence[Run]) -> str:
    if name == "version":
        return recordings.VERSIONS["borg"]
    document = recordings.document("borg-list.json" if name == "list" else "borg-info.json")
    template = document["archives"][0]
    if name == "info":
        newest = next(int(word.partition("=")[2]) for word in argv if word.startswith("--last="))
        copies = sorted(copies, key=lambda run: run.started_at)[-newest:]
    document["archives"] = [_archive(template, run) for run in copies]
    latest = max((run.ended_at for run in copies), default=None)
    document["repository"] |= {"id": identity(repository), "location": repository}
    if latest:
        document["repository"]["last_modified"] = _naive(latest)
    document["encryption"] = {"mode": "repokey-blake2"}
    return json.dumps(document, indent=4)


def archive_name(run: Run) -> str:
    return f"{run.job.host}-{run.job.place}-{run.started_at:%Y-%m-%dT%H:%M:%S}"


def _archive(template: dict[str, Any], run: Run) -> dict[str, Any]:
    name = archive_name(run)
    told = {"name": name, "archive": name, "barchive": name, "id": run.id, "hostname": run.job.host}
    told |= {"start": _naive(run.started_at), "time": _naive(run.started_at), "end": _naive(run.ended_at)}
    archive = {key: told.get(key, value) for key, value in template.items()}
    if "stats" in template:
        archive["stats"] = sizes(run)
        archive["duration"] = (run.ended_at - run.started_at).total_seconds()
        archive["command_line"] = ["/usr/bin/borg", "create", f"::{name}", f"/srv/{run.job.place}"]
    return archive


def sizes(run: Run) -> dict[str, int]:
    """The statistics of an archive of borg."""
    files = max(12, run.bytes_source // 900_000)
    packed = int(run.bytes_source * 0.62)
    return {"compressed_size": packed, "deduplicated_size": run.bytes_stored, "nfiles": files, "original_size": run.bytes_source}


def _pgbackrest(name: str, argv: list[str], repository: str, jobs: Sequence[Job], copies: Sequence[Run]) -> str:
    if name == "version":
        return recordings.text("pgbackrest-version.txt")
    stanza = recordings.document("pgbackrest-info.json")[0]
    templates = {backup["type"]: backup for backup in stanza["backup"]}
    told = []
    for job in jobs:
        own = [run for run in copies if run.job is job or run.job == job]
        told.append({**stanza, "name": job.name, "backup": _backups(own, templates)})
    return json.dumps(told, separators=(",", ":"))


def _backups(copies: Sequence[Run], templates: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The backups of one stanza: each builds on the full one, and on the differential one, before it."""
    full = diff = None
    found = []
    for run in sorted(copies, key=lambda run: run.started_at):
        stamp = f"{run.started_at:%Y%m%d-%H%M%S}"
        if run.level == "full" or full is None:
            label, prior, reference = f"{stamp}F", None, None
            full, diff = label, None
        elif run.level == "diff":
            label, prior, reference = f"{full}_{stamp}D", full, [full]
            diff = label
        else:
            label, prior, reference = f"{full}_{stamp}I", diff or full, [full, *([diff] if diff else [])]
        level = {"F": "full", "D": "diff", "I": "incr"}[label[-1]]
        found.append(_backup(templates[level], run, label, prior, reference))
    return found


def _backup(template: dict[str, Any], run: Run, label: str, prior: str | None, reference: list[str] | None) -> dict[str, Any]:
    stored = run.bytes_stored
    return {
        **template,
        "label": label,
        "prior": prior,
        "reference": reference,
        "info": {
            "delta": int(stored * 1.6),
            "repository": {"delta": stored, "size": int(run.bytes_source * 0.4)},
            "size": run.bytes_source,
        },
        "timestamp": {"start": int(run.started_at.timestamp()), "stop": int(run.ended_at.timestamp())},
    }


def instant(at: dt.datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}Z"


def _naive(at: dt.datetime) -> str:
    """As borg prints it where the product runs it: in UTC, without saying so."""
    return f"{at:%Y-%m-%dT%H:%M:%S}.000000"
