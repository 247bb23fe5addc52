"""The lines of a day's page: each due backup with its result, the runs that answered it, the cause in words, and what came later."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString

from catalogue.models import Window
from itsm_backup.common.time import duration_words
from itsm_backup.portal.day_ledger import Answer, Due, Ledger, LocalDay
from itsm_backup.portal.framing import Link
from itsm_backup.portal.words import result_of, size

RESULTS = {
    "failed": ("broken", "Failed"),
    "missed": ("broken", "Missed, never ran"),
    "unknown": ("no_data", "No data"),
    "late": ("at_risk", "Good, but late"),
    "warned": ("at_risk", "Good, with warnings"),
    "held": ("held", "Held"),
    "good": ("kept", "Good"),
}  # worst first
GOOD = (None, "success", "warning")


@dataclass(frozen=True, kw_only=True)
class RunLine:
    run: Link
    verdict: str
    words: str  # "Failed, 41 min, 2.1 TB"
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class DueLine:
    due: SafeString
    job: str
    tool: str
    verdict: str
    result: str
    cause: str
    runs: tuple[RunLine, ...]
    notes: tuple[str, ...]


def cause_of(answers: Sequence[Answer], ledger: Ledger) -> str:
    """What a cause rule makes of the latest bad run's message, else the message's first line."""
    bad = next((one.run.message for one in reversed(answers) if one.outcome not in GOOD and one.run.message), "")
    if not bad:
        return ""
    first = bad.strip().split("\n")[0]
    return ledger.causes.get(bad) or (first if len(first) <= 120 else first[:119].rstrip() + "…")


def due_line(one: Due, *, ledger: Ledger, of: LocalDay, windows: Mapping[int, Window]) -> DueLine:
    """One due backup as known at the moment."""
    row, kinds = one.row, one.kinds(of.moment)
    kind = next((kind for kind in RESULTS if kind in kinds), "")
    verdict, result = RESULTS[kind] if kind else ("", "Still to come" if row.due_at > of.moment.at else "Not over yet")
    return DueLine(
        due=of.clock(row.due_at),
        job=row.job.name,
        tool=str(row.job.tool),
        verdict=verdict,
        result=result,
        cause=cause_of(one.answers, ledger),
        runs=tuple(run_line(answer, ledger=ledger, of=of, named=False) for answer in one.answers),
        notes=tuple(_notes(one, kind, of, windows)),
    )


def _notes(one: Due, kind: str, of: LocalDay, windows: Mapping[int, Window]) -> list[str]:
    row, found = one.row, []
    if kind == "missed":
        found.append(f"Nothing started by {of.clock_words(row.deadline_at)}")
    if kind == "unknown":
        found.append("The tool could not be asked, so nobody knows")
    if kind == "late":
        ended = next((answer.run.ended_at for answer in one.answers if answer.run.pk == row.run_id), None)
        behind = f" by {duration_words((ended - row.deadline_at).total_seconds())}" if ended and ended > row.deadline_at else ""
        found.append(f"Past its deadline of {of.clock_words(row.deadline_at)}{behind}")
    if row.excuse.startswith("window ") and kind == "held":
        window = windows.get(int(row.excuse.removeprefix("window ")))
        found.append(f"Held by “{window.purpose}”" if window else "Held by a maintenance window")
    if not row.counts:
        found.append(f"Left out of the rates: {row.excuse}")
    if row.backfilled:
        found.append("From before its tool was watched")
    if row.due_at <= of.moment.at < (row.settled_at or of.moment.at):
        found.append(f"Settled later, {of.clock_words(row.settled_at)}; shown as known today")
    return found


def run_line(answer: Answer, *, ledger: Ledger, of: LocalDay, named: bool) -> RunLine:
    """One run, with what was learned about it later; `named` tells its job and what it did."""
    run = answer.run
    verdict, result = result_of(run, answer.outcome)
    took = duration_words((run.ended_at - run.started_at).total_seconds()) if run.started_at and run.ended_at else ""
    what = f"{run.operation.replace('_', ' ')} of {run.job.name}" if named else ""
    moved = size(run.bytes_stored if run.bytes_stored is not None else run.bytes_source)
    unknown_then = answer.learned_at is not None and answer.learned_at > of.moment.at
    notes = []
    if answer.learned_at and not ledger.all_learned_at:
        notes.append(f"Learned later, {_when(answer.learned_at, of)}")
    if answer.corrected_at:
        notes.append(f"Corrected later, {_when(answer.corrected_at, of)}")
    return RunLine(
        run=Link(of.clock_words(run.occurred_at), "" if unknown_then else of.moment.href("run", run.pk)),
        verdict=verdict,
        words=", ".join(filter(None, [result, what, took, moved])),
        notes=tuple(notes),
    )


def _when(at: dt.datetime, of: LocalDay) -> str:
    return of.clock_words(at) if at.astimezone(of.zone).date() != of.on else f"at {of.clock_words(at)}"
