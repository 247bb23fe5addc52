"""One canonical record as a script or another system sends it: checked field by field, refused in words."""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Mapping
from typing import Annotated, Any, get_args

import msgspec
from msgspec import Meta

from monitoring.connectors import base, reading
from monitoring.connectors.base import EvidenceKind, Record

Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Small = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Code = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Seconds = Annotated[float, Meta(ge=0, le=reading.LONGEST_RUN_S)]
Text80 = Annotated[str, Meta(min_length=1, max_length=80)]
Text200 = Annotated[str, Meta(min_length=1, max_length=200)]
Text300 = Annotated[str, Meta(min_length=1, max_length=300)]
Text500 = Annotated[str, Meta(min_length=1, max_length=500)]
Instant = Annotated[dt.datetime, Meta(tz=True)]
_NOT_TOLD = dt.datetime.min.replace(tzinfo=dt.UTC)

INSTANTS = (
    "scheduled_at",
    "started_at",
    "ended_at",
    "consistent_at",
    "verified_at",
    "immutable_until",
    "retention_until",
    "artefact_gone_at",
    "created_at",
)
# What this product computes itself. A record that was read from here may be sent back, so they are not an error.
COMPUTED = ("source_id", "idempotency_key", "first_seen_at", "last_seen_at", "raw")
# Words of other vocabularies that mean exactly one of ours.
SYNONYMS = {"outcome": {"failure": "failed"}, "state": {"scheduled": "queued", "paused": "running"}}
WORDS: dict[str, tuple[str, ...]] = {
    "outcome": get_args(base.Outcome),
    "state": get_args(base.State),
    "operation": get_args(base.Operation),
    "level": get_args(base.Level),
    "evidence_kind": get_args(base.EvidenceKind),
    "time_quality": get_args(base.TimeQuality),
    "verification_state": get_args(base.VerificationState),
    "verification_method": get_args(base.VerificationMethod),
}


class Sent(Record, kw_only=True, forbid_unknown_fields=True):
    """A canonical record with what a sender may leave out, and with the limits of what can be stored."""

    external_id: Text200
    job_external_id: Text500
    evidence_kind: EvidenceKind = "push"
    identity: tuple[Text500, ...] = ()
    created_at: Instant = _NOT_TOLD
    job_name: Text200 | None = None
    target_name: Text200 | None = None
    repository_name: Text300 | None = None
    parent_external_id: Text200 | None = None
    attempt: Small | None = None
    exit_code: Code | None = None
    scheduled_at: Instant | None = None
    started_at: Instant | None = None
    ended_at: Instant | None = None
    duration_s: Seconds | None = None
    bytes_source: Count | None = None
    bytes_read: Count | None = None
    bytes_transferred: Count | None = None
    bytes_stored: Count | None = None
    files_total: Count | None = None
    files_failed: Count | None = None
    rows_total: Count | None = None
    warnings_count: Count | None = None
    errors_count: Count | None = None
    immutable_until: Instant | None = None
    retention_until: Instant | None = None
    artefact_id: Text200 | None = None
    artefact_gone_at: Instant | None = None
    verified_at: Instant | None = None
    consistent_at: Instant | None = None
    source_revision: Text80 | None = None


class Unreadable(ValueError):
    """The record cannot be taken; the message says which field is wrong and what it should be."""


_decode = msgspec.json.Decoder(Sent).decode
_loose = msgspec.json.Decoder().decode


def read_record(raw: bytes, defaults: Mapping[str, Any] | None = None) -> Record:
    """The record in these bytes; `defaults` fill what it leaves out. Raises Unreadable."""
    record = _slowly(raw, defaults) if defaults else _quickly(raw)
    if b"\\u0000" in raw:
        _without_nul(record)
    if record.native_message and len(record.native_message) > reading.MAX_MESSAGE_BYTES // 4:
        record.native_message = reading.plain(record.native_message)
    _check_instants(record)
    _check_state(record)
    return record


def _quickly(raw: bytes) -> Sent:
    try:
        return _decode(raw)
    except (msgspec.MsgspecError, RecursionError, OverflowError, ValueError):
        return _slowly(raw, {})


def _slowly(raw: bytes, defaults: Mapping[str, Any]) -> Sent:
    """Take what only looks wrong (synonyms, computed fields), and name everything that is wrong."""
    try:
        values = _loose(raw)
    except RecursionError:
        raise Unreadable("It is nested too deeply.") from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise Unreadable(f"A value cannot be read: {error}.") from None
    if not isinstance(values, dict):
        raise Unreadable("A record must be a JSON object with external_id, job_external_id and outcome.")
    values = {**defaults, **{name: value for name, value in values.items() if name not in COMPUTED}}
    for name, meant in SYNONYMS.items():
        if isinstance(word := values.get(name), str):
            values[name] = meant.get(word, word)
    wrong: list[str] = []
    while True:
        try:
            record = msgspec.convert(values, Sent)
        except (msgspec.ValidationError, OverflowError) as error:
            name, sentence = _explained(str(error), values)
            wrong.append(sentence)
            if name not in values or len(wrong) == 5:
                raise Unreadable(" ".join(wrong)) from None
            del values[name]
        else:
            if wrong:
                raise Unreadable(" ".join(wrong))
            return record


_FIELD = re.compile(r"\$\.(\w+)|field `([^`]*)`")


def _explained(error: str, values: dict[str, Any]) -> tuple[str, str]:
    """The field that an error is about, and the error in words."""
    match = _FIELD.search(error)
    name = next(filter(None, match.groups()), "") if match else ""
    if "missing required field" in error:
        return "", f"{name} is missing."
    if "unknown field" in error:
        near = difflib.get_close_matches(name[:80], Record.__struct_fields__, n=1)
        return name, f"{reading.excerpt(name)} is no field of a record{f' (did you mean {near[0]}?)' if near else ''}."
    got = reading.excerpt(values.get(name))
    if name in WORDS:
        return name, f"{name} must be one of {', '.join(WORDS[name])}, not {got}."
    if name in INSTANTS:
        if "timezone" in error:
            return name, f"{name} has no zone: {got}. Add Z or an offset, like 2026-07-14T01:30:00Z."
        return name, f"{name} is no date and time: {got}. Write it like 2026-07-14T01:30:00Z."
    held = values.get(name)
    if held == "":
        return name, f"{name} is empty."
    if isinstance(held, str) and "of length <=" in error:
        return name, f"{name} has {len(held):,} characters, which is more than fit."
    return name, f"{name} does not fit: {error.partition(' - at')[0].replace('`', '')}, not {got}."


def _without_nul(record: Record) -> None:
    """PostgreSQL stores no NUL characters: free text loses them, a name with one is refused."""
    for name in record.__struct_fields__:
        value = getattr(record, name)
        held = value if isinstance(value, str) else "".join(value) if isinstance(value, tuple) else ""
        if "\x00" not in held:
            continue
        if name not in ("native_message", "native_status"):
            raise Unreadable(f"{name} contains a NUL character, which no name can.")
        setattr(record, name, held.replace("\x00", "\ufffd"))


def _check_instants(record: Record) -> None:
    for name in INSTANTS:
        value = getattr(record, name)
        if value is None or value is _NOT_TOLD or (value.tzinfo is dt.UTC and reading.EARLIEST <= value < reading.LATEST):
            continue
        told = reading.instant(value)
        if told is None:
            raise Unreadable(f"{name} is {value.isoformat()}, which no backup of ours can be. Leave it out when it is not known.")
        if value.tzinfo is not dt.UTC:
            setattr(record, name, told.at)
    if record.started_at and record.ended_at and record.ended_at < record.started_at:
        raise Unreadable("ended_at is before started_at.")
    if record.created_at is _NOT_TOLD:
        first = record.started_at or record.ended_at or record.consistent_at or record.scheduled_at
        if first is None:
            raise Unreadable("No time at all: send started_at, ended_at, consistent_at or scheduled_at.")
        record.created_at = first
    if not record.identity:
        record.identity = (record.job_external_id, record.external_id)


def _check_state(record: Record) -> None:
    if record.state == "finished" and record.outcome is None:
        raise Unreadable(f"outcome is missing: a finished run needs one of {', '.join(WORDS['outcome'])}.")
    if record.state != "finished" and record.outcome is not None:
        raise Unreadable(f"A run that is {record.state} has no outcome yet: leave outcome out, or say state finished.")
    if record.consistent_at is None and record.operation in ("backup", "log_backup") and record.outcome in ("success", "warning"):
        record.consistent_at = record.started_at
