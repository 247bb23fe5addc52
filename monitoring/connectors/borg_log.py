"""What borg or borgmatic wrote while it ran, as JSON or text: warnings, errors, files and sources that were missed."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection
from typing import Any

import msgspec

from monitoring.connectors import reading

MAX_KEPT_LINES = 200
_OF_FILE = re.compile(r"^(?![A-Za-z_.]{1,80}(?:Error|Exception):)(?P<path>.{1,4096}?): (?:[a-z_]{1,30}: )?\[Errno (?P<number>\d{1,3})\] ")
_CHANGED = re.compile(r"^.{1,4096}: file changed while we backed it up")
_SIGNALLED = re.compile(r"Got Ctrl-C|Received SIG(?:TERM|HUP|INT)|^Keyboard interrupt|^Cancelled by user")
_TROUBLE = re.compile(
    r"(?i)\b(?:errors?|failed|failure|denied|refused|cannot|could not|unable|does not exist|do not exist|no space left|incorrect|invalid"
    r"|timed? ?out|already exists|mismatch|exception|returned non-zero|not supported|interrupted)\b"
    r"|^[A-Za-z_.]{1,80}(?:Error|Exception)\b"
)
_HARMLESS = re.compile(r"(?i)no problems found|^local exception$|healthchecks error|logging error|0 errors")
_NO_SUCH_FILE = 2


class BorgLog(msgspec.Struct, kw_only=True):
    """The facts in the log lines of one call. Texts are as borg wrote them."""

    warnings: list[str] = []
    errors: list[str] = []
    other: list[str] = []
    missing_sources: list[str] = []
    files_failed: int = 0
    files_changed: int = 0
    interrupted: bool = False
    damaged: bool = False
    intact: bool = False


def read_log(*texts: str | None, sources: Collection[str] = ()) -> BorgLog:
    """Read log lines; a missing path among `sources` is a missing source, any other a file that could not be read."""
    log = BorgLog()
    for text in texts:
        for line in reading.lines(text):
            if line.startswith("{"):
                _take_json(log, line, sources)
            else:
                _take_text(log, line.strip(), sources)
    return log


def _take_json(log: BorgLog, line: str, sources: Collection[str]) -> None:
    if '"log_message"' not in line:
        return  # progress and file lists: thousands a run, nothing to judge
    try:
        told: Any = reading.document(line)
    except ValueError:
        return
    if not isinstance(told, dict) or not isinstance(told.get("message"), str):
        return
    message, level = told["message"].strip(), told.get("levelname")
    if level in ("ERROR", "CRITICAL"):
        _note_words(log, message)
        _keep(log.errors, _last_line(message))
    elif level == "WARNING":
        _take_warning(log, message, sources)
    else:
        _note_words(log, message)


def _take_text(log: BorgLog, line: str, sources: Collection[str]) -> None:
    if _OF_FILE.match(line) or _CHANGED.match(line):
        _take_warning(log, line, sources)
        return
    _note_words(log, line)
    _keep(log.errors if _TROUBLE.search(line) and not _HARMLESS.search(line) else log.other, line)


def _take_warning(log: BorgLog, message: str, sources: Collection[str]) -> None:
    match = _OF_FILE.match(message)
    if match and int(match["number"]) == _NO_SUCH_FILE and posixpath.normpath(match["path"]) in sources:
        _keep(log.missing_sources, match["path"])
    elif match:
        log.files_failed += 1
    elif _CHANGED.match(message):
        log.files_changed += 1
    _note_words(log, message)
    _keep(log.warnings, message)


def _note_words(log: BorgLog, message: str) -> None:
    if _SIGNALLED.search(message):
        log.interrupted = True
    if "no problems found" in message:
        log.intact = True
    if "errors found" in message or "Data integrity error" in message or "checksum mismatch" in message:
        log.damaged = True


def _last_line(message: str) -> str:
    """A traceback says what it is about in its last line before the description of the machine."""
    if "Traceback (most recent call last)" not in message:
        return message
    lines = [line for line in message.partition("\n\nPlatform:")[0].splitlines() if line.strip()]
    return lines[-1] if lines else message


def _keep(kept: list[str], line: str) -> None:
    if line and len(kept) < MAX_KEPT_LINES:
        kept.append(reading.plain(line, limit=4096))


def principal_line(log: BorgLog) -> str | None:
    """The one line that says best what went wrong, at most 300 characters."""
    told = log.errors[-1:] or log.warnings[:1] or log.other[-1:]
    return " ".join(told[0].split())[:300] if told else None


def message(log: BorgLog, *, note: str | None = None) -> str | None:
    """What borg said about its trouble, at most 64 KiB: `note` or the most telling line first, then the other telling ones."""
    first = note or principal_line(log)
    if first is None:
        return None
    rest = [line for line in dict.fromkeys((*log.errors, *log.warnings)) if " ".join(line.split())[:300] != first]
    return reading.plain("\n".join((first, *rest)))
