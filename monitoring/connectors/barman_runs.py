"""Records for each Barman call that a wrapper reports: one for a backup or restore of a server, one for each server that was checked."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import msgspec

from monitoring.connectors import reading
from monitoring.connectors.barman_listing import MESSAGE_KEYS, artefact_id, begun_at, document, said
from monitoring.connectors.base import PROVISIONAL, Answer, Operation, Outcome, Record, Reject, Step, TimeQuality
from monitoring.connectors.borg_runs import exit_code
from monitoring.connectors.command_line import Command, Grammar, find
from monitoring.connectors.redaction import redact

OPERATIONS: dict[str, Operation] = {
    "backup": "backup",
    "check": "verify",
    "check-backup": "verify",
    "verify-backup": "verify",
    "verify": "verify",
    "recover": "restore",
    "restore": "restore",
    "delete": "prune",
}
LISTINGS = frozenset(("list-backup", "list-backups", "show-backup", "show-backups"))
_OTHER = (
    "archive-wal config-switch config-update cron diagnose generate-manifest get-wal keep list-files list-process list-processes "
    "list-server list-servers lock-directory-cleanup put-wal rebuild-xlogdb receive-wal replication-status show-server show-servers "
    "status switch-wal switch-xlog sync-backup sync-info sync-wals terminate-process"
)
_WITH_VALUE = (
    "-c --config --color -f --format --log-level --name -n -j --jobs --retry-times --retry-sleep --target-time --target-xid --target-lsn "
    "--target-name --target-tli --target-action --tablespace --remote-ssh-command --bwlimit --staging-path --wait-timeout --reuse-backup "
    "--incremental"
)
BARMAN = Grammar(program=r"barman", verbs=frozenset((*_OTHER.split(), *OPERATIONS, *LISTINGS)), with_value=frozenset(_WITH_VALUE.split()))
_STEP_NAME = re.compile(r"^(backup|check-backup|verify-backup|check|recover|restore|delete|list-backup|show-backup)")
_STARTING = re.compile(r"^Starting backup using \S{1,100} method for server (\S{1,200}) in .{0,4000}/base/(\d{8}T\d{6})")
_RESTORING = re.compile(r"^Starting .{0,40}for server (\S{1,200}) using backup (\S{1,200})", re.MULTILINE)
_DONE = re.compile(r"^(?:Backup|Recovery|Restore operation) completed \(start time: (\S{10} \S{8})")
_SERVER = re.compile(r"^Server (\S{1,200}):$")
_CHECKED = re.compile(r"^\t([^:]{1,100}): (OK|FAILED|DISABLED)(.*)$")
# Right after the first backup Barman may not count it yet: what is kept is little, but nothing is broken.
_MILD = frozenset(("minimum_redundancy_requirements", "minimum redundancy requirements"))
_CANCELLED = frozenset((129, 130, 143))


class Output(msgspec.Struct):
    """What a call printed about itself, whether as text or as JSON."""

    text: str
    errors: list[str]
    warnings: list[str]
    waiting: bool
    interrupted: bool
    told: dict[str, Any]


class Part(msgspec.Struct):
    """What a call did for one server."""

    server: str | None
    backup_id: str | None
    text: str
    alone: bool


def parse(command: str | None, step_name: str) -> Command | None:
    """The Barman call in a command line, else what the name of the step says."""
    if command and (found := find(command, BARMAN)):
        return found
    match = _STEP_NAME.match(step_name)
    return Command(verb=match.group(1), known=False) if match else None


def read_runs(answer: Answer, step: Step, command: Command, *, index: int) -> list[Record | Reject]:
    """The records of one call; a Reject names what its sender has to add."""
    output = _read_output(step)
    if command.verb == "check":
        return _read_checks(answer, step, command, output, index)
    return [_read_part(answer, step, command, output, part, index) for part in _parts(command, output)]


def _read_output(step: Step) -> Output:
    """Answers in JSON hold the same sentences as those in text."""
    told: dict[str, Any] = {}
    stdout, stderr = step.stdout or "", step.stderr or ""
    try:
        told, stdout = document(stdout)
    except ValueError:
        pass
    text = "\n".join([*said(told, "_INFO"), stdout, stderr])
    errors, warnings = said(told, "_ERROR", "_EXCEPTION"), said(told, "_WARNING")
    for line in reading.lines(text):
        for level, kept in (("ERROR: ", errors), ("EXCEPTION: ", errors), ("WARNING: ", warnings)):
            if line.startswith(level) and len(kept) < 200:
                kept.append(reading.plain(line.removeprefix(level), limit=4096))
    waiting = any("WAITING_FOR_WALS" in warning for warning in warnings) or told.get("status") == "WAITING_FOR_WALS"
    interrupted = "KeyboardInterrupt" in text or any("KeyboardInterrupt" in error for error in errors)
    return Output(text, errors, warnings, waiting, interrupted, told)


def _parts(command: Command, output: Output) -> list[Part]:
    """The servers of a call: those that a backup says it begins, else the one that was named."""
    if command.verb == "backup":
        begun: list[tuple[str, str, list[str]]] = []
        for line in reading.lines(output.text):
            if match := _STARTING.match(line):
                begun.append((match[1], match[2], []))
            elif begun:
                begun[-1][2].append(line)
        if begun:
            return [Part(reading.name(server), id_, "\n".join(lines), len(begun) == 1) for server, id_, lines in begun]
    restored = _RESTORING.search(output.text)
    named = [each for each in command.arguments if each != "all"]
    server = restored[1] if restored else named[0] if named else None
    return [Part(reading.name(server), restored[2] if restored else named[1] if len(named) > 1 else None, output.text, True)]


def _read_part(answer: Answer, step: Step, command: Command, output: Output, part: Part, index: int) -> Record | Reject:
    verb, code = command.verb, exit_code(step)
    done = next((match for line in reading.lines(part.text) if (match := _DONE.match(line))), None)
    started, quality = _start(answer, step, part, done)
    if started is None:
        return Reject(index=index, reason=f"The {verb} has no start: send started_at as a date and time with offset, from 1990 on.")
    job = (reading.name(answer.job_external_id) if part.alone else None) or _job(part.server, verb)
    if job is None:
        return Reject(
            index=index, reason=f"Which server it was about is not told: send the {verb} call with its server, or job_external_id."
        )
    outcome, note = _outcome(verb, code, output, done is not None, part.alone)
    ended = reading.instant(step.finished_at, answer.zone)
    record = _record(step, job, verb, started, ended.at if ended and ended.at >= started and part.alone else None, quality)
    record.operation, record.outcome, record.target_name, record.target_type = OPERATIONS[verb], outcome, part.server, "database"
    told = list(dict.fromkeys(each for each in (note, *output.errors, *output.warnings) if each))
    record.native_message = reading.plain(redact("\n".join(told))) if told and outcome != "success" else None
    record.errors_count, record.warnings_count = len(output.errors) or None, len(output.warnings) or None
    if verb == "backup":
        record.source_revision = PROVISIONAL if outcome == "warning" else None
        _fill_backup(record, part)
    elif verb in ("verify-backup", "verify", "check-backup") and outcome in ("success", "failed"):
        record.verification_state = "passed" if outcome == "success" else "failed"
        record.verification_method = "metadata" if verb == "check-backup" else "checksum"
        record.verified_at = record.ended_at or started
    return record


def _start(answer: Answer, step: Step, part: Part, done: re.Match[str] | None) -> tuple[dt.datetime | None, TimeQuality]:
    if told := reading.instant(step.started_at, answer.zone):
        return told
    if told := reading.instant(done[1], answer.zone) if done else None:
        return told
    return begun_at(part.backup_id, answer.zone), "assumed_zone"


def _job(server: str | None, verb: str) -> str | None:
    return server if verb == "backup" or server is None else f"{server}:{verb}"


def _record(step: Step, job: str, verb: str, started: dt.datetime, ended: dt.datetime | None, quality: TimeQuality) -> Record:
    code = exit_code(step)
    return Record(
        external_id=f"{verb}@{started.isoformat()}",
        evidence_kind="push",
        job_external_id=job,
        identity=(job, started.isoformat(), verb),
        created_at=started,
        job_name=job,
        native_status=f"exit {code}" if code is not None else None,
        exit_code=code,
        started_at=started,
        ended_at=ended,
        time_quality=quality,
        duration_s=reading.span_s(started, ended),
    )


def _outcome(verb: str, code: int | None, output: Output, done: bool, alone: bool) -> tuple[Outcome, str | None]:
    if code in _CANCELLED or (output.interrupted and code != 0):
        return "cancelled", "interrupted by a signal"
    if code is not None and 128 < code < 193:
        return "failed", f"killed by signal {code - 128}"
    if code and (alone or not done):
        return "failed", None
    if code is None and not done:
        return ("failed", None) if output.errors else ("unknown", "neither exit code nor the end of the command was sent")
    return ("warning" if verb == "backup" and output.waiting else "success"), None


def _fill_backup(record: Record, part: Part) -> None:
    if part.backup_id and part.server:
        record.external_id = part.backup_id
        record.artefact_id = artefact_id(part.server, part.backup_id)
        record.identity = (record.job_external_id, record.artefact_id)
    if record.outcome == "success":
        record.consistent_at = record.ended_at or record.started_at


def _read_checks(answer: Answer, step: Step, command: Command, output: Output, index: int) -> list[Record | Reject]:
    started = reading.instant(step.started_at, answer.zone)
    if started is None:
        return [Reject(index=index, reason="The check has no start: send started_at as a date and time with offset, from 1990 on.")]
    found = _checks(output)
    if not found:
        return [_read_part(answer, step, command, output, part, index) for part in _parts(command, output)]
    ended, records = reading.instant(step.finished_at, answer.zone), []
    for server, failed in found.items():
        job = (reading.name(answer.job_external_id) if len(found) == 1 else None) or f"{server}:check"
        record = _record(step, job, "check", started.at, ended.at if ended and ended.at >= started.at else None, started.quality)
        record.operation, record.target_name, record.target_type = "verify", server, "database"
        record.outcome = "success" if not failed else "warning" if failed.keys() <= _MILD else "failed"
        record.native_message = "\n".join(f"{name}: {hint or 'failed'}" for name, hint in failed.items())[:4096] or None
        record.errors_count = len(failed) or None
        records.append(record)
    return [*records]


def _checks(output: Output) -> dict[str, dict[str, str]]:
    """By server, what failed and Barman's hint."""
    found: dict[str, dict[str, str]] = {}
    for key, checks in output.told.items():
        if key not in MESSAGE_KEYS and isinstance(checks, dict) and (server := reading.name(key)):
            failing = {name: told for name, told in checks.items() if isinstance(told, dict) and told.get("status") == "FAILED"}
            found[server] = {
                reading.plain(name, limit=200): reading.plain(str(told.get("hint") or ""), limit=500) for name, told in failing.items()
            }
    server = None
    for line in [] if output.told else reading.lines(output.text):
        if match := _SERVER.match(line):
            server = reading.name(match[1])
            found.setdefault(server or "", {})
        elif server and (match := _CHECKED.match(line)) and match[2] == "FAILED":
            found[server][reading.plain(match[1], limit=200)] = reading.plain(match[3].strip(" ()"), limit=500)
    found.pop("", None)
    return found
