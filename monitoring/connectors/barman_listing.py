"""One record for each backup that Barman lists or shows; both are read alike, so that one never moves what the other told."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import Any

import msgspec

from monitoring.connectors import reading
from monitoring.connectors.base import Level, Outcome, Record, Reject, State

# A backup that waits for its log cannot be restored to a consistent state yet: it is a warning, and no point until it is DONE.
_STATUS: dict[object, tuple[State, Outcome | None]] = {
    "DONE": ("finished", "success"),
    "WAITING_FOR_WALS": ("finished", "warning"),
    "FAILED": ("finished", "failed"),
    "EMPTY": ("running", None),
    "STARTED": ("running", None),
    "SYNCING": ("running", None),
}
LEVELS: dict[object, Level] = {"full": "full", "rsync": "full", "incremental": "incremental", "snapshot": "snapshot"}
_ID = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)")
_ABANDONED = "was never finished: Barman began a later backup of this server, and it runs one at a time"
_WAITING = "waits for the log (WAL) that it needs to be restored"
MESSAGE_KEYS = ("_INFO", "_WARNING", "_ERROR", "_EXCEPTION", "_DEBUG")


class Listing(msgspec.Struct):
    """What one answer held. `servers` are those it names, `errors` what Barman said beside them."""

    records: list[Record] = []
    rejects: list[Reject] = []
    servers: list[str] = []
    errors: list[str] = []


def artefact_id(server: str, backup_id: str) -> str:
    """Ids are times: two servers of one Barman can have the same."""
    return f"{backup_id}@{server}"


def begun_at(backup_id: object, zone: str) -> dt.datetime | None:
    """When a backup began: its id is that time, in whole seconds, on the clock of the machine that Barman runs on."""
    match = _ID.fullmatch(backup_id) if isinstance(backup_id, str) else None
    told = reading.instant("{}-{}-{}T{}:{}:{}".format(*match.groups()), zone) if match else None
    return told.at if told else None


def document(text: str) -> tuple[dict[str, Any], str]:
    """The object in an answer in JSON, and the text around it. Raises ValueError with a sentence when there is none."""
    told, rest = reading.document_within(text, lambda found: isinstance(found, dict))
    if not isinstance(told, dict):
        raise ValueError("it is not an object with the servers as keys")
    return told, rest


def said(told: dict[str, Any], *keys: str) -> list[str]:
    """The messages that stand beside the servers in an answer in JSON."""
    found = [message for key in keys for message in _many(told.get(key)) if isinstance(message, str)]
    return [reading.plain(message, limit=4096) for message in found[:200]]


def read_listing(text: str, *, zone: str) -> Listing:
    """The backups of `list-backup` or `show-backup` in JSON. Raises ValueError with a sentence when the text is no such answer."""
    told, _ = document(text)
    listing = Listing(errors=said(told, "_ERROR", "_EXCEPTION"))
    for key, value in told.items():
        server = reading.name(key)
        if key in MESSAGE_KEYS or server is None:
            continue
        listing.servers.append(server)
        begun: dt.datetime | None = None  # of the newest backup: they are listed newest first
        for backup in [value] if isinstance(value, dict) else _many(value):
            read = _read(backup, server, zone, newest_begun=begun)
            if isinstance(read, str):
                reason = f"A backup of the server {server} {read}."
                listing.rejects.append(Reject(index=len(listing.rejects), reason=reason, excerpt=reading.excerpt(backup)))
            else:
                begun = max(begun or read.created_at, read.created_at)
                listing.records.append(read)
    return listing


def _many(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _read(backup: Any, server: str, zone: str, *, newest_begun: dt.datetime | None) -> Record | str:
    if not isinstance(backup, dict):
        return "is not an object"
    backup_id, status = backup.get("backup_id"), backup.get("status")
    created, started = begun_at(backup_id, "UTC"), begun_at(backup_id, zone)
    if not isinstance(backup_id, str) or created is None or started is None:
        return "has no id that is a time, as 20260714T013000"
    part = told if isinstance(told := backup.get("base_backup_information"), dict) else {}
    state, outcome = _STATUS.get(status if isinstance(status, str) else None, ("finished", "unknown"))
    note = _WAITING if status == "WAITING_FOR_WALS" else None
    if status in ("STARTED", "EMPTY") and newest_begun is not None and created < newest_begun:
        state, outcome, note = "finished", "failed", _ABANDONED
    ended = _epoch(part.get("end_time_timestamp", backup.get("end_time_timestamp")))
    if ended is not None and ended < started:  # another zone than that of the machine was set
        started = ended
    ended = ended if state == "finished" else None
    return Record(
        external_id=backup_id,
        evidence_kind="artefact",
        job_external_id=server,
        identity=(server, backup_id),
        created_at=created,
        level=LEVELS.get(backup.get("backup_type") if isinstance(backup.get("backup_type"), str) else None, "unknown"),
        job_name=server,
        target_name=server,
        target_type="database",
        state=state,
        outcome=outcome,
        native_status=reading.name(status),
        native_message=note or (reading.plain(error) if isinstance(error := backup.get("error"), str) and error else None),
        started_at=started,
        ended_at=ended,
        time_quality="assumed_zone",
        duration_s=reading.span_s(started, ended),
        bytes_stored=_stored(part),
        encrypted=_encrypted(part),
        artefact_id=artefact_id(server, backup_id),
        consistent_at=ended if outcome == "success" else None,
    )


def _stored(part: dict[str, Any]) -> int | None:
    """The bytes of the copy without its log; what the list calls its size holds the log, too."""
    for name in ("backup_size_bytes", "incremental_size_bytes"):
        if (told := reading.count(part.get(name))) is not None:
            return told
    return None


def _encrypted(part: dict[str, Any]) -> bool | None:
    return bool(part["encryption"]) if isinstance(part.get("encryption", 0), str | None) else None


def _epoch(value: object) -> dt.datetime | None:
    """Seconds since 1970, which Barman writes as text."""
    text = value if isinstance(value, str) else json.dumps(value) if isinstance(value, int) and not isinstance(value, bool) else ""
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        return None
    told = reading.instant(dt.datetime.fromtimestamp(int(text), dt.UTC))
    return told.at if told else None
