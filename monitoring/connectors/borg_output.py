"""What a borg or borgmatic log or JSON says about an archive that was made. Sizes only from JSON: the log prints rounded ones."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from monitoring.connectors import reading

WARNING = "WARNING: "
_FINGERPRINT = re.compile(r"^Archive fingerprint: ([0-9a-f]{64})$")
_FILES = re.compile(r"^Number of files: (\d{1,18})$")
_DURATION = re.compile(r"^Duration: (\d{1,9}(?:\.\d{1,6})?) seconds$")
_WARNED = re.compile(
    r"^(?:/|[A-Za-z]:\\).{0,4000}?: (?:[a-z_]{1,30}: )?(?:\[Errno \d{1,3}\] |file changed while we backed it up)"
    r"|^terminating with warning status|^Treating exit code \d{1,3} as a warning"
)


class BorgOutput(msgspec.Struct, kw_only=True):
    """Facts about the archive(s) one run made, and the warnings on the way."""

    archive_ids: list[str] = []
    bytes_source: int | None = None
    bytes_stored: int | None = None
    files_total: int | None = None
    duration_s: float | None = None
    encrypted: bool | None = None
    empty: bool = False
    warnings: list[str] = []


def read_borg_output(text: str) -> BorgOutput:
    """Read `borg create --json`, `borgmatic create --json` (a list, one entry a repository) or the log of either."""
    output = BorgOutput()
    entries, rest = made_in(text)
    _take_log(output, rest)
    if entries:
        _take_entries(output, entries)
    return output


def made_in(text: str) -> tuple[list[dict[str, Any]], str]:
    """What `create --json` says of each repository with the archive that was made in it, and the text around that."""
    try:
        found, rest = reading.document_within(text, lambda told: bool(_with_archive(told)))
    except ValueError:
        return [], text
    return (entries, rest) if (entries := _with_archive(found)) else ([], text)


def _with_archive(told: Any) -> list[dict[str, Any]]:
    listed = told if isinstance(told, list) else [told]
    return [each for each in listed if isinstance(each, dict) and isinstance(each.get("archive"), dict)]


def _take_entries(output: BorgOutput, entries: list[dict[str, Any]]) -> None:
    archives = [entry["archive"] for entry in entries]
    stats = [archive["stats"] if isinstance(archive.get("stats"), dict) else {} for archive in archives]
    output.archive_ids = [told for archive in archives if isinstance(told := archive.get("id"), str) and re.fullmatch("[0-9a-f]{64}", told)]
    output.bytes_source = _agreed([reading.count(each.get("original_size")) for each in stats])
    output.files_total = _agreed([reading.count(each.get("nfiles")) for each in stats])
    stored = [reading.count(each.get("deduplicated_size")) for each in stats]
    output.bytes_stored = reading.count(sum(size for size in stored if size is not None)) if None not in stored else None
    output.duration_s = reading.seconds(archives[0].get("duration")) if len(archives) == 1 else None
    output.empty = any(each.get("nfiles") == 0 for each in stats)
    modes = [entry["encryption"].get("mode") if isinstance(entry.get("encryption"), dict) else None for entry in entries]
    if all(isinstance(mode, str) and mode for mode in modes):
        output.encrypted = not any(str(mode).startswith(("none", "authenticated")) for mode in modes)


def _agreed(values: list[int | None]) -> int | None:
    """The value that every repository of one run tells; they hold the same files, so a difference is nobody's truth."""
    return values[0] if len(set(values)) == 1 else None


def _take_log(output: BorgOutput, text: str) -> None:
    files: list[int] = []
    for line in map(_log_message, reading.lines(text)):
        if match := _FINGERPRINT.match(line):
            output.archive_ids.append(match.group(1))
        elif match := _FILES.match(line):
            files.append(int(match.group(1)))
        elif match := _DURATION.match(line):
            output.duration_s = reading.seconds(float(match.group(1)))
        elif (_WARNED.search(line) or line.startswith(WARNING)) and len(output.warnings) < 200:
            output.warnings.append(reading.plain(line, limit=4096))
    output.files_total = _agreed(list(files)) if files else None
    output.empty = 0 in files
    if len(output.archive_ids) > 1:
        output.duration_s = None


def _log_message(line: str) -> str:
    """The line, or what a line of `borg --log-json` says; warnings of borg itself are marked as such."""
    if not line.startswith('{"type": "log_message"'):
        return line
    try:
        told = reading.document(line)
    except ValueError:
        return line
    mark = WARNING if told.get("levelname") == "WARNING" and str(told.get("name")).startswith("borg.") else ""
    return f"{mark}{told.get('message')}"
