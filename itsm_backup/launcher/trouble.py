"""What stops a start, told to the person in front of the terminal."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path


class Trouble(Exception):
    """A start cannot go on; the text says what failed, what still holds and what to do."""


def say(line: str) -> None:
    """Print one line of progress at once; a reader who went away (closed pipe) stops nothing."""
    try:
        print(line, flush=True)
    except OSError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 the process ends with it


def log_tail(path: Path, *, lines: int = 12) -> str:
    """The last lines of a log, indented; empty when there is none."""
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return ""
    return "\n".join(f"    {line}" for line in text.rstrip().splitlines()[-lines:])


def disk_is_full(text: str) -> bool:
    """Whether a program's own words mean that it ran out of room."""
    return any(sign in text for sign in ("No space left on device", "Disk quota exceeded", "File too large", "File size limit exceeded"))


def from_os_error(error: OSError) -> Trouble:
    """The sentence for an operating system error that no step foresaw more precisely."""
    where = f" {error.filename}" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return Trouble(
            f"The disk is full: nothing more can be written to{where or ' the data folder'}. What was stored before is kept.\n"
            "Free some room, then start again."
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return Trouble(
            f"You may not use{where}: it belongs to another user. Nothing was changed.\n"
            "Start as the user who owns it, or name a data folder of your own: --data DIR"
        )
    if error.errno == errno.EROFS:
        return Trouble(
            f"{where.strip()} cannot be written, its file system is read-only. Nothing was changed.\n"
            "Name a data folder that can be written: --data DIR"
        )
    return Trouble(f"The operating system refused{where}: {error.strerror}. What was stored before is kept.")
