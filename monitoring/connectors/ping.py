"""The ping connector: what scripts and borgmatic's hook tell by the Healthchecks protocol (paths: `ping_paths`)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Literal

from monitoring.connectors import reading
from monitoring.connectors.base import Answer, Outcome, Reading, Record, Reject, Runner, SettingField
from monitoring.connectors.capabilities import declare, full, none, part
from monitoring.connectors.ping_bodies import Proof, read_body

# Exit codes that are neither success nor failure, by the program whose code the ping carries.
PROFILES: dict[str, dict[int, Outcome]] = {
    "default": {},
    "restic": {3: "warning", 130: "cancelled", 143: "cancelled"},
    "borg": {1: "warning", **dict.fromkeys(range(100, 128), "warning"), 3: "cancelled", 130: "cancelled", 143: "cancelled"},
}
# From best to worst; a body can move a ping only to the right. A run that made no backup is no success either.
_ORDER: tuple[Outcome, ...] = ("success", "skipped", "warning", "partial", "cancelled", "failed")


class Ping:
    """Runs that tell of themselves. Silence is a finding too: the expected schedule of the job notices it.

    The door gives each ping as an answer of kind `ping`: the body as standard output of its only step, the job as
    `job_external_id`, and in `meta`:

    suffix       "" or "0" success, "start", "fail", "log", or an exit code from 1 to 255
    received_at  when the ping came in (RFC 3339)
    created_at   when the run it belongs to was first heard of: the receipt of its start, else its own (RFC 3339)
    started_at   the receipt of the start this ping ends, if there was one (RFC 3339)
    rid          the run id, if the sender gave one; without it:
    sequence     the number of the start that is still open, else the number of this ping itself
    profile      how exit codes are meant: default, restic or borg
    user_agent   who sent it
    """

    kind = "ping"
    label = "Ping (Healthchecks protocol)"
    tested: Literal["live", "recorded", "documented"] = "live"
    polled = False
    settings_fields: tuple[SettingField, ...] = (
        SettingField(
            name="profile",
            label="Meaning of exit codes",
            help="default: any code but 0 is a failure; restic: 3 is a warning; borg: 1 and 100 to 127 are warnings.",
            default="default",
        ),
        SettingField(
            name="create_jobs",
            label="New jobs by ping",
            help="yes: a ping with ?create=1 makes the job of a slug that is not known yet; no: it is refused.",
            default="yes",
        ),
    )
    capabilities = declare(
        read_runs=full("Every start, end and failure that a script tells."),
        read_schedules=none("A script tells when it runs, not when it was due."),
        verify_data=none("A ping tells an outcome and nothing of copies."),
        incremental=full("Each ping is one event."),
        authentication=part("The address is the secret."),
        rate_limits=full("Never asked; 300 pings a minute of one job are taken."),
    )

    def ask(self, *, settings: Mapping[str, str], secrets: Mapping[str, str], run: Runner, cursor: Mapping[str, Any]) -> Answer:
        """Nothing can be asked: jobs ping when they run. Returns an answer without steps."""
        return Answer(kind="ping", steps=[])

    def read(self, answer: Answer) -> Reading:
        """The record of one ping. A start gives a running run, an end gives the same run finished, a log gives nothing."""
        if not answer.steps and not answer.meta:
            return Reading()
        found = _read_ping(answer)
        if isinstance(found, Reject):
            return Reading(rejects=[found])
        job = reading.name(answer.job_external_id)
        return Reading(records=[found] if found else [], job_ids=[job] if job else [])


def _read_ping(answer: Answer) -> Record | Reject | None:
    meta = answer.meta
    job, received = reading.name(answer.job_external_id), reading.instant(meta.get("received_at"))
    run_id = reading.name(meta.get("rid")) or reading.name(meta.get("sequence"))
    if job is None or received is None or run_id is None:
        return Reject(index=0, reason="A ping needs its job, received_at, and rid or sequence, as the door that received it gives them.")
    suffix = meta.get("suffix", "")
    if suffix == "log":
        return None
    exit_code = 0 if suffix == "" else int(suffix) if suffix.isascii() and suffix.isdigit() and len(suffix) <= 3 else None
    if suffix not in ("start", "fail") and (exit_code is None or exit_code > 255):
        reason = f"The address ends in {reading.excerpt(suffix)!r}: use nothing, start, fail, log or an exit code from 0 to 255."
        return Reject(index=0, reason=reason)
    created = reading.instant(meta.get("created_at")) or received
    record = Record(
        external_id=run_id,
        evidence_kind="push",
        job_external_id=job,
        identity=(job, run_id),
        created_at=created.at,
        target_name=reading.name(answer.host),
        native_status=suffix or "success",
        time_quality="received",
    )
    if suffix == "start":
        record.state, record.started_at = "running", received.at
    else:
        body = read_body(answer.steps[0].stdout if answer.steps else None)
        _finish(record, body, exit_code if suffix else None, received.at, meta)
    return record


def _finish(record: Record, body: Proof, exit_code: int | None, received_at: dt.datetime, meta: Mapping[str, str]) -> None:
    own_word: Outcome = "failed" if record.native_status == "fail" else _by_code(exit_code, meta.get("profile", "default"))
    record.outcome = own_word if body.outcome is None else max(own_word, body.outcome, key=_ORDER.index)
    if body.dry_run and own_word == "success":
        record.operation, record.outcome = "other", "skipped"
    record.exit_code, record.ended_at = exit_code, received_at
    started = reading.instant(meta.get("started_at"))
    record.started_at = started.at if started and started.at <= received_at else None
    record.duration_s = reading.span_s(record.started_at, received_at) if record.started_at else body.duration_s
    record.bytes_source, record.bytes_read, record.bytes_stored = body.bytes_source, body.bytes_read, body.bytes_stored
    record.files_total, record.files_failed, record.warnings_count = body.files_total, body.files_failed, body.warnings_count
    record.encrypted, record.artefact_id = body.encrypted, body.artefact_id
    if record.outcome != "success":
        record.native_message = body.message
    if record.outcome in ("success", "warning", "partial"):
        record.consistent_at = record.started_at or received_at - dt.timedelta(seconds=body.duration_s or 0)


def _by_code(exit_code: int | None, profile: str) -> Outcome:
    if not exit_code:
        return "success"
    return PROFILES.get(profile, PROFILES["default"]).get(exit_code, "failed")
