"""Why a restic call failed: the exit code says it since 0.17/0.18, before that only the text on standard error does."""

from __future__ import annotations

import re
from typing import Literal

from monitoring.connectors import reading, running
from monitoring.connectors.base import Step
from monitoring.connectors.restic_output import Output, read_output

Reason = Literal["timeout", "unreachable", "refused", "missing_repository", "locked", "wrong_password", "other"]

_BY_CODE: dict[int, Reason] = {
    running.TIMED_OUT: "timeout",
    10: "missing_repository",
    11: "locked",
    12: "wrong_password",
}
# The order matters: restic 0.14 adds "Is there a repository at the following location?" to a refused connection too.
_BY_TEXT: tuple[tuple[Reason, tuple[str, ...]], ...] = (
    (
        "unreachable",
        (
            "connection refused",
            "no such host",
            "i/o timeout",
            "network is unreachable",
            "no route to host",
            "connection reset",
            "connection timed out",
            "could not resolve hostname",
            "client.timeout exceeded",
            "tls handshake",
            "unable to start the sftp session",
            "x509:",
        ),
    ),
    ("wrong_password", ("wrong password or no key found", "an empty password is not a password")),
    ("locked", ("repository is already locked", "unable to create lock in backend")),
    ("refused", ("permission denied", "access denied", "accessdenied", "403 forbidden", "401 unauthorized", "invalidaccesskeyid")),
    ("missing_repository", ("repository does not exist", "is there a repository at the following location", "no such bucket")),
)
_SENTENCES: dict[Reason, str] = {
    "timeout": "restic did not answer in time. Check the connection to the repository or raise the time limit of this tool.",
    "unreachable": "The repository cannot be reached. Check address, name resolution and network between this machine and the repository.",
    "refused": "The repository refuses access. Check the account this tool uses and its rights on the repository.",
    "missing_repository": "There is no repository at this address. Check the address, or create it with restic init.",
    "locked": "The repository is locked by another restic. If none is running, remove the stale lock with restic unlock.",
    "wrong_password": "The password does not open this repository. Enter the right password in the settings of this tool.",
    "other": "restic failed.",
}
_TROUBLE = re.compile(r"(?i)unable|fail|error|denied|locked|cannot|could not|no space|refused|not found|invalid|wrong|does not match")


def reason(exit_code: int | None, text: str) -> Reason:
    """The class of a failure, by exit code where restic tells, else by the words of its messages."""
    if exit_code in _BY_CODE:
        return _BY_CODE[exit_code]
    lowered = text[:65536].lower()
    return next((found for found, words in _BY_TEXT if any(word in lowered for word in words)), "other")


def problem(step: Step) -> str:
    """One sentence about why a call failed and what to do, with restic's own words behind it."""
    if step.exit_code in (running.NOT_FOUND, running.NOT_RUNNABLE) and step.stderr:
        return step.stderr  # restic never ran: this is our own sentence
    text = f"{step.stderr or ''}\n{step.stdout or ''}" if step.exit_code else step.stderr or ""
    told = principal_line(read_output(step.stderr))
    sentence = _SENTENCES[reason(step.exit_code, text)]
    return f"{sentence} restic said: {told}" if told else f"{sentence} It ended with exit code {step.exit_code} and gave no reason."


def principal_line(output: Output) -> str | None:
    """The one line that says best what went wrong, at most 300 characters."""
    lines = _telling(output) or output.other[-1:]
    return " ".join(lines[0].split())[:300] if lines else None


def message(output: Output, *, note: str | None = None) -> str | None:
    """What restic said about its trouble, at most 64 KiB: `note` or the most telling line first, then the other telling ones."""
    first = note or principal_line(output)
    if first is None:
        return None
    rest = [line for line in _telling(output) if " ".join(line.split())[:300] != first]
    return reading.plain("\n".join((first, *rest)))


def _telling(output: Output) -> list[str]:
    return [*output.error_lines(), *(line for line in output.other if _TROUBLE.search(line))]
