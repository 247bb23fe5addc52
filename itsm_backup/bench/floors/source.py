"""A source of backup runs over HTTP: a WSGI application by itself that lists tasks and snapshots as Proxmox Backup Server does."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from typing import Any

SNAPSHOTS = 20
A_DAY_S = 86_400
_NOON = int(time.time()) // A_DAY_S * A_DAY_S - A_DAY_S // 2


def _rows(tasks: bool) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for number in range(SNAPSHOTS):
        begun = _NOON - number * A_DAY_S
        task = {"upid": f"UPID:bench:{number:08X}:backup:", "worker_type": "backup", "worker_id": "main:host/db01", "status": "OK"}
        found.append(
            {**task, "starttime": begun, "endtime": begun + 90}
            if tasks
            else {"backup-type": "host", "backup-id": "db01", "backup-time": begun + 5, "size": 1 << 30, "files": []}
        )
    return found


_ANSWERS = {tasks: json.dumps({"data": _rows(tasks)}).encode() for tasks in (True, False)}


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The same answer to everybody."""
    body = _ANSWERS[environ["PATH_INFO"].endswith("/tasks")]
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
