"""One record for each borgmatic call that a wrapper reports. borgmatic's own exit code hides what borg said: its log is read too."""

from __future__ import annotations

import re
from typing import Any

from monitoring.connectors import borg_archives, borg_command, borg_log, borg_runs, reading
from monitoring.connectors.base import Answer, Operation, Outcome, Record, Reject, Step
from monitoring.connectors.borg_log import BorgLog
from monitoring.connectors.borg_output import BorgOutput, made_in, read_borg_output
from monitoring.connectors.borgmatic_command import FailedCall, action, failed_calls
from monitoring.connectors.borgmatic_log import OWN, essence, message
from monitoring.connectors.command_line import Command

DEFAULT_NAME = "{hostname}-{now}"
_MADE = re.compile(r"(?:Creating archive at \"[^\"\n]{0,2000}?::|^Archive name: )([^\"\n]{1,500})", re.MULTILINE)
_KEEPS_CONFIG = (1, 7, 15)
_WARNED = re.compile(r"Treating exit code (\d{1,3}) as a warning|terminating with warning status")
_SOFT_FAILURE = re.compile(r"soft failure exit code")
_NOT_DUE = re.compile(r"Skipping \w{1,20} check due to")


def read_run(answer: Answer, step: Step, command: Command, *, index: int) -> Record | Reject:
    """The record of one call, or why there can be none (the sentence names the field that the sender has to add)."""
    verb, operation = action(command) or (command.verb, "other")
    dry_run = command.has("--dry-run", "-n")
    text = f"{step.stderr or ''}\n{step.stdout or ''}"
    entries, rest = made_in(step.stdout or "") if verb == "create" else ([], step.stdout)
    started = reading.instant(step.started_at, answer.zone) or _first_start(entries, answer.zone)
    if started is None:
        return Reject(index=index, reason=f"The {verb} has no start: send started_at as a date and time with offset, from 1990 on.")
    calls = failed_calls(text)
    job = _job(answer, command, verb, text, entries, calls)
    if job is None:
        return Reject(index=index, reason="Which job ran is not told: send host and the borgmatic call, or job_external_id.")
    telling = [essence(rest), essence(step.stderr)]
    log = borg_log.read_log(*telling, sources=_sources(calls))
    output = read_borg_output((step.stdout if entries else text) or "") if verb == "create" else BorgOutput()
    code = borg_runs.exit_code(step)
    outcome, note = ("skipped", f"dry run: this {verb} changed nothing") if dry_run else _outcome(operation, code, log, output, calls, text)
    ended = reading.instant(step.finished_at, answer.zone)
    ended_at = ended.at if ended and ended.at >= started.at else None
    host = reading.name(answer.host)
    record = Record(
        external_id=f"{operation}@{started.at.isoformat()}",
        evidence_kind="push",
        job_external_id=job,
        identity=(job, started.at.isoformat(), verb),
        created_at=started.at,
        operation="other" if dry_run else operation,
        target_name=host,
        target_type="host" if host else None,
        repository_name=", ".join(filter(None, map(borg_archives.repository_name, entries))) or None,
        outcome=outcome,
        native_status=f"exit {code}{', dry run' if dry_run else ''}" if code is not None else None,
        native_message=None if outcome == "success" else message(log, "\n".join(filter(None, telling)), text, note=note),
        exit_code=code,
        started_at=started.at,
        ended_at=ended_at,
        time_quality=started.quality,
        duration_s=reading.span_s(started.at, ended_at) if ended_at else output.duration_s,
        warnings_count=len(log.warnings) or None,
    )
    if record.operation == "backup":
        _fill_backup(record, answer, entries, output, log)
    elif record.operation == "verify":
        _fill_verification(record, command, log)
    return record


def _first_start(entries: list[dict[str, Any]], zone: str) -> reading.Told | None:
    told = [start for each in entries if (start := reading.instant(each["archive"].get("start"), zone))]
    return min(told, key=lambda start: start.at) if told else None


def _job(answer: Answer, command: Command, verb: str, text: str, entries: list[dict[str, Any]], calls: list[FailedCall]) -> str | None:
    if told := reading.name(answer.job_external_id):
        return told
    host = reading.name(answer.host)
    if host is None:
        return None
    if verb != "create":
        return reading.name(f"{host}:{' '.join(filter(None, (verb, command.value('-c', '--config'))))}")
    names = [name for each in entries if isinstance(name := each["archive"].get("name"), str)]
    names += _MADE.findall(text)[:1]
    names += [borg_command.archive(call.borg) for call in calls if call.borg and call.borg.verb == "create"]
    return borg_command.series(host, next(filter(None, names), DEFAULT_NAME))


def _sources(calls: list[FailedCall]) -> set[str]:
    return {path for call in calls if call.borg and call.borg.verb == "create" for path in borg_command.sources(call.borg)}


def _outcome(
    operation: Operation, code: int | None, log: BorgLog, output: BorgOutput, calls: list[FailedCall], text: str
) -> tuple[Outcome, str | None]:
    if ended := borg_runs.by_signal(code, log):
        return ended
    if operation == "verify" and log.damaged:
        return "failed", None
    if operation == "backup" and output.empty:
        return "failed", borg_archives.EMPTY
    if code:
        return _despite_failure(operation, log, calls)
    if _SOFT_FAILURE.search(text) and not output.archive_ids:
        return "skipped", "a hook of borgmatic ended with its code for a soft failure, so nothing was done"
    if operation == "verify" and _NOT_DUE.search(text) and not log.intact:
        return "skipped", "no check was due, so nothing was checked"
    if code is None and not output.archive_ids and "Successfully ran configuration file" not in text:
        return "unknown", "neither exit code nor a result was sent"
    if log.missing_sources:
        return "partial", None
    own_only = OWN.search(text) and "[Errno " in text and not (log.files_failed or log.files_changed)
    warned = log.files_failed or log.files_changed or (_WARNED.search(text) and not own_only)
    return ("warning" if warned else "success"), None


def _despite_failure(operation: Operation, log: BorgLog, calls: list[FailedCall]) -> tuple[Outcome, str | None]:
    """borgmatic counts some warnings of borg as errors (all of them while it captures JSON): the archive is there all the same."""
    warned = [call for call in calls if call.borg and call.borg.verb == "create" and call.exit_code in borg_runs.WARNING_CODES]
    if operation != "backup" or not warned or len(warned) != len(calls):
        return "failed", None
    left = [path for path in _sources(warned) - set(log.missing_sources) if not path.endswith("/.borgmatic")]
    if log.missing_sources and not left:
        return "failed", borg_archives.EMPTY
    return ("partial" if log.missing_sources else "warning"), None


def _fill_backup(record: Record, answer: Answer, entries: list[dict[str, Any]], output: BorgOutput, log: BorgLog) -> None:
    record.job_name = record.job_external_id
    record.files_failed = log.files_failed or None
    record.bytes_stored = output.bytes_stored
    if len(output.archive_ids) == 1:
        record.artefact_id = record.external_id = output.archive_ids[0]
        record.identity = (record.job_external_id, output.archive_ids[0])
    if record.outcome not in ("success", "warning", "partial"):
        return
    record.consistent_at = record.started_at
    record.encrypted = output.encrypted
    # The size in `create` counts borgmatic's own files, and before borg 1.4 metadata: only a poll tells the source's
    if not (log.files_failed or log.missing_sources or _counts_own_files(answer.tool_version, entries)):
        record.files_total = output.files_total


def _counts_own_files(version: str | None, entries: list[dict[str, Any]]) -> bool:
    """Whether borgmatic put files of its own into the archive, as it does since 1.7.15 unless it is told not to."""
    commands = [each["archive"].get("command_line") for each in entries]
    if any(
        "--patterns-from" in told or any("borgmatic/bootstrap" in str(word) for word in told) for told in commands if isinstance(told, list)
    ):
        return True
    parts = tuple(int(part) for part in re.findall(r"\d{1,6}", version or "")[:3])
    return parts >= _KEEPS_CONFIG if parts else not entries


def _fill_verification(record: Record, command: Command, log: BorgLog) -> None:
    if record.outcome == "success":
        record.verification_state = "passed"
    elif log.damaged:
        record.verification_state = "failed"
    if record.verification_state != "none":
        only = command.value("--only")
        record.verification_method = "full_read" if only in ("data", "extract") else "metadata" if only == "archives" else "checksum"
        record.verified_at = record.ended_at or record.started_at
