"""How a new record and what is already known of a run become one row. Pure."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import struct
from typing import Any

import msgspec

from monitoring.connectors.base import PROVISIONAL, Record

# Fields whose later change may change a verdict: such a change is kept as a revision.
_SEALED = ("state", "outcome", "occurred_at", "started_at", "ended_at", "captured_at")
JUDGED = (*_SEALED, "verified")
PROOFS = ("restore_test", "verify")  # operations that prove or refute what backups promised
_ORDER = {"queued": 0, "running": 1, "finished": 2}
# What was said at the run itself outweighs what an artefact lets one guess about it.
_AUTHORITY = {"push": 2, "run_log": 2, "manual": 2, "alert": 1, "artefact": 1, "metric": 1, "derived": 0}
NEAR_S = 300
MESSAGE_LENGTH = 500


class Row(msgspec.Struct, kw_only=True):
    """One row of BackupRun, in the order it is copied to the database."""

    key: bytes
    tool_id: int
    job_id: int
    service_id: int | None
    external_id: str
    evidence_kind: str
    operation: str
    level: str
    state: str
    outcome: str | None
    occurred_at: dt.datetime
    started_at: dt.datetime | None
    ended_at: dt.datetime | None
    captured_at: dt.datetime | None
    time_quality: str
    exit_code: int | None
    bytes_source: int | None
    bytes_stored: int | None
    files_total: int | None
    files_failed: int | None
    rows_total: int | None
    encrypted: bool | None
    verified: bool | None
    artefact_id: str | None
    message: str | None
    first_seen_at: dt.datetime
    changed_at: dt.datetime
    source_revision: str | None
    answer: int | None
    answer_index: int
    seal: bytes = b""

    @classmethod
    def of(cls, run: Any) -> Row:
        values = {name: getattr(run, name) for name in cls.__struct_fields__}
        values["key"], values["seal"] = bytes(values["key"]), bytes(values["seal"])
        return cls(**values)

    def sealed(self) -> Row:
        return msgspec.structs.replace(self, seal=seal_of(self))


def seal_of(run: Any) -> bytes:
    """Eight bytes over what judgements read of a run: its key and judged fields. Differs when a row was changed by other hands."""
    values = [getattr(run, name) for name in _SEALED]
    if run.verified is not None:
        values += [run.operation, run.level, run.verified]
    text = [_in_utc(value).isoformat() if isinstance(value, dt.datetime) else value for value in values]
    return hashlib.sha256(msgspec.json.encode([bytes(run.key).hex(), *text])).digest()[:8]


def _in_utc(instant: dt.datetime) -> dt.datetime:
    return instant if instant.tzinfo is dt.UTC else instant.astimezone(dt.UTC)


def key_of(tool_id: int, record: Record) -> bytes:
    """The idempotency key: 4 bytes of the creation instant, then 16 of the identity's hash (20 bytes, ordered by time)."""
    identity = msgspec.json.encode([tool_id, *record.identity])
    return struct.pack(">I", int(record.created_at.timestamp())) + hashlib.sha256(identity).digest()[:16]


def created_at(run: Any) -> dt.datetime:
    """The creation instant that a run's key begins with."""
    return dt.datetime.fromtimestamp(int.from_bytes(bytes(run.key)[:4], "big"), dt.UTC)


def combine(known: Row | None, record: Record, *, key: bytes, tool: Any, job: Any, answer: int, index: int, at: dt.datetime) -> Row:
    """The row after this record. State only moves forward unless the source's revision grew; absent never erases present.

    The order in which a source's revisions, or the states of one run, arrive does not matter.
    """
    fresh = _row(record, key=key, tool=tool, job=job, answer=answer, index=index, at=at)
    if known is None:
        return fresh
    if known.service_id != job.service_id or known.job_id != job.pk:
        known = msgspec.structs.replace(known, service_id=job.service_id, job_id=job.pk)
    lead, other = (fresh, known) if _leads(fresh, known) else (known, fresh)
    merged = {name: _first(getattr(lead, name), getattr(other, name)) for name in Row.__struct_fields__}
    merged |= _times(fresh, known, lead)
    if merged["source_revision"] == PROVISIONAL:
        merged["source_revision"] = lead.source_revision
    if lead.state != "finished":
        merged |= {"outcome": None, "ended_at": None}
    if lead.outcome == "success":
        merged["message"] = lead.message  # none, unless a restore test tells what it compared
    merged |= {"key": key, "first_seen_at": known.first_seen_at, "artefact_id": _longer(fresh.artefact_id, known.artefact_id)}
    row = Row(**merged)
    if not changes(known, row):
        return known
    return msgspec.structs.replace(row, changed_at=at, answer=answer, answer_index=index)


def _leads(fresh: Row, known: Row) -> bool:
    """Whether what is new outweighs what is known: by revision of the same source, else by state, else by who says it.

    A report that was made before the tool was done gives way to what the tool lists.
    """
    if fresh.evidence_kind == known.evidence_kind and fresh.source_revision != known.source_revision:
        return _revision(fresh) > _revision(known)
    if fresh.state != known.state:
        return _ORDER[fresh.state] > _ORDER[known.state]
    if PROVISIONAL in (fresh.source_revision, known.source_revision) and "artefact" in (fresh.evidence_kind, known.evidence_kind):
        return fresh.evidence_kind == "artefact"
    return _AUTHORITY[fresh.evidence_kind] >= _AUTHORITY[known.evidence_kind]


def _revision(row: Row) -> list[tuple[int, int, str]]:
    """Revisions in the order people read them: 9 before 10, dates by date, none before any."""
    parts = re.findall(r"\d+|\D+", row.source_revision or "")
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts]


def changes(before: Row, after: Row) -> bool:
    """Whether anything differs but when and from which answer it was last read."""
    aside = {name: getattr(after, name) for name in ("changed_at", "answer", "answer_index", "seal")}
    return msgspec.structs.replace(before, **aside) != after


def _first(one: Any, two: Any) -> Any:
    return two if one is None else one


def _longer(one: str | None, two: str | None) -> str | None:
    return max((one or "", two or ""), key=len) or None


def _times(fresh: Row, known: Row, lead: Row) -> dict[str, Any]:
    """An artefact's own time is when its data was taken; a report's times count where they fit it."""
    artefact = next((row for row in (fresh, known) if row.evidence_kind == "artefact" and row.captured_at), None)
    report = next((row for row in (fresh, known) if row.evidence_kind != "artefact"), None)
    if artefact is None and _is_listed(known) and _revision(fresh) <= _revision(known):
        artefact = known  # a report that is sent again does not move what the artefact told
    if artefact is None or report is None:
        return {"occurred_at": lead.occurred_at}
    taken = artefact.captured_at
    times: dict[str, Any] = {"captured_at": taken, "occurred_at": taken}
    if not fits(taken, report.started_at, report.ended_at):
        times |= {"started_at": artefact.started_at, "ended_at": artefact.ended_at}
    return times


def _is_listed(known: Row) -> bool:
    """Whether the row may hold an artefact's own time already."""
    return known.state == "finished" and known.artefact_id is not None and known.captured_at is not None


def fits(taken: dt.datetime | None, started_at: dt.datetime | None, ended_at: dt.datetime | None) -> bool:
    """Whether an artefact of that time can come from a run of these times, five minutes either side."""
    start, end = started_at or ended_at, ended_at or started_at
    if taken is None or start is None or end is None:
        return False
    near = dt.timedelta(seconds=NEAR_S)
    return start - near <= taken <= end + near


def _row(record: Record, *, key: bytes, tool: Any, job: Any, answer: int, index: int, at: dt.datetime) -> Row:
    occurred_at = record.started_at or record.consistent_at or record.ended_at or record.scheduled_at or record.created_at
    message = record.native_message or record.native_status
    if record.outcome == "success":
        message = record.native_message if record.operation == "restore_test" else None
    return Row(
        key=key,
        tool_id=tool.pk,
        job_id=job.pk,
        service_id=job.service_id,
        external_id=record.external_id[:200],
        evidence_kind=record.evidence_kind,
        operation=record.operation,
        level=record.level,
        state=record.state,
        outcome=(record.outcome or "unknown") if record.state == "finished" else None,
        occurred_at=occurred_at,
        started_at=record.started_at,
        ended_at=record.ended_at,
        captured_at=record.consistent_at,
        time_quality=record.time_quality,
        exit_code=record.exit_code,
        bytes_source=record.bytes_source,
        bytes_stored=record.bytes_stored,
        files_total=record.files_total,
        files_failed=record.files_failed,
        rows_total=record.rows_total,
        encrypted=record.encrypted,
        verified={"passed": True, "failed": False}.get(record.verification_state) if record.operation in PROOFS else None,
        artefact_id=record.artefact_id[:200] if record.artefact_id else None,
        message=message.replace("\x00", "\ufffd")[:MESSAGE_LENGTH] if message else None,
        first_seen_at=at,
        changed_at=at,
        source_revision=record.source_revision,
        answer=answer,
        answer_index=index,
    )
