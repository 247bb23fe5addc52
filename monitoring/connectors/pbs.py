"""The Proxmox Backup Server connector: its tasks say what ran, its snapshots say what is there; a task and its snapshot are one run."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from monitoring.connectors import reading
from monitoring.connectors.base import Answer, Fetch, Operation, Outcome, Reading, Record, SettingField, Tested
from monitoring.connectors.capabilities import HTTP_LIMITS, declare, full, none, part
from monitoring.connectors.conversing import ADDRESS, CERTIFICATES, Conversation, collect, conclude, window

PAGE = 500
API = "/api2/json"
LISTING = "snapshots "
LONGEST_RUNNING = dt.timedelta(days=14)  # an open task older than this no longer holds the cursor back
_OPERATIONS: dict[str, Operation] = {
    "backup": "backup",
    "verify": "verify",
    "verificationjob": "verify",
    "verify_snapshot": "verify",
    "verify_group": "verify",
    "sync": "replicate",
    "syncjob": "replicate",
    "prune": "prune",
    "prunejob": "prune",
}
_ESCAPED = re.compile(r"\\x([0-9a-f]{2})")
_WARNINGS = re.compile(r"WARNINGS: (\d{1,9})")
_KEPT_WORDS = {"ok": "passed", "failed": "failed"}


class ProxmoxBackupServer:
    """Proxmox Backup Server. Backups are started by Proxmox VE or a client; the server keeps the log of them all."""

    kind = "pbs"
    label = "Proxmox Backup Server"
    tested: Tested = "documented"
    polled = True
    over_http = True
    settings_fields: tuple[SettingField, ...] = (
        ADDRESS,
        SettingField(name="token_id", label="API token", help="user@realm!name, e.g. assurance@pbs!reader.", required=True),
        SettingField(
            name="token", label="Secret of the token", help="Give the token Audit on /system/tasks and on each datastore.", required=True,
            secret=True,
        ),
        SettingField(
            name="datastores", label="Datastores", help="Separated by commas; store:namespace for one namespace, e.g. main, main:site-b.",
            required=True,
        ),
        SettingField(name="node", label="Node", help="The server's own name in its API.", default="localhost"),
        CERTIFICATES,
    )  # fmt: skip
    capabilities = declare(
        read_runs=full("Tasks with their outcome, and the snapshots that they left."),
        read_schedules=none("Jobs of the server are not read."),
        verify_data=full("Verify tasks and the state of each snapshot."),
        incremental=part("Tasks since the latest complete round; snapshots are listed in full."),
        authentication=full("API token with the right to audit, over HTTPS."),
        rate_limits=full(HTTP_LIMITS),
    )

    def ask(self, *, settings: Mapping[str, str], secrets: Mapping[str, str], fetch: Fetch, cursor: Mapping[str, Any]) -> Answer:
        """Ask for the tasks since the latest complete round, or since the oldest one still running then, and for every snapshot."""
        token = secrets.get("token", "")
        headers = {"Authorization": f"PBSAPIToken={settings.get('token_id', '').strip()}:{token.strip()}"}
        talk = Conversation(address=settings.get("address", ""), fetch=fetch, hidden=[token], headers=headers)
        since, at = window(cursor, settings)
        tasks = f"{API}/nodes/{quote(settings.get('node') or 'localhost', safe='')}/tasks"
        first = {"since": int(since.timestamp()), "start": 0, "limit": PAGE}
        ended = [talk.pages("tasks", tasks, first=first, following=_following)]
        for store in filter(None, map(str.strip, settings.get("datastores", "").split(","))):
            name, _, namespace = store.partition(":")
            path = f"{API}/admin/datastore/{quote(name, safe='')}/snapshots"
            ended.append(talk.ask(f"{LISTING}{store}", path, query={"ns": namespace} if namespace else None) is not None)
        return talk.end(in_full=all(ended), at=at.isoformat())

    def read(self, answer: Answer) -> Reading:
        """A record for each task that backed up, verified, synchronised or pruned, and one for each snapshot that is there."""
        result = Reading()
        for name in sorted({step.name for step in answer.steps if step.name.startswith(LISTING)}):
            store = name.removeprefix(LISTING)
            collect(result, answer, name, rows=_data, one=lambda row, store=store: _snapshot(row, store), noun="snapshot")
        snapshots: dict[str, list[Record]] = {}
        for record in result.records:
            snapshots.setdefault(record.job_external_id, []).append(record)
        collect(result, answer, "tasks", rows=_data, one=lambda row: _task(row, snapshots), noun="task")
        return conclude(result, answer, since=_oldest_running(result, answer))


def _data(document: Any) -> Any:
    return document.get("data") if isinstance(document, dict) else None


def _following(told: Any, number: int) -> Mapping[str, Any] | str | None:
    rows = _data(told)
    if not isinstance(rows, list):
        return "A page of tasks holds no data."
    return {"start": number * PAGE} if len(rows) >= PAGE else None


def _snapshot(row: Mapping[str, Any], store: str) -> Record | str:
    kind, name = reading.name(row.get("backup-type")), reading.name(row.get("backup-id"))
    taken = reading.epoch(row.get("backup-time"))
    if kind is None or name is None or taken is None:
        return "lacks its backup-type, backup-id or backup-time"
    artefact_id = f"{kind}/{name}/{taken:%Y-%m-%dT%H:%M:%SZ}"
    verified = row.get("verification")
    state = _KEPT_WORDS.get(str(verified.get("state"))) if isinstance(verified, dict) else None
    files = row.get("files")
    modes = {file.get("crypt-mode") for file in files if isinstance(file, dict)} - {None} if isinstance(files, list) else set()
    comment = row.get("comment")
    return Record(
        external_id=artefact_id,
        evidence_kind="artefact",
        identity=("snapshot", store, artefact_id),
        created_at=taken,
        job_external_id=f"{store}:{kind}/{name}",
        job_name=reading.name(comment) or f"{kind}/{name}",
        target_name=name,
        target_type=kind,
        repository_name=store,
        outcome="success",
        started_at=taken,
        consistent_at=taken,
        bytes_source=reading.count(row.get("size")),
        encrypted=_encrypted(modes),
        artefact_id=artefact_id,
        verification_state="passed" if state == "passed" else "failed" if state == "failed" else "none",
        verification_method="checksum" if state else None,
    )


def _encrypted(modes: set[Any]) -> bool | None:
    """True when every file that tells is encrypted; the manifest itself is always plain and only signed."""
    told = {mode for mode in modes if isinstance(mode, str)}
    return None if not told else "encrypt" in told and "none" not in told


def _task(row: Mapping[str, Any], snapshots: Mapping[str, list[Record]]) -> Record | str | None:
    operation = _OPERATIONS.get(str(row.get("worker_type")))
    if operation is None:
        return None
    upid, begun = reading.name(row.get("upid")), reading.epoch(row.get("starttime"))
    if upid is None or begun is None:
        return "has no upid" if upid is None else "has no usable starttime"
    ended, status = reading.epoch(row.get("endtime")), reading.name(row.get("status"))
    about = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), reading.name(row.get("worker_id")) or "")
    job = reading.name(about) or str(row.get("worker_type"))
    outcome = _outcome(status) if status else None
    made = _made(snapshots.get(job, []), begun, ended) if operation == "backup" and outcome in ("success", "warning") else None
    warned = _WARNINGS.fullmatch(status or "")
    record = Record(
        external_id=upid,
        evidence_kind="run_log",
        identity=("task", upid),
        created_at=begun,
        job_external_id=job if operation == "backup" else f"{operation} {job}",
        job_name=made.job_name if made else None,
        operation=operation,
        repository_name=reading.name(about.partition(":")[0]),
        state="finished" if status else "running",
        outcome=outcome,
        native_status=status,
        native_message=reading.plain(status) if status and outcome != "success" else None,
        started_at=begun,
        ended_at=ended if ended and ended >= begun else None,
        duration_s=reading.span_s(begun, ended),
        warnings_count=int(warned[1]) if warned else None,
        verification_state={"success": "passed", "failed": "failed"}.get(outcome or "", "none") if operation == "verify" else "none",  # type: ignore[arg-type]
        verification_method="checksum" if operation == "verify" else None,
        consistent_at=begun if operation in ("backup", "replicate") and outcome in ("success", "warning") else None,
    )
    if made:
        record.artefact_id, record.bytes_source, record.encrypted = made.artefact_id, made.bytes_source, made.encrypted
        record.target_name, record.target_type, record.consistent_at = made.target_name, made.target_type, made.consistent_at
    return record


def _outcome(status: str) -> Outcome:
    if status == "OK":
        return "success"
    return "warning" if _WARNINGS.fullmatch(status) else "unknown" if status == "unknown" else "failed"


def _made(candidates: list[Record], begun: dt.datetime, ended: dt.datetime | None) -> Record | None:
    """The one snapshot taken while the task ran."""
    fitting = [one for one in candidates if one.consistent_at and begun <= one.consistent_at <= (ended or begun)]
    return fitting[0] if len(fitting) == 1 else None


def _oldest_running(result: Reading, answer: Answer) -> dt.datetime | None:
    told = reading.instant(answer.meta.get("at"))
    open_since = [one.started_at for one in result.records if one.state == "running" and one.started_at]
    recent = [start for start in open_since if told and start > told.at - LONGEST_RUNNING]
    return min(recent, default=None)
