"""What restic printed, taken apart: summaries, exit errors, unreadable files, missing sources. JSON and plain text, 0.14 to today."""

from __future__ import annotations

import os
import re
from typing import Any

import msgspec

from monitoring.connectors import reading

MAX_KEPT_LINES = 200
SNAPSHOT_ID = re.compile(r"[0-9a-f]{8,64}")
_EMBEDDED = re.compile(r'\{\s*"message_type"')
_SAVED = re.compile(r"^snapshot ([0-9a-f]{8,64}) saved")
_PROCESSED = re.compile(r"^processed (\d{1,18}) files?,")
_MISSING = re.compile(r"^(.{1,4096}) does not exist, skipping$")
_FATAL = re.compile(r"^Fatal: ")
_UNREADABLE = re.compile(r"^(?:error: |ignoring error for )")
_SIGNALLED = re.compile(r"signal (?:interrupt|terminated) received, cleaning up|^Fatal: .*context canceled")
_PROGRESS = re.compile(r"^\[\d+:\d\d(?::\d\d)?\]|^subprocess \w+: *$")


class Output(msgspec.Struct, kw_only=True):
    """The facts in the output of one restic call (or of a log that holds one). Texts are as restic wrote them."""

    backup: dict[str, Any] | None = None
    check: dict[str, Any] | None = None
    restore: dict[str, Any] | None = None
    snapshot_id: str | None = None
    files_in_text: int | None = None
    dry_run: bool = False
    snapshot_skipped: bool = False
    exit_code: int | None = None
    exit_message: str | None = None
    fatal: list[str] = []
    unreadable: list[str] = []
    unreadable_count: int = 0
    some_unreadable: bool = False
    missing_sources: list[str] = []
    interrupted: bool = False
    damaged: bool = False
    status_lines: int = 0
    other: list[str] = []

    def error_lines(self) -> list[str]:
        """What went wrong, the most telling line first."""
        told = [self.exit_message] if self.exit_message else []
        missing = [f"{path} does not exist, skipping" for path in self.missing_sources]
        return list(dict.fromkeys(line for line in (*told, *self.fatal, *self.unreadable, *missing) if line))


def read_output(*texts: str | None) -> Output:
    """Read everything restic printed, standard output first."""
    output = Output()
    seen: set[str] = set()
    for text in texts:
        if text and text.lstrip()[:1] in ("{", "[") and (spread := _spread_out(text)) is not None:
            for each in spread:
                _take_object(output, each, seen)
            continue
        for line in reading.lines(text):
            _take_line(output, line, seen)
    return output


def _spread_out(text: str) -> list[dict[str, Any]] | None:
    """The messages of a body that was pretty-printed or collected into a list by another program."""
    if "\n{" in text.rstrip():
        return None  # JSON lines: one message a line
    try:
        found = reading.document(text)
    except ValueError:
        return None
    return [each for each in (found if isinstance(found, list) else [found]) if isinstance(each, dict)]


def _take_line(output: Output, line: str, seen: set[str]) -> None:
    if line.startswith(('{"message_type":"status"', '{"message_type":"verbose_status"')):
        output.status_lines += 1  # ten a second for hours: not worth decoding
        return
    if match := _EMBEDDED.search(line):
        try:
            message = reading.leading_document(line[match.start() :])
        except ValueError:
            message = None
        if isinstance(message, dict):
            _take_object(output, message, seen)
            return
    _take_text(output, line.strip(), seen)


def _take_object(output: Output, message: dict[str, Any], seen: set[str]) -> None:
    match message.get("message_type"):
        case "summary":
            _take_summary(output, message)
        case "exit_error":
            output.exit_code = reading.count(message.get("code"))
            output.exit_message = _text(message.get("message")) or "restic ended with an error"
            _note_words(output, output.exit_message)
        case "error":
            _take_error(output, message, seen)
        case "status" | "verbose_status":
            output.status_lines += 1


def _take_summary(output: Output, summary: dict[str, Any]) -> None:
    if "num_errors" in summary:
        output.check = summary
    elif "files_restored" in summary or "bytes_restored" in summary:
        output.restore = summary
    elif "total_files_processed" in summary or "total_bytes_processed" in summary or "snapshot_id" in summary:
        output.backup = summary
        # a later attempt that came to its end outweighs what an earlier one in the same log said
        output.exit_code, output.exit_message, output.fatal, output.interrupted = None, None, [], False
        output.dry_run = summary.get("dry_run") is True
        told = summary.get("snapshot_id")
        output.snapshot_id = told if isinstance(told, str) and SNAPSHOT_ID.fullmatch(told) else None
        output.snapshot_skipped = told in (None, "")


def _take_error(output: Output, message: dict[str, Any], seen: set[str]) -> None:
    text = _error_text(message.get("error")) or _text(message.get("message"))
    _note_words(output, text or "")
    if message.get("during") is None:  # check prints whole paragraphs this way
        _keep(output.other, text)
        return
    item = _text(message.get("item")) or text or ""
    if item not in seen:
        seen.add(item)
        output.unreadable_count += 1
        output.some_unreadable = True
        _keep(output.unreadable, text or f"{item} could not be read")


def _error_text(error: object) -> str | None:
    """What an error says: {"message": …} since 0.16, before that the parts of a Go error with the number of the system's error."""
    if not isinstance(error, dict):
        return _text(error)
    if told := _text(error.get("message")):
        return told
    number = reading.count(error.get("Err"))
    cause = os.strerror(number).lower() if number and number < 1000 else error.get("Err")
    return _text(" ".join(str(part) for part in (error.get("Op"), error.get("Path")) if part) + (f": {cause}" if cause else ""))


def _take_text(output: Output, line: str, seen: set[str]) -> None:
    if match := _SAVED.match(line):
        output.snapshot_id, output.snapshot_skipped = match.group(1), False
        output.exit_code, output.exit_message, output.fatal, output.interrupted = None, None, [], False
    elif match := _PROCESSED.match(line):
        output.files_in_text = int(match.group(1))
    elif match := _MISSING.match(line):
        _keep(output.missing_sources, match.group(1))
    elif line.startswith("Would add to the repository"):
        output.dry_run = True
    elif line.startswith("skipped creating snapshot"):
        output.snapshot_skipped = True
    elif _FATAL.match(line):
        _keep(output.fatal, line)
        _note_words(output, line)
    elif _UNREADABLE.match(line):
        if line not in seen:
            seen.add(line)
            output.unreadable_count += 1
            _keep(output.unreadable, line)
    elif not _PROGRESS.match(line):
        _note_words(output, line)
        _keep(output.other, line)


def _note_words(output: Output, line: str) -> None:
    if _SIGNALLED.search(line):
        output.interrupted = True
    if "at least one source file could not be read" in line:
        output.some_unreadable = True
    if "repository contains errors" in line or "contains damaged pack files" in line:
        output.damaged = True


def _text(value: object) -> str | None:
    return reading.plain(value).strip() or None if isinstance(value, str) else None


def _keep(kept: list[str], line: str | None) -> None:
    if line and len(kept) < MAX_KEPT_LINES:
        kept.append(reading.plain(line, limit=4096))


def read_summary(text: str) -> dict[str, Any] | None:
    """The last summary of a restic backup anywhere in a log, or None."""
    return read_output(text).backup


def read_exit_error(text: str) -> tuple[int | None, str] | None:
    """Code and message of restic's last `exit_error` after the last backup summary in a log, or None."""
    output = read_output(text)
    return (output.exit_code, output.exit_message) if output.exit_message else None
