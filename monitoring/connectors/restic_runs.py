"""One record for each restic call that a wrapper reports: what ran, how it ended, what it saved."""

from __future__ import annotations

import datetime as dt
from typing import Any

from monitoring.connectors import reading, restic_failures
from monitoring.connectors.base import Answer, Operation, Outcome, Record, Reject, Step, VerificationMethod
from monitoring.connectors.command_line import Command
from monitoring.connectors.restic_command import backup_paths, protected, repository, series
from monitoring.connectors.restic_output import Output, read_output

OPERATIONS: dict[str, Operation] = {
    "backup": "backup",
    "check": "verify",
    "restore": "restore",
    "prune": "prune",
    "forget": "prune",
    "copy": "copy",
}
SOME_UNREADABLE = 3  # the exit code of a backup that left files out


def read_run(answer: Answer, step: Step, command: Command, *, index: int) -> Record | Reject:
    """The record of one call, or why there can be none (the sentence names the field that the sender has to add)."""
    output = read_output(step.stdout, step.stderr)
    summary = output.backup or {}
    operation = OPERATIONS[command.verb]
    dry_run = output.dry_run or command.has("--dry-run", "-n")
    started = reading.instant(step.started_at, answer.zone) or reading.instant(summary.get("backup_start"), answer.zone)
    if started is None:
        return Reject(index=index, reason=f"The {command.verb} has no start: send started_at as a date and time with offset, from 1990 on.")
    job = _job(answer, step, command)
    if job is None:
        return Reject(index=index, reason=f"Which job ran is not told: send host and the restic {command.verb} call, or job_external_id.")
    code = _exit_code(step, output)
    outcome, note = _skipped(operation) if dry_run else _outcome(command, step, operation, code, output)
    ended_at = _ended_at(answer, step, summary, started.at)
    told = f"exit {code}" if code is not None else None
    record = Record(
        external_id=f"{operation}@{started.at.isoformat()}",
        evidence_kind="push",
        job_external_id=job,
        identity=(job, started.at.isoformat(), command.verb),
        created_at=started.at,
        operation="other" if dry_run else operation,
        target_name=_host(answer, command),
        target_type="host" if _host(answer, command) else None,
        repository_name=repository(command, step.env) or reading.name(answer.meta.get("repository")),
        outcome=outcome,
        native_status=f"{told}, dry run" if told and dry_run else told,
        native_message=None if outcome == "success" else restic_failures.message(output, note=note),
        exit_code=code,
        started_at=started.at,
        ended_at=ended_at,
        time_quality=started.quality,
        duration_s=reading.span_s(started.at, ended_at) if ended_at else reading.seconds(summary.get("total_duration")),
        warnings_count=len(output.missing_sources) or None,
        errors_count=output.unreadable_count or None,
    )
    if not dry_run:
        _fill(record, answer, command, output)
    return record


def _fill(record: Record, answer: Answer, command: Command, output: Output) -> None:
    match record.operation:
        case "backup":
            _fill_backup(record, answer, command, output)
        case "verify":
            _fill_verification(record, command, output)
        case "restore":
            summary = output.restore or {}
            record.bytes_source = reading.count(summary.get("total_bytes"))
            record.bytes_transferred = reading.count(summary.get("bytes_restored"))
            record.files_failed = output.unreadable_count or None


def _host(answer: Answer, command: Command) -> str | None:
    given = command.value("-H", "--host") if command.verb == "backup" else None
    return reading.name(given or answer.host)


def _job(answer: Answer, step: Step, command: Command) -> str | None:
    if told := reading.name(answer.job_external_id):
        return told
    host = _host(answer, command)
    if command.verb == "backup":
        return series(host, backup_paths(command))
    where = " ".join(part for part in (command.verb, repository(command, step.env)) if part)
    return reading.name(f"{host}:{where}") if host else None


def _exit_code(step: Step, output: Output) -> int | None:
    """The exit code as a shell shows it. restic's own word wins over a 0 that belongs to the end of a pipe."""
    code = step.exit_code
    if code is not None and not -128 <= code < 2**31:
        code = 255
    if code is not None and code < 0:
        return 128 - code
    return output.exit_code if not code and output.exit_code else code


def _skipped(operation: Operation) -> tuple[Outcome, str | None]:
    return "skipped", f"dry run: this {operation} changed nothing and saved nothing"


def _outcome(command: Command, step: Step, operation: Operation, code: int | None, output: Output) -> tuple[Outcome, str | None]:
    if code in (130, 143) or (output.interrupted and code != 0):
        return "cancelled", "interrupted by a signal"
    if code is not None and 128 < code < 193:
        return "failed", f"killed by signal {code - 128}"
    if operation == "backup":
        return _backup_outcome(command, step, code, output)
    if code not in (None, 0) or output.fatal or output.damaged or _num_errors(output):
        return "failed", None
    if code is None and not (output.check or output.restore or "no errors were found" in output.other):
        return "unknown", "neither exit code nor a result was sent"
    return ("warning" if output.unreadable_count else "success"), None


def _backup_outcome(command: Command, step: Step, code: int | None, output: Output) -> tuple[Outcome, str | None]:
    if code not in (None, 0, SOME_UNREADABLE) or output.fatal:
        return "failed", None
    if code == SOME_UNREADABLE or output.some_unreadable:
        return ("partial" if output.missing_sources else "warning"), None
    if output.snapshot_id:
        return ("partial" if output.missing_sources else "success"), None
    if output.snapshot_skipped:
        return "skipped", "nothing had changed, so no snapshot was made"
    if output.backup or output.status_lines or (command.has("--json") and (step.stdout or "").strip()):
        return "unknown", "the output holds no summary that names a snapshot, although the exit code says success"
    if code is None:
        return "unknown", "neither exit code nor a summary was sent"
    if command.has("--skip-if-unchanged"):
        return "unknown", "whether anything had changed, and a snapshot was made, was not sent"
    return ("partial" if output.missing_sources else "success"), None


def _num_errors(output: Output) -> int:
    return reading.count((output.check or {}).get("num_errors")) or 0


def _ended_at(answer: Answer, step: Step, summary: dict[str, Any], started_at: dt.datetime) -> dt.datetime | None:
    told = reading.instant(step.finished_at, answer.zone) or reading.instant(summary.get("backup_end"), answer.zone)
    if told is not None:
        return told.at if reading.span_s(started_at, told.at) is not None else None
    duration_s = reading.seconds(summary.get("total_duration"))
    return started_at + dt.timedelta(seconds=duration_s) if duration_s is not None else None


def _fill_backup(record: Record, answer: Answer, command: Command, output: Output) -> None:
    summary = output.backup or {}
    record.job_name = record.job_external_id
    record.artefact_id = output.snapshot_id
    record.files_failed = output.unreadable_count or None
    record.bytes_read = reading.count(summary.get("total_bytes_processed"))
    record.bytes_stored = reading.count(summary.get("data_added_packed"))
    if (
        not output.some_unreadable and record.exit_code != SOME_UNREADABLE
    ):  # otherwise restic counts only what it could read, and nobody knows what the rest holds
        record.bytes_source = record.bytes_read
        record.files_total = reading.count(summary.get("total_files_processed", output.files_in_text))
    if output.snapshot_id:
        record.external_id = output.snapshot_id
        record.identity = (record.job_external_id, output.snapshot_id)
    if record.outcome in ("success", "warning", "partial"):
        began = reading.instant(summary.get("backup_start"), answer.zone)
        record.consistent_at = began.at if began else record.started_at
        record.encrypted = protected(command)


def _fill_verification(record: Record, command: Command, output: Output) -> None:
    if record.outcome == "success":
        record.verification_state = "passed"
    elif output.damaged or (_num_errors(output) and record.exit_code in (None, 0, 1)):
        record.verification_state = "failed"
    if record.verification_state != "none":
        record.verification_method = _depth(command)
        record.verified_at = record.ended_at or record.started_at
    record.errors_count = _num_errors(output) or record.errors_count


def _depth(command: Command) -> VerificationMethod:
    if command.has("--read-data"):
        return "full_read"
    return "checksum" if command.has("--read-data-subset") else "metadata"
