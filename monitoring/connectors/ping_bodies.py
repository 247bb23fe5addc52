"""What the body of a ping proves: a summary of restic or borg, warnings, errors. It can only make the ping's own word worse."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import msgspec

from monitoring.connectors import reading, restic_failures
from monitoring.connectors.base import Outcome
from monitoring.connectors.borg_output import BorgOutput, read_borg_output
from monitoring.connectors.redaction import redact
from monitoring.connectors.restic_output import Output, read_output

BAD_WORDS = re.compile(
    r"(?i)\b(?:fatal|error|errors|failed|failure|denied|refused|cannot|could not|unable|does not exist|do not exist|no such file"
    r"|no space left|incorrect|wrong|invalid|timed? ?out|traceback|exception|critical|non-zero exit)\b"
)
# Lines that only announce or wrap the line that matters.
_EMPTY_WORDS = re.compile(
    r"(?i)error running (?:actions|configuration)|^summary:|an error occurred|need some help|^Command .* returned non-zero exit status"
    r"|^Traceback|Logging error|^Pinging |Healthchecks error"
)


class Proof(msgspec.Struct, kw_only=True):
    """What a body says about its run. `outcome` is None when it proves nothing against the ping's own word."""

    outcome: Outcome | None = None
    dry_run: bool = False
    bytes_source: int | None = None
    bytes_read: int | None = None
    bytes_stored: int | None = None
    files_total: int | None = None
    files_failed: int | None = None
    warnings_count: int | None = None
    duration_s: float | None = None
    encrypted: bool | None = None
    artefact_id: str | None = None
    message: str | None = None


@lru_cache(maxsize=2)  # the door reads a body to know what to look for, and again to keep what it says
def read_body(text: str | None) -> Proof:
    """Read the body of a ping: a JSON summary, JSON lines, or a log in which one stands."""
    if not text or text.isspace():
        return Proof()
    restic = read_output(text)
    if restic.backup or restic.snapshot_id or restic.some_unreadable or restic.missing_sources or restic.dry_run or _restic_outcome(restic):
        return _restic_proof(restic)
    borg = read_borg_output(text)
    proof = _borg_proof(borg)
    proof.message = _message(text, borg)
    return proof


def _restic_proof(output: Output) -> Proof:
    summary: dict[str, Any] = output.backup or {}
    proof = Proof(
        dry_run=output.dry_run,
        outcome=_restic_outcome(output),
        bytes_read=reading.count(summary.get("total_bytes_processed")),
        bytes_stored=reading.count(summary.get("data_added_packed")),
        files_failed=output.unreadable_count or None,
        warnings_count=len(output.missing_sources) or None,
        duration_s=reading.seconds(summary.get("total_duration")),
    )
    if not output.dry_run:
        proof.artefact_id = output.snapshot_id
    if not output.some_unreadable:  # otherwise the size of the whole source is unknown
        proof.bytes_source = proof.bytes_read
        proof.files_total = reading.count(summary.get("total_files_processed", output.files_in_text))
    told = restic_failures.message(output)
    proof.message = redact(told) if told and (proof.outcome or not output.snapshot_id) else None
    return proof


def _restic_outcome(output: Output) -> Outcome | None:
    if output.interrupted:
        return "cancelled"
    if output.fatal or output.exit_code not in (None, 0, 3):
        return "failed"
    if output.missing_sources:
        return "partial"
    if output.some_unreadable or output.exit_code == 3:
        return "warning"
    return "skipped" if output.snapshot_skipped else None


def _borg_proof(output: BorgOutput) -> Proof:
    return Proof(
        outcome="failed" if output.empty else "warning" if output.warnings else None,
        bytes_source=output.bytes_source,
        bytes_stored=output.bytes_stored,
        files_total=output.files_total,
        warnings_count=len(output.warnings) or None,
        duration_s=output.duration_s,
        encrypted=output.encrypted,
        artefact_id=output.archive_ids[0] if len(output.archive_ids) == 1 else None,
    )


def _message(text: str, borg: BorgOutput) -> str | None:
    """The last line that says what went wrong, then the other telling ones; the last line of all when none does."""
    if borg.empty:
        return "the archive holds no file: its sources were missing or empty"
    kept = [line.strip() for line in reading.lines(text)][-2000:]
    telling = borg.warnings or [line for line in kept if BAD_WORDS.search(line) and not _EMPTY_WORDS.search(line)]
    telling = telling or [line for line in kept if BAD_WORDS.search(line)] or kept[-1:]
    if not telling:
        return None
    first = " ".join(telling[-1].split())[:300]
    return reading.plain(redact("\n".join((first, *telling[-21:-1]))))
