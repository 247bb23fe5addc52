"""The push connector: what scripts and other systems send to POST /api/v1/runs, whatever kind of tool it is about.

A body holds canonical records, reports of wrappers (a command, its exit code and its output), or CloudEvents around either.
Every element of a body becomes exactly one record or one reject, so that the answer can speak of each of them.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from itsm_backup.common.time import duration_words, iso
from monitoring.connectors import reading
from monitoring.connectors.base import Answer, Reading, Record, Reject, Runner, SettingField, Step
from monitoring.connectors.capabilities import declare, full
from monitoring.connectors.push_bodies import Element, NoJson, TooMany, elements
from monitoring.connectors.push_records import Unreadable, read_record
from monitoring.connectors.redaction import redact

SKEW_S = 300
_keys = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Event(msgspec.Struct, kw_only=True):
    """The envelope of a CloudEvent 1.0. Extension attributes may stand beside it."""

    id: str
    source: str
    specversion: Literal["1.0"]
    type: str
    subject: str | None = None
    time: str | None = None
    data: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)
    data_base64: str | None = None


class Report(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a wrapper around one run of a tool saw."""

    tool: str
    command: str
    exit_code: int | None = None
    stdout: str | None = None
    stderr: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    host: str | None = None
    zone: str | None = None
    tool_version: str | None = None
    job_external_id: str | None = None
    restore_test: Literal["full", "sample"] | None = None
    verified: bool | None = None


class Push:
    """Runs that other systems send. Nothing is asked; what is not sent is found missing by the job's schedule."""

    kind = "push"
    label = "Own scripts and other systems (HTTP API)"
    tested: Literal["live", "recorded", "documented"] = "live"
    polled = False
    settings_fields: tuple[SettingField, ...] = ()
    capabilities = declare(
        read_runs=full("Every run that a script or system sends, with its outcome."),
        read_schedules=full("The time for which a run was scheduled, where the sender tells it."),
        verify_data=full("Restore tests and checks with what they compared."),
        incremental=full("Each record is sent once; a repeat changes nothing."),
        authentication=full("An ingest token that may be bound to the tool."),
        rate_limits=full("Never asked; 5,000 records and 5 MiB a call are taken."),
    )

    def ask(self, *, settings: Mapping[str, str], secrets: Mapping[str, str], run: Runner, cursor: Mapping[str, Any]) -> Answer:
        """Nothing can be asked: the other side sends. Returns an answer without steps."""
        return Answer(kind="api", steps=[])

    def read(self, answer: Answer) -> Reading:
        """One record or reject per element of the body, in its order."""
        result = Reading()
        body = (answer.steps[0].stdout or "") if answer.steps else ""
        event = _binary_event(answer.meta)
        try:
            found = [Element(body.encode("utf-8", errors="replace"))] if event else elements(body, answer.meta.get("content_type", ""))
        except (NoJson, TooMany) as error:
            result.rejects.append(Reject(index=0, reason=str(error), excerpt=reading.excerpt(body[:1000])))
            return result
        for index, element in enumerate(found):
            try:
                result.records.append(_read(element, answer, event))
            except Unreadable as error:
                result.rejects.append(Reject(index=index, reason=str(error), excerpt=_excerpt(element.raw)))
        result.problems = _remarks(result.records, answer)
        return result


def _read(element: Element, answer: Answer, event: Event | None) -> Record:
    if element.fault:
        raise Unreadable(f"This is no JSON: {element.fault}.")
    if event is None and b'"specversion"' in element.raw and "specversion" in _top(element.raw):
        event = _structured_event(element.raw)
        return _read_plain(_data(event), answer, event)
    return _read_plain(element.raw, answer, event)


def _read_plain(raw: bytes, answer: Answer, event: Event | None) -> Record:
    if b'"tool"' in raw and "tool" in _top(raw):
        record = _read_report(raw, answer)
    else:
        record = read_record(raw, _defaults(event) if event else None)
    if event:
        record.identity = (event.source, event.id)
    return record


def _top(raw: bytes) -> dict[str, msgspec.Raw]:
    try:
        return _keys(raw)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return {}


# ---- CloudEvents


def _binary_event(meta: Mapping[str, str]) -> Event | None:
    """The envelope in the headers of a request, when they carry one."""
    attributes = {name.removeprefix("ce-"): value for name, value in meta.items() if name.startswith("ce-")}
    if "specversion" not in attributes and "id" not in attributes:
        return None
    try:
        return msgspec.convert({**attributes, "data": msgspec.Raw()}, Event)
    except msgspec.ValidationError:
        return Event(id="", source="", specversion="1.0", type="")


def _structured_event(raw: bytes) -> Event:
    try:
        return msgspec.json.decode(raw, type=Event)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise Unreadable(f"This is no CloudEvent 1.0: {error}. It needs id, source, specversion 1.0, type and data.") from None


def _data(event: Event) -> bytes:
    if event.data_base64 is not None:
        try:
            return base64.b64decode(event.data_base64, validate=True)
        except (binascii.Error, ValueError):
            raise Unreadable("data_base64 of the CloudEvent is not base64.") from None
    return bytes(event.data)


def _defaults(event: Event) -> dict[str, Any]:
    """What an event says of itself stands in for what its data leaves out."""
    if not (event.id and event.source and event.type):
        raise Unreadable("A CloudEvent needs id, source, specversion 1.0 and type, none of them empty.")
    defaults = {"external_id": event.id[:200], "job_external_id": event.subject, "created_at": event.time}
    return {name: value for name, value in defaults.items() if value}


# ---- reports of wrappers


def _read_report(raw: bytes, answer: Answer) -> Record:
    from monitoring.connectors import CONNECTORS

    try:
        report = msgspec.json.decode(raw, type=Report)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise Unreadable(f"The report of a run does not fit: {error}. It needs tool and command; see the API's documentation.") from None
    connector = CONNECTORS.get(report.tool)
    if connector is None or not connector.polled:
        known = ", ".join(sorted(kind for kind, each in CONNECTORS.items() if each.polled))
        raise Unreadable(f"tool is {reading.excerpt(report.tool)}, whose output cannot be read. Known tools: {known}.")
    found = connector.read(_as_answer(report, answer))
    if found.rejects:
        raise Unreadable(found.rejects[0].reason)
    if len(found.records) != 1:
        raise Unreadable(f"{reading.excerpt(report.command)} is not one run: report commands that back up, check or restore.")
    record = found.records[0]
    _as_restore_test(record, report)
    return record


def _as_restore_test(record: Record, report: Report) -> None:
    """A restore is a test only when the wrapper says so, of everything or of a sample, and whether what came back was compared."""
    if report.restore_test is None:
        return
    if record.operation != "restore":
        raise Unreadable(f"{reading.excerpt(report.command)} restores nothing, so it is no restore test: leave restore_test out.")
    record.operation, record.level = "restore_test", "full" if report.restore_test == "full" else "unknown"
    if report.verified is not None:
        record.verification_state = "passed" if report.verified else "failed"


def _as_answer(report: Report, answer: Answer) -> Answer:
    step = Step(
        name="",
        command=redact(report.command),
        exit_code=report.exit_code,
        started_at=_told("started_at", report.started_at, report.zone),
        finished_at=_told("finished_at", report.finished_at, report.zone),
        stdout=report.stdout,
        stderr=redact(report.stderr or ""),
    )
    return Answer(
        kind="push",
        steps=[step],
        host=report.host or answer.host,
        zone=report.zone or "UTC",
        tool_version=report.tool_version,
        job_external_id=report.job_external_id or answer.job_external_id,
    )


def _told(name: str, text: str | None, zone: str | None) -> dt.datetime | None:
    if text is None:
        return None
    told = reading.instant(text, zone or "UTC")
    if told is None:
        raise Unreadable(f"{name} is no date and time: {reading.excerpt(text)}. Write it like 2026-07-14T01:30:00Z.")
    if told.quality != "exact" and zone is None:
        raise Unreadable(f"{name} has no zone: {reading.excerpt(text)}. Add Z or an offset, like 2026-07-14T01:30:00Z, or send zone.")
    return told.at


# ---- what the sender should know of good records


def _remarks(records: list[Record], answer: Answer) -> list[str]:
    remarks = []
    received = reading.instant(answer.meta.get("received_at"))
    if received is not None:
        latest = max((instant for record in records for instant in (record.started_at, record.ended_at) if instant), default=received.at)
        ahead_s = (latest - received.at).total_seconds()
        if ahead_s > SKEW_S:
            remarks.append(
                f"A run is dated {duration_words(ahead_s)} ahead of our clock ({iso(latest)}). It is kept as sent, and what it saved"
                " counts from that time on. Check the sender's clock."
            )
    good = [record for record in records if record.operation == "backup" and record.outcome in ("success", "warning")]
    pointless = sum(record.consistent_at is None for record in good)
    if pointless:
        remarks.append(
            f"{pointless} good backup(s) told neither started_at nor consistent_at: they count as successful, but not as something to"
            " restore from."
        )
    return remarks


def _excerpt(raw: bytes) -> str:
    return reading.excerpt(raw[:1000].decode("utf-8", errors="replace"))
