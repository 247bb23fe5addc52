"""One record for each row of the table of jobs in a catalogue of Bacula or Bareos."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

from monitoring.connectors import reading
from monitoring.connectors.base import Level, Operation, Outcome, Record, State, Step, VerificationMethod
from monitoring.connectors.redaction import redact

# The data of a migrated job live on in a row of their own, which names it as the one before: that is a copy.
_OPERATIONS: dict[str, Operation] = {"B": "backup", "M": "backup", "C": "copy", "R": "restore", "V": "verify"}
_INTERNAL = frozenset("UIS")  # what the Director does by itself
_LEVELS: dict[str, Level] = {"F": "full", "B": "full", "I": "incremental", "D": "differential", "f": "synthetic"}
_METHODS: dict[str, VerificationMethod] = {"O": "metadata", "C": "metadata", "V": "metadata", "d": "checksum", "A": "full_read"}
_OUTCOMES: dict[str, Outcome] = {
    "T": "success",
    "W": "warning",
    "e": "warning",
    "E": "failed",
    "f": "failed",
    "I": "failed",
    "D": "failed",
    "A": "cancelled",
}
_WORDS = {
    "T": "terminated normally",
    "W": "terminated with warnings",
    "e": "non-fatal error",
    "E": "terminated in error",
    "f": "fatal error",
    "I": "incomplete",
    "D": "verify found differences",
    "A": "canceled",
}
_STATES: dict[str, State] = dict.fromkeys("RLlai", "running") | dict.fromkeys("CBFSMmsjcdtpq", "queued")  # type: ignore[assignment]
_EMPTY = "the full backup holds no file"
_NEAR_S = 5


def rows_of(step: Step) -> Iterator[dict[str, Any]]:
    """The rows of an answer: one JSON object a line; what is none is left out."""
    for line in (step.stdout or "").split("\n"):
        try:
            row = json.loads(line) if line else None
        except (ValueError, RecursionError):
            row = {}
        if isinstance(row, dict):
            yield row


def whole(value: object) -> int | None:
    """A number from 0 on, also where it was told as text, as the console of Bareos does."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    return reading.count(value)


def read_job(row: dict[str, Any], *, zone: str, message: str | None) -> Record | str | None:
    """The record of a row, why there can be none, or None for a job of the Director's own."""
    job_id, unique, name = whole(row.get("jobid")), reading.name(row.get("job")), reading.name(row.get("name"))
    kind, status = _letter(row.get("type")), _letter(row.get("jobstatus"))
    if job_id is None or unique is None or name is None:
        return "has no number, unique name or name"
    if kind in _INTERNAL:
        return None
    created = reading.instant(_told(row, "schedtime") or _told(row, "starttime"))  # as it stands there: no setting may ever move it
    if created is None:
        return "has neither the time it was due nor a start"
    operation = "copy" if kind == "B" and whole(row.get("priorjobid")) else _OPERATIONS.get(kind, "other")
    state = _STATES.get(status, "finished")
    scheduled, started, ended = _times(row, zone)
    if scheduled is None and started is None:
        return f"has times that cannot be read in the time zone {reading.excerpt(zone)}"
    ended = ended if state == "finished" else None
    outcome, note = _outcome(row, status, kind) if state == "finished" else (None, None)
    words = _WORDS.get(status)
    record = Record(
        external_id=str(job_id),
        evidence_kind="run_log",
        job_external_id=name,
        identity=(str(job_id), unique),
        created_at=created.at,
        operation=operation,
        level=_LEVELS.get(_letter(row.get("level")), "unknown") if operation in ("backup", "copy") else "unknown",
        job_name=name,
        target_name=reading.name(row.get("client")),
        target_type="host",
        repository_name=reading.name(row.get("pool")),
        parent_external_id=str(prior) if (prior := whole(row.get("priorjobid"))) else None,
        state=state,
        outcome=outcome,
        native_status=f"{status}: {words}" if words else reading.name(row.get("jobstatus")),
        native_message=_message(note, message, unique) if outcome not in (None, "success") else None,
        scheduled_at=scheduled,
        started_at=started,
        ended_at=ended,
        time_quality="assumed_zone",
        duration_s=reading.span_s(started, ended),
    )
    _fill(record, row)
    return record


def _letter(value: object) -> str:
    return value if isinstance(value, str) and len(value) == 1 else ""


def _told(row: dict[str, Any], name: str) -> str | None:
    """A time of the catalogue, which has no zone."""
    told = row.get(name)
    return told.replace(" ", "T") if isinstance(told, str) and told else None


def _times(row: dict[str, Any], zone: str) -> tuple[dt.datetime | None, dt.datetime | None, dt.datetime | None]:
    """Due time, start and end in UTC. In the hour that comes twice, the end that the catalogue has in seconds since 1970 decides."""
    later = _is_second_hour(row, zone)
    found = [_instant(_told(row, name), zone, later) for name in ("schedtime", "starttime", "realendtime", "endtime")]
    scheduled, started, ended = found[0], found[1], found[2] or found[3]
    if started and ended and ended < started:
        ended = None
    return scheduled, started or scheduled, ended


def _instant(text: str | None, zone: str, later: bool) -> dt.datetime | None:
    told = reading.instant(text, zone)
    if told is None or not later:
        return told.at if told else None
    naive = dt.datetime.fromisoformat(str(text))
    moved = reading.instant(naive.replace(tzinfo=ZoneInfo(zone), fold=1)) if naive.tzinfo is None else told
    return moved.at if moved else None


def _is_second_hour(row: dict[str, Any], zone: str) -> bool:
    end, seconds = _told(row, "endtime"), whole(row.get("jobtdate"))
    told = reading.instant(end, zone)
    if told is None or told.quality == "exact" or not seconds:
        return False
    again = _instant(end, zone, True)
    return again is not None and again != told.at and abs(again.timestamp() - seconds) <= _NEAR_S


def off_by_s(row: dict[str, Any], zone: str) -> int | None:
    """By how many whole quarters of an hour (in seconds) the row's times are off from this zone, when it tells."""
    seconds, (_, _, ended) = whole(row.get("jobtdate")), _times({**row, "realendtime": None}, zone)
    if not seconds or ended is None:
        return None
    off = round((ended.timestamp() - seconds) / 900)
    return off * 900 if abs(off) <= 56 and abs(ended.timestamp() - seconds - off * 900) <= _NEAR_S else None


def _outcome(row: dict[str, Any], status: str, kind: str) -> tuple[Outcome, str | None]:
    outcome = _OUTCOMES.get(status, "unknown")
    if outcome == "success" and kind == "B" and _letter(row.get("level")) == "F" and whole(row.get("jobfiles")) == 0:
        return "failed", _EMPTY
    if outcome == "success" and whole(row.get("joberrors")):
        return "warning", None  # "Backup OK -- with warnings" is kept as T with errors
    return outcome, None


def _message(note: str | None, message: str | None, unique: str) -> str | None:
    lines = [line.partition(": ")[2] if " JobId " in line.partition(": ")[0] else line.strip() for line in reading.lines(message)]
    told = list(dict.fromkeys(line for line in (note, *lines) if line))
    return reading.plain(redact("\n".join(told))) if told else None


def _fill(record: Record, row: dict[str, Any]) -> None:
    """Figures of a job that ended: while it runs, the catalogue has noughts."""
    if record.state != "finished":
        return
    record.errors_count = whole(row.get("joberrors"))
    if record.operation in ("backup", "copy"):
        record.bytes_stored, record.bytes_read = whole(row.get("jobbytes")), whole(row.get("readbytes"))
        record.files_total, record.files_failed = whole(row.get("jobfiles")), whole(row.get("jobmissingfiles"))
        if record.outcome in ("success", "warning"):
            record.consistent_at = record.started_at
            record.artefact_id = record.external_id
    elif record.operation == "restore":
        record.bytes_transferred = whole(row.get("jobbytes"))
    elif record.operation == "verify" and record.outcome in ("success", "failed"):
        record.verification_state = "passed" if record.outcome == "success" else "failed"
        record.verification_method = _METHODS.get(_letter(row.get("level")), "metadata")
        record.verified_at = record.ended_at or record.started_at
