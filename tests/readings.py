"""Answers as a polled restic repository gives them."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from typing import Any

from monitoring import intake, polling
from monitoring.connectors.base import Answer, Step
from monitoring.models import Tool

REPOSITORY_ID = "5" * 64


def snapshot(at: dt.datetime, *, host: str = "db01", path: str = "/srv/data", **more: Any) -> dict[str, Any]:
    identity = hashlib.sha256(f"{host} {path} {at.isoformat()}".encode()).hexdigest()
    return {"time": at.isoformat(), "tree": "0" * 64, "paths": [path], "hostname": host, "id": identity, "short_id": identity[:8], **more}


def poll_answer(*snapshots: Any, stdout: str | None = None, **more: Any) -> Answer:
    """What a repository that answers in full says."""
    config = json.dumps({"version": 2, "id": REPOSITORY_ID, "chunker_polynomial": "2"})
    listing = json.dumps(list(snapshots)) if stdout is None else stdout
    steps = [
        Step(name="version", command="restic version", exit_code=0, stdout="restic 0.14.0 compiled with go1.19.8 on linux/amd64"),
        Step(name="cat-config", command="restic cat config --no-lock", exit_code=0, stdout=config),
        Step(name="snapshots", command="restic snapshots --json --no-lock", exit_code=0, stdout=listing),
    ]
    return Answer(kind="poll", steps=steps, meta={"repository": "/srv/repo"}, **more)


def no_answer() -> Answer:
    """What is kept of a repository that cannot be reached."""
    said = "Fatal: unable to open config file: stat /srv/repo/config: no such file or directory"
    version = Step(name="version", command="restic version", exit_code=0, stdout="restic 0.14.0 compiled with go1.19.8 on linux/amd64")
    failed = Step(name="cat-config", command="restic cat config --no-lock", exit_code=1, stderr=said)
    return Answer(kind="poll", steps=[version, failed], meta={"repository": "/srv/repo"})


def take_reading(tool: Tool, answer: Answer, *, at: dt.datetime) -> intake.Receipt:
    """Store a poll's answer and note how it went, as polling does after asking."""
    receipt = intake.receive(tool=tool, answer=answer, at=at)
    polling._note(tool=tool, receipt=receipt, at=at)
    tool.state.refresh_from_db()
    return receipt
