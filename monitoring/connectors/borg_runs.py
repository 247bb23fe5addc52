"""One record for each borg call that a wrapper reports: what ran, how it ended, what it saved."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from monitoring.connectors import borg_archives, borg_command, borg_log, reading
from monitoring.connectors.base import Answer, Operation, Outcome, Record, Reject, Step, VerificationMethod
from monitoring.connectors.borg_log import BorgLog
from monitoring.connectors.borg_output import made_in, read_borg_output
from monitoring.connectors.command_line import Command

OPERATIONS: dict[str, Operation] = {
    "create": "backup",
    "check": "verify",
    "extract": "restore",
    "prune": "prune",
    "delete": "prune",
    "compact": "prune",
}
WARNING_CODES = frozenset((1, *range(100, 128)))
# The shell and timeout(1) end with these when borg was killed or never ran; borg keeps them for warnings that do not exist yet.
_SHELL_CODES = frozenset((124, 125, 126, 127))
_CANCELLED_CODES = frozenset((3, 129, 130, 143))
_DAMAGE_CODES = frozenset(range(90, 100))
_COUNTS_SOURCES = re.compile(r"1\.(?:[4-9]|\d\d)(?:\D|$)|[2-9](?:\.|$)")


def read_run(answer: Answer, step: Step, command: Command, *, index: int) -> Record | Reject:
    """The record of one call, or why there can be none (the sentence names the field that the sender has to add)."""
    operation = operation_of(command)
    dry_run = borg_command.dry_run(command) and operation != "verify"
    archive, entry, rest = _made(step) if command.verb == "create" else ({}, {}, step.stdout)
    started = reading.instant(step.started_at, answer.zone) or reading.instant(archive.get("start"), answer.zone)
    if started is None:
        return Reject(index=index, reason=f"The {command.verb} has no start: send started_at as a date and time with offset, from 1990 on.")
    job = _job(answer, step, command, archive)
    if job is None:
        return Reject(index=index, reason=f"Which job ran is not told: send host and the borg {command.verb} call, or job_external_id.")
    log = borg_log.read_log(rest, step.stderr, sources=borg_command.sources(command))
    code = exit_code(step)
    outcome, note = ("skipped", f"dry run: this {operation} changed nothing") if dry_run else _outcome(command, step, code, log)
    ended_at = _ended_at(answer, step, archive, started.at)
    host = reading.name(answer.host)
    told = f"exit {code}" if code is not None else None
    record = Record(
        external_id=f"{operation}@{started.at.isoformat()}",
        evidence_kind="push",
        job_external_id=job,
        identity=(job, started.at.isoformat(), command.verb),
        created_at=started.at,
        operation="other" if dry_run else operation,
        target_name=host,
        target_type="host" if host else None,
        repository_name=borg_archives.repository_name(entry) or borg_command.repository(command, step.env),
        outcome=outcome,
        native_status=f"{told}, dry run" if told and dry_run else told,
        native_message=None if outcome == "success" else borg_log.message(log, note=note),
        exit_code=code,
        started_at=started.at,
        ended_at=ended_at,
        time_quality=started.quality,
        duration_s=reading.span_s(started.at, ended_at) if ended_at else reading.seconds(archive.get("duration")),
        warnings_count=len(log.warnings) or None,
        errors_count=len(log.errors) or None,
    )
    if record.operation == "backup":
        _fill_backup(record, answer, step, log)
    elif record.operation == "verify":
        _fill_verification(record, command, log)
    return record


def operation_of(command: Command) -> Operation:
    """What a call is for. `extract --dry-run` reads, decrypts and checks every chunk and writes nothing: a verification."""
    if command.verb == "extract" and borg_command.dry_run(command):
        return "verify"
    return OPERATIONS[command.verb]


def _made(step: Step) -> tuple[dict[str, Any], dict[str, Any], str]:
    """The archive in the output of `create --json`, empty when there is none, what is said with it, and the text around both."""
    entries, rest = made_in(step.stdout or "")
    return (entries[0]["archive"], entries[0], rest) if len(entries) == 1 else ({}, {}, rest)


def _job(answer: Answer, step: Step, command: Command, archive: dict[str, Any]) -> str | None:
    if told := reading.name(answer.job_external_id):
        return told
    host = reading.name(answer.host)
    if host is None:
        return None
    if command.verb == "create":
        name = archive.get("name") if isinstance(archive.get("name"), str) else borg_command.archive(command)
        return borg_command.series(host, str(name or ""))
    where = " ".join(part for part in (command.verb, borg_command.repository(command, step.env)) if part)
    return reading.name(f"{host}:{where}")


def exit_code(step: Step) -> int | None:
    """The exit code as a shell shows it: 128 and the number of the signal that ended the program."""
    code = step.exit_code
    if code is not None and not -128 <= code < 2**31:
        return 255
    return 128 - code if code is not None and code < 0 else code


def by_signal(code: int | None, log: BorgLog) -> tuple[Outcome, str] | None:
    """What a signal made of a call, if one did."""
    if code in _CANCELLED_CODES or (log.interrupted and code != 0):
        return "cancelled", "interrupted by a signal"
    if code is not None and 128 < code < 193:
        return "failed", f"killed by signal {code - 128}"
    return None


def _outcome(command: Command, step: Step, code: int | None, log: BorgLog) -> tuple[Outcome, str | None]:
    if ended := by_signal(code, log):
        return ended
    if command.verb == "create":
        return _backup_outcome(command, step, code, log)
    if operation_of(command) == "verify" and (code == 1 or log.damaged):
        return "failed", None
    if code is None:
        return ("success", None) if log.intact else ("unknown", "neither exit code nor a result was sent")
    if code in WARNING_CODES - _SHELL_CODES:
        return ("failed" if command.verb == "check" else "warning"), None
    return ("failed" if code else "success"), None


def _backup_outcome(command: Command, step: Step, code: int | None, log: BorgLog) -> tuple[Outcome, str | None]:
    output = read_borg_output(step.stdout or "")
    made = bool(output.archive_ids)
    if code not in (None, 0) and (code not in WARNING_CODES or (code in _SHELL_CODES and not made)):
        return "failed", None
    sources = set(borg_command.sources(command))
    if output.empty or (sources and sources == set(log.missing_sources)):
        return "failed", borg_archives.EMPTY  # borg makes an archive all the same
    if log.missing_sources:
        return "partial", None
    if code is None and not made:
        return "unknown", "neither exit code nor the JSON of an archive was sent"
    return ("warning" if code or log.files_failed or log.files_changed else "success"), None


def _ended_at(answer: Answer, step: Step, archive: dict[str, Any], started_at: dt.datetime) -> dt.datetime | None:
    told = reading.instant(step.finished_at, answer.zone)
    if told is None and step.started_at is None:  # the archive's own end, set by hand like its start where --timestamp was given
        told = reading.instant(archive.get("end"), answer.zone)
    return told.at if told and reading.span_s(started_at, told.at) is not None else None


def _fill_backup(record: Record, answer: Answer, step: Step, log: BorgLog) -> None:
    output = read_borg_output(step.stdout or "")
    record.job_name = record.job_external_id
    record.files_failed = log.files_failed or None
    record.bytes_stored = output.bytes_stored
    if len(output.archive_ids) == 1:
        record.artefact_id = record.external_id = output.archive_ids[0]
        record.identity = (record.job_external_id, output.archive_ids[0])
    if record.outcome in ("success", "warning", "partial"):
        record.consistent_at = record.started_at
        record.encrypted = output.encrypted
    unheard = record.exit_code in WARNING_CODES and not log.warnings  # of what, was not captured
    if not (log.files_failed or log.missing_sources or output.empty or unheard):  # otherwise nobody knows what the rest holds
        record.files_total = output.files_total
        # before 1.4 original_size counts the archive's own metadata, too
        record.bytes_source = output.bytes_source if _COUNTS_SOURCES.match(answer.tool_version or "") else None


def _fill_verification(record: Record, command: Command, log: BorgLog) -> None:
    if record.outcome == "success":
        record.verification_state = "passed"
    elif log.damaged or record.exit_code in _DAMAGE_CODES or (record.exit_code == 1 and command.verb == "check"):
        record.verification_state = "failed"
    if record.verification_state != "none":
        record.verification_method = _depth(command)
        record.verified_at = record.ended_at or record.started_at


def _depth(command: Command) -> VerificationMethod:
    """A check reads every segment and its checksums; the archives alone are metadata; --verify-data decrypts everything."""
    if command.verb == "extract" or command.has("--verify-data"):
        return "full_read"
    return "metadata" if command.has("--archives-only") else "checksum"
