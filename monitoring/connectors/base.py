"""What every connector speaks: raw answers in, canonical records out. No database, no clock, no catalogue."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Literal, Protocol

import msgspec

from monitoring.connectors.capabilities import Declared

EvidenceKind = Literal["run_log", "artefact", "push", "metric", "alert", "manual", "derived"]
Operation = Literal["backup", "copy", "restore", "restore_test", "verify", "prune", "replicate", "log_backup", "other"]
Level = Literal["full", "incremental", "differential", "synthetic", "log", "snapshot", "unknown"]
State = Literal["queued", "running", "finished"]
Outcome = Literal["success", "warning", "partial", "failed", "cancelled", "missed", "skipped", "unknown"]
TimeQuality = Literal["exact", "assumed_zone", "received"]
VerificationState = Literal["none", "passed", "failed", "running", "stale"]
VerificationMethod = Literal["metadata", "checksum", "full_read", "restore_boot", "app_check"]
PROVISIONAL = "provisional"  # as the revision of a report: made before the tool was done, so its own later listing has the last word
Tested = Literal["live", "recorded", "documented"]
TESTED_WORDS: dict[Tested, str] = {
    "live": "Tested live",
    "recorded": "Tested on recorded answers",
    "documented": "Tested on documented payloads",
}


class Record(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=False):
    """One canonical run or artefact. Bytes are integers, durations seconds, instants aware UTC; absent is None, never 0.

    `identity` are the parts of the idempotency key after the tool (reference order per source); `created_at` is the
    tool's immutable creation instant that starts the key: never a start time that the tool may correct later.
    """

    external_id: str
    evidence_kind: EvidenceKind
    job_external_id: str
    identity: tuple[str, ...]
    created_at: dt.datetime
    operation: Operation = "backup"
    level: Level = "unknown"
    job_name: str | None = None
    target_name: str | None = None
    target_type: str | None = None
    repository_name: str | None = None
    parent_external_id: str | None = None
    attempt: int | None = None
    state: State = "finished"
    outcome: Outcome | None = None
    native_status: str | None = None
    native_message: str | None = None
    exit_code: int | None = None
    scheduled_at: dt.datetime | None = None
    started_at: dt.datetime | None = None
    ended_at: dt.datetime | None = None
    time_quality: TimeQuality = "exact"
    duration_s: float | None = None
    bytes_source: int | None = None
    bytes_read: int | None = None
    bytes_transferred: int | None = None
    bytes_stored: int | None = None
    files_total: int | None = None
    files_failed: int | None = None
    rows_total: int | None = None
    warnings_count: int | None = None
    errors_count: int | None = None
    encrypted: bool | None = None
    immutable_until: dt.datetime | None = None
    retention_until: dt.datetime | None = None
    artefact_id: str | None = None
    artefact_gone_at: dt.datetime | None = None
    verification_state: VerificationState = "none"
    verification_method: VerificationMethod | None = None
    verified_at: dt.datetime | None = None
    consistent_at: dt.datetime | None = None
    source_revision: str | None = None


class Reject(msgspec.Struct, kw_only=True):
    """One thing in an answer that could not be read: where, why (a sentence with the remedy), and what it looked like."""

    index: int
    reason: str
    excerpt: str = ""


class Step(msgspec.Struct, kw_only=True):
    """One command that ran, or one HTTP exchange, exactly as it came back (text decoded with replacement, secrets masked).

    Of an exchange, `command` is method and address, `exit_code` the status (None when no answer came, then `stderr` says why in a
    sentence), `stdout` the body, and `headers` the few headers that a reader needs.
    """

    name: str
    command: str | None = None
    exit_code: int | None = None
    started_at: dt.datetime | None = None
    finished_at: dt.datetime | None = None
    stdout: str | None = None
    stderr: str | None = None
    env: dict[str, str] | None = None
    truncated: bool = False
    headers: dict[str, str] | None = None


class Answer(msgspec.Struct, kw_only=True):
    """A raw answer: what is kept, hashed and can be read again years later by the same connector."""

    kind: Literal["poll", "push", "ping", "api"]
    steps: list[Step]
    host: str | None = None
    zone: str = "UTC"
    tool_version: str | None = None
    job_external_id: str | None = None
    meta: dict[str, str] = {}


class Held(msgspec.Struct, kw_only=True):
    """Of the copies that a tool numbers, those that can be restored: first and last of each stretch. Above `until` nothing is told."""

    stretches: list[tuple[int, int]]
    until: int


class Reading(msgspec.Struct, kw_only=True):
    """What a connector read out of one answer.

    `complete` is True only when the tool answered in full, so that what is absent is really absent (a prerequisite of
    calling a run missed). `problems` are sentences about the tool itself (unreachable, wrong password …).
    `job_ids` lists the series seen even when they had no run. `held` tells which copies can still be restored, of a
    tool that says so of all that it ever made.
    """

    records: list[Record] = []
    rejects: list[Reject] = []
    complete: bool = False
    problems: list[str] = []
    cursor: dict[str, Any] = {}
    job_ids: list[str] = []
    held: Held | None = None


class SettingField(msgspec.Struct, kw_only=True, frozen=True):
    """One setting of a tool of this kind, as the form shows it. Secret ones are stored encrypted and never shown again."""

    name: str
    label: str
    help: str
    required: bool = False
    secret: bool = False
    lines: bool = False  # several lines of text
    default: str = ""


class Runner(Protocol):
    """Runs one program with an argument list and returns what happened; never raises for a failing program."""

    def __call__(self, name: str, argv: list[str], *, env: Mapping[str, str], timeout_s: float) -> Step: ...


class Fetch(Protocol):
    """Makes one HTTP request and returns what happened; never raises. `body` that is no bytes is sent as JSON.

    With `listen_s` the answer is a stream without an end: what came in so many seconds, or until it broke off.
    """

    def __call__(
        self, name: str, method: str, url: str, *, headers: Mapping[str, str], body: Any = None, listen_s: float | None = None
    ) -> Step: ...


class Query(Protocol):
    """Asks another product's database once, read-only, and returns the rows as JSON, one a line; never raises."""

    def __call__(self, name: str, statement: str, given: Mapping[str, Any]) -> Step: ...


class Connector(Protocol):
    """One kind of tool. `ask` talks (through the runner passed in); `read` is pure and repeatable.

    One that is asked over HTTP says `over_http = True`, and its `ask` takes `fetch: Fetch` in place of `run`;
    one that reads another product's database says `over_sql = True`, and its `ask` takes `query: Query`.
    """

    kind: str
    label: str
    tested: Tested
    settings_fields: tuple[SettingField, ...]
    capabilities: Mapping[str, Declared]
    polled: bool

    def ask(self, *, settings: Mapping[str, str], secrets: Mapping[str, str], run: Runner, cursor: Mapping[str, Any]) -> Answer:
        """Ask the tool once and return its raw answer, secrets masked."""
        ...

    def read(self, answer: Answer) -> Reading:
        """Turn a raw answer into canonical records. Never raises on bad content: what cannot be read is a Reject."""
        ...
