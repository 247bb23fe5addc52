"""One record for each pgBackRest call that a wrapper reports. Its messages stand on standard output, as far as its log level shows them."""

from __future__ import annotations

import re

import msgspec

from monitoring.connectors import reading
from monitoring.connectors.base import Answer, Level, Operation, Outcome, Record, Reject, Step
from monitoring.connectors.borg_runs import exit_code
from monitoring.connectors.command_line import Command, Grammar, find
from monitoring.connectors.pgbackrest_info import LEVELS, artefact_id
from monitoring.connectors.redaction import redact

OPERATIONS: dict[str, Operation] = {
    "backup": "backup",
    "verify": "verify",
    "check": "verify",
    "restore": "restore",
    "expire": "prune",
    "archive-push": "log_backup",
}
_VERBS = (
    "annotate archive-get archive-push check help info repo-get repo-ls server server-ping stanza-create stanza-delete stanza-upgrade "
    "start stop version"
)
# The verbs come before or behind the options, whose values follow a = or stand alone.
_WITH_VALUE = (
    "--stanza --config --config-path --config-include-path --repo --type --set --output --pg1-path --log-level-console --target "
    "--annotation"
)
PGBACKREST = Grammar(program=r"pgbackrest", verbs=frozenset((*_VERBS.split(), *OPERATIONS)), with_value=frozenset(_WITH_VALUE.split()))
_STEP_NAME = re.compile(r"^(backup|verify|check|restore|expire|info|version)")
_LINE = re.compile(
    r"^(?:(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?) P\d{2,3} +)?"
    r"(?P<level>DETAIL|INFO|WARN|ERROR|ASSERT|DEBUG|TRACE): (?P<text>.*)$"
)
_BEGUN = re.compile(r"^(\S+) command begin (\d\S{0,30}):")
_ENDED = re.compile(r"^(\S+) command end: (completed successfully|aborted with exception \[(\d{3})\]|terminated on signal)")
_LABEL = re.compile(r"^new backup label = (\S{1,200})$")
_TOTAL = re.compile(r"^\w+ backup size = \S+, file total = (\d{1,15})")
_REPO = re.compile(r"^repo(\d{1,3}): ")
_DAMAGE = re.compile(
    r"^\s*status: error|, status: (?:invalid|manifest missing)|invalid (?:checksum|size) '|(?:missing|invalid|other): [1-9]", re.MULTILINE
)
_VERDICT = re.compile(r"^\s*status: ok", re.MULTILINE)
_PAGES = re.compile(r"invalid page checksum|page checksum", re.IGNORECASE)
_TERMINATED = 63  # TermError
_CANCELLED = frozenset((_TERMINATED, 129, 130, 143))
_SUFFIXES: dict[str, Level] = {"F": "full", "D": "differential", "I": "incremental"}


class Output(msgspec.Struct):
    """What a call printed about itself."""

    errors: list[str] = []
    warnings: list[str] = []
    begun_at: str | None = None
    ended: bool = False
    exit_code: int | None = None
    label: str | None = None
    repo_key: int | None = None
    files_total: int | None = None
    signalled: bool = False
    version: str | None = None


def parse(command: str | None, step_name: str) -> Command | None:
    """The pgBackRest call in a command line, else what the name of the step says."""
    if command and (found := find(command, PGBACKREST)):
        return found
    if match := _STEP_NAME.match(step_name):
        return Command(verb=match.group(1), known=False)
    return None


def read_run(answer: Answer, step: Step, command: Command, *, index: int) -> Record | Reject:
    """The record of one call, or why there can be none (the sentence names the field that the sender has to add)."""
    verb, text = command.verb, f"{step.stdout or ''}\n{step.stderr or ''}"
    output = _read_output(text, verb)
    started = reading.instant(step.started_at, answer.zone) or reading.instant(output.begun_at, answer.zone)
    if started is None:
        return Reject(index=index, reason=f"The {verb} has no start: send started_at as a date and time with offset, from 1990 on.")
    stanza = reading.name(command.value("--stanza"))
    job = reading.name(answer.job_external_id) or (stanza if verb in ("backup", "archive-push") else stanza and f"{stanza}:{verb}")
    if job is None:
        return Reject(index=index, reason=f"Which job ran is not told: send the {verb} call with its --stanza, or job_external_id.")
    code, dry_run, operation = _code(step, output), command.has("--dry-run"), OPERATIONS[verb]
    outcome, note = ("skipped", f"dry run: this {verb} changed nothing") if dry_run else _outcome(verb, code, output, text)
    ended = reading.instant(step.finished_at, answer.zone)
    ended_at = ended.at if ended and ended.at >= started.at else None
    record = Record(
        external_id=f"{verb}@{started.at.isoformat()}",
        evidence_kind="push",
        job_external_id=job,
        identity=(job, started.at.isoformat(), verb),
        created_at=started.at,
        operation="other" if dry_run else operation,
        level=_level(command, output) if verb == "backup" else "unknown",
        target_name=stanza,
        target_type="database" if stanza else None,
        repository_name=f"repo{_repo_key(command, output)}" if command.has("--repo") or output.repo_key else None,
        outcome=outcome,
        native_status=f"exit {code}{', dry run' if dry_run else ''}" if code is not None else None,
        native_message=None if outcome == "success" else _message(output, note, text),
        exit_code=code,
        started_at=started.at,
        ended_at=ended_at,
        time_quality=started.quality,
        duration_s=reading.span_s(started.at, ended_at),
        warnings_count=len(output.warnings) or None,
        errors_count=len(output.errors) or None,
    )
    if record.operation == "backup":
        _fill_backup(record, command, output)
    elif verb == "verify" and not dry_run:
        _fill_verification(record, text)
    return record


def _read_output(text: str, verb: str) -> Output:
    output, kept = Output(), None
    for line in reading.lines(text):
        match = _LINE.match(line)
        if match is None:
            if kept is not None and line[:1].isspace() and len(kept) < 200:  # what belongs to the message above is indented
                kept[-1] = reading.plain(f"{kept[-1]} {line.strip()}", limit=4096)
            continue
        level, said = match["level"], match["text"]
        kept = output.errors if level in ("ERROR", "ASSERT") else output.warnings if level == "WARN" else None
        if kept is not None and len(kept) < 200:
            kept.append(reading.plain(said, limit=4096))
        elif kept is None:
            _take_info(output, said, match["time"], verb)
        output.signalled |= "terminated on signal" in said
    return output


def _take_info(output: Output, said: str, time: str | None, verb: str) -> None:
    if (match := _BEGUN.match(said)) and match[1].partition(":")[0] == verb:
        output.begun_at, output.version = time, match[2]
    elif (match := _ENDED.match(said)) and match[1].partition(":")[0] == verb:
        output.ended, output.exit_code = True, int(match[3]) if match[3] else 0 if match[2].startswith("completed") else _TERMINATED
    elif match := _LABEL.match(said):
        output.label = match[1]
    elif match := _TOTAL.match(said):
        output.files_total = reading.count(int(match[1]))
    elif match := _REPO.match(said):
        output.repo_key = int(match[1])


def _code(step: Step, output: Output) -> int | None:
    """The exit code as a shell shows it. pgBackRest's own word wins over a 0 that belongs to the end of a pipe."""
    code = exit_code(step)
    return output.exit_code if not code and output.exit_code is not None else code


def _outcome(verb: str, code: int | None, output: Output, text: str) -> tuple[Outcome, str | None]:
    if code in _CANCELLED or (output.signalled and code != 0):
        return "cancelled", "interrupted by a signal"
    if code is not None and 128 < code < 193:
        return "failed", f"killed by signal {code - 128}"
    if code:
        return "failed", None
    if verb == "verify":
        return _verdict(code, output, text)
    if code is None:
        return ("failed", None) if output.errors else ("unknown", "neither exit code nor the end of the command was sent")
    return ("warning" if verb == "backup" and any(map(_PAGES.search, output.warnings)) else "success"), None


def _verdict(code: int | None, output: Output, text: str) -> tuple[Outcome, str | None]:
    """verify ends with 0 whatever it finds: only what it prints tells."""
    if _DAMAGE.search(text) or output.errors:
        return "failed", None
    if output.ended or _VERDICT.search(text):
        return "success", None
    return "unknown", "verify ends with 0 even when it finds errors: send its output, with --log-level-console=info"


def _message(output: Output, note: str | None, text: str) -> str | None:
    damage = [" ".join(match.split()) for match in re.findall(r"^.*invalid (?:checksum|size) '.*$", text, re.MULTILINE)[:50]]
    told = list(dict.fromkeys(each for each in (note, *output.errors, *damage, *output.warnings) if each))
    if not told and (line := _DAMAGE.search(text)):
        told = [line.group(0).strip()]
    return reading.plain(redact("\n".join(told))) if told else None


def _level(command: Command, output: Output) -> Level:
    if output.label:
        return _SUFFIXES.get(output.label[-1], "unknown")
    return LEVELS.get(command.value("--type"), "unknown")


def _repo_key(command: Command, output: Output) -> int:
    """The repository a backup went to: the one that was asked for, else the one pgBackRest names, else the first."""
    told = command.value("--repo") or ""
    return int(told) if told.isascii() and told.isdigit() and len(told) <= 3 else output.repo_key or 1


def _fill_backup(record: Record, command: Command, output: Output) -> None:
    record.job_name = record.job_external_id
    record.files_total = output.files_total
    if record.outcome not in ("success", "warning"):
        return
    # the data is that of the end: what changed meanwhile is in the log that belongs to the backup
    record.consistent_at = record.ended_at or record.started_at
    if output.label and reading.name(output.label):
        record.artefact_id = artefact_id(output.label, _repo_key(command, output))
        record.external_id = output.label
        record.identity = (record.job_external_id, record.artefact_id)


def _fill_verification(record: Record, text: str) -> None:
    if record.outcome == "success":
        record.verification_state = "passed"
    elif _DAMAGE.search(text):
        record.verification_state = "failed"
    if record.verification_state != "none":
        record.verification_method, record.verified_at = "checksum", record.ended_at or record.started_at
