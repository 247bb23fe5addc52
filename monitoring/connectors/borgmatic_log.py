"""What in a log of borgmatic is about the backup: tracebacks of its own logging, pings that went wrong and its own files are left out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from monitoring.connectors import reading
from monitoring.connectors.borg_log import BorgLog
from monitoring.connectors.borgmatic_command import FAILED
from monitoring.connectors.ping_bodies import read_body
from monitoring.connectors.redaction import redact

# borgmatic's own files in an archive: what it needs to restore itself. They come and go while borg reads and are nobody's data.
OWN = re.compile(r"/borgmatic-[^/\s]{1,40}/|/\.?borgmatic/bootstrap")
MAX_READ = 200_000  # what went wrong stands at the end of a log
_NOISE = re.compile(r"Healthchecks error|^During handling of the above exception|^Need some help|^Exception ignored in")
_SAYS_NOTHING = re.compile(
    r"(?i)error running (?:actions|configuration)|an error occurred|^Command .* returned non-zero|^\S+Error: Command"
)


def essence(text: str | None) -> str:
    """The lines about the backup. `--- Logging error ---` up to its `Arguments:`, frames of tracebacks and the like are dropped."""
    return "\n".join(_telling(text))


def _telling(text: str | None) -> Iterator[str]:
    in_logging = in_traceback = ignored = False
    for line in reading.lines(text):
        if line.startswith("--- Logging error ---"):
            in_logging = True
        elif in_logging:
            in_logging = not line.startswith("Arguments: ")
        elif line.startswith("Traceback (most recent call last)"):
            in_traceback = True
        elif in_traceback and line.startswith("  "):
            continue
        elif in_traceback and ignored:  # the exception itself, which Python ignored too
            in_traceback = ignored = False
        else:
            in_traceback = False
            ignored = line.startswith("Exception ignored in")
            if not (_NOISE.search(line) or (OWN.search(line) and "[Errno " in line)):
                yield line


def message(log: BorgLog, telling: str, text: str, *, note: str | None) -> str | None:
    """What happened, the most telling line first, at most 64 KiB. `telling` is the essence of `text`.

    borgmatic logs whole commands: passwords in them are masked.
    """
    told = note or (log.warnings[-1] if log.warnings else None) or read_body(telling[-MAX_READ:]).message
    if not note and (told is None or _SAYS_NOTHING.search(told)) and (match := FAILED.search(text)):
        told = match.group(0)
    if told is None:
        return None
    rest = [line for line in dict.fromkeys((*log.warnings, *log.errors)) if line not in told]
    return reading.plain(redact("\n".join((told, *rest))))
