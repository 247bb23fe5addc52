"""Why a borg call failed: the modern exit codes (1.4) say it, else the words on standard error do."""

from __future__ import annotations

from typing import Literal

from monitoring.connectors import borg_log, running
from monitoring.connectors.base import Step

Reason = Literal["timeout", "unreachable", "refused", "missing_repository", "locked", "wrong_passphrase", "key", "damaged", "other"]

_BY_CODE: dict[int, Reason] = {
    running.TIMED_OUT: "timeout",
    13: "missing_repository",
    15: "missing_repository",
    21: "refused",
    40: "key",
    41: "key",
    42: "key",
    44: "key",
    **dict.fromkeys(range(50, 54), "wrong_passphrase"),
    **dict.fromkeys(range(70, 76), "locked"),
    80: "unreachable",
    81: "unreachable",
    83: "refused",
    87: "unreachable",
    **dict.fromkeys(range(90, 100), "damaged"),
}
_BY_TEXT: tuple[tuple[Reason, tuple[str, ...]], ...] = (
    (
        "unreachable",
        (
            "could not resolve hostname",
            "connection refused",
            "connection timed out",
            "no route to host",
            "network is unreachable",
            "host key verification failed",
            "connection closed by remote host",
        ),
    ),
    ("wrong_passphrase", ("passphrase supplied", "passphrase is incorrect", "exceeded the maximum password retries")),
    ("locked", ("failed to create/acquire the lock",)),
    ("key", ("no key file for repository", "no key entry found", "mismatch between repository and key file")),
    ("missing_repository", ("does not exist", "is not a valid repository")),
    ("refused", ("permission denied", "repository path not allowed")),
    ("damaged", ("data integrity error", "integrityerror")),
)
_SENTENCES: dict[Reason, str] = {
    "timeout": "borg did not answer in time. Check the connection to the repository, raise the time limit of this tool, or ask for the "
    "sizes of fewer archives.",
    "unreachable": "The repository cannot be reached. Check address, host key and network between this machine and the repository.",
    "refused": "The repository refuses access. Check the account this tool uses and its rights on the repository.",
    "missing_repository": "There is no repository at this address. Check the address, or create it with borg init.",
    "locked": "The repository, or borg's cache of it on this machine, is locked by another borg. If none is running, use borg break-lock.",
    "wrong_passphrase": "The passphrase does not open this repository. Enter the right passphrase in the settings of this tool.",
    "key": "The key of this repository is not on this machine. Export it with borg key export and name the file in the settings.",
    "damaged": "The repository is damaged. Run borg check.",
    "other": "borg failed.",
}


def reason(exit_code: int | None, text: str) -> Reason:
    """The class of a failure, by exit code where borg tells, else by the words of its messages."""
    if exit_code in _BY_CODE:
        return _BY_CODE[exit_code]
    lowered = text[:65536].lower()
    return next((found for found, words in _BY_TEXT if any(word in lowered for word in words)), "other")


def problem(step: Step) -> str:
    """One sentence about why a call failed and what to do, with borg's own words behind it."""
    if step.exit_code in (running.NOT_FOUND, running.NOT_RUNNABLE) and step.stderr:
        return step.stderr  # borg never ran: this is our own sentence
    sentence = _SENTENCES[reason(step.exit_code, f"{step.stderr or ''}\n{step.stdout or ''}" if step.exit_code else step.stderr or "")]
    told = borg_log.principal_line(borg_log.read_log(step.stderr))
    return f"{sentence} borg said: {told}" if told else f"{sentence} It ended with exit code {step.exit_code} and gave no reason."
