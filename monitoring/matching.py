"""The expected-run ledger's pure core: which run answers which due occurrence. No database, no clock.

A run belongs to the occurrence whose [opens_at, cutoff_at) holds its start (or its only instant); it is *good* when it
finished with success or warning. With D the deadline and C the cutoff (the next opening), the first line that fits holds:

| what is known at `at`                                                | state          | settled_at  |
|----------------------------------------------------------------------|----------------|-------------|
| an approved hold covers the due instant (approved before it opened)  | excused        | opens_at    |
| a good run ended by D                                                | satisfied      | its end     |
| a good run ended after D and by C                                    | satisfied_late | its end     |
| D is not reached                                                     | expected       | –           |
| polled, nothing started, no complete reading later than D            | unconfirmed    | –           |
| nothing started by D                                                 | missed         | C, once known |
| a run started by D: still running, or only bad so far, C not known   | late           | –           |
| the same at C                                                        | missed         | C           |

"Known" means: a pushed job is known at once, because its silence is itself the news; of a polled job an absence is
believed only after one complete reading later than the instant in question. `missed` before `settled_at` may still turn
into `satisfied_late`; afterwards it stays missed, whatever runs later. An occurrence whose attempts were all bad ends as
`missed` with `attempted` and `failed_run` set, so success per window counts it as bad and a day cell can tell F from M.
On a day that does not count by the measurement calendar all of this is the same, and people are told; the line only says
that no rate counts it (`uncounted`). A tool's own report that a run was missed or skipped is no attempt, but it confirms
the absence. Whatever happened after `at` (a clock that runs ahead) is ignored until then.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from catalogue.counted_days import Calendar
from itsm_backup.common.time import local_day
from monitoring.schedules import Occurrence

LedgerState = Literal["expected", "satisfied", "late", "satisfied_late", "missed", "unconfirmed", "excused"]
GOOD = frozenset({"success", "warning"})
NO_ATTEMPT = frozenset({"missed", "skipped"})
WORST_FIRST = ("failed", "partial", "cancelled", "unknown", "missed", "skipped", "warning", "success")


class Run(msgspec.Struct, kw_only=True, frozen=True):
    """What matching needs to know of a run. `state` is queued, running or finished; `outcome` is None until it finished."""

    id: int
    started_at: dt.datetime | None = None
    ended_at: dt.datetime | None = None
    outcome: str | None = None
    state: str = "finished"


class Hold(msgspec.Struct, kw_only=True, frozen=True):
    """A maintenance window that excuses occurrences due in [starts_at, ends_at), if it was approved before they opened."""

    window: int
    starts_at: dt.datetime
    ends_at: dt.datetime
    approved_at: dt.datetime


class CountedDays(msgspec.Struct, kw_only=True, frozen=True):
    """The measurement calendar of one version, for what opens while it is in force; days are those of the entry's zone."""

    version: int
    starts_at: dt.datetime
    ends_at: dt.datetime | None
    zone: str
    calendar: Calendar

    def against(self, opens_at: dt.datetime) -> str:
        """Why what opens then does not count, `Saturday does not count by version 3`; empty when it does."""
        if opens_at < self.starts_at or (self.ends_at is not None and opens_at >= self.ends_at):
            return ""
        on = self.calendar.against(local_day(opens_at, self.zone))
        return f"{on} does not count by version {self.version}" if on else ""


class Settled(msgspec.Struct, kw_only=True, frozen=True):
    """One line of the ledger as known at an instant.

    `run_ids` are all runs of the occurrence by start; `best_run` is the first that ended good by the cutoff, `failed_run`
    the latest that ended otherwise, `worst_outcome` the worst of those that ended. `attempted` says that a run started at
    all. `uncounted` says why it is left out of all rates, whatever came of it; what a hold excuses needs no other reason.
    `settled_at` is None while the result may still change; `next_change_at` is when time alone changes it, or None.
    """

    occurrence: Occurrence
    state: LedgerState
    run_ids: tuple[int, ...] = ()
    best_run: int | None = None
    failed_run: int | None = None
    worst_outcome: str | None = None
    attempted: bool = False
    backfilled: bool = False
    excused_by: int | None = None
    uncounted: str = ""
    settled_at: dt.datetime | None = None
    next_change_at: dt.datetime | None = None


class _Knowledge(msgspec.Struct, kw_only=True, frozen=True):
    at: dt.datetime
    pushed: bool
    complete_reading_at: dt.datetime | None

    def covers(self, instant: dt.datetime) -> bool:
        """Whether an absence until `instant` can be believed."""
        if self.at < instant:
            return False
        return self.pushed or (self.complete_reading_at is not None and instant < self.complete_reading_at <= self.at)


def match(
    occurrences: Sequence[Occurrence],
    runs: Iterable[Run],
    *,
    at: dt.datetime,
    pushed: bool,
    complete_reading_at: dt.datetime | None,
    monitored_from: dt.datetime,
    holds: Sequence[Hold] = (),
    days: Sequence[CountedDays] = (),
) -> list[Settled]:
    """Return one line per occurrence, in order of opening, as known at `at`. The order of `runs` does not matter.

    `complete_reading_at` is the start of the latest reading in which a polled tool told everything; what was due before
    `monitored_from` is marked backfilled.
    """
    ordered = sorted(occurrences, key=lambda occurrence: occurrence.opens_at)
    openings = [occurrence.opens_at for occurrence in ordered]
    attempts: list[list[Run]] = [[] for _ in ordered]
    for run in sorted(runs, key=lambda run: (_start(run) or at, run.id)):
        index = _place(run, ordered, openings)
        if index is not None:
            attempts[index].append(run)
    known = _Knowledge(at=at, pushed=pushed, complete_reading_at=complete_reading_at)
    return [
        _settle(
            occurrence,
            found,
            known=known,
            backfilled=occurrence.due_at < monitored_from,
            hold=_hold_over(occurrence, holds),
            uncounted=uncounted(occurrence.opens_at, days),
        )
        for occurrence, found in zip(ordered, attempts, strict=True)
    ]


def _place(run: Run, ordered: Sequence[Occurrence], openings: Sequence[dt.datetime]) -> int | None:
    start = _start(run)
    if start is None:
        return None
    index = bisect_right(openings, start) - 1
    return index if index >= 0 and start < ordered[index].cutoff_at else None


def uncounted(opens_at: dt.datetime, days: Iterable[CountedDays]) -> str:
    """Why what opens then counts for no rate; empty when it counts."""
    return next((told for one in days if (told := one.against(opens_at))), "")


def _settle(
    occurrence: Occurrence, found: Sequence[Run], *, known: _Knowledge, backfilled: bool, hold: Hold | None, uncounted: str
) -> Settled:  # fmt: skip
    seen = [run for run in found if _begun(run) <= known.at]
    ended = [run for run in seen if _is_over(run, known.at)]
    good = sorted((run for run in ended if run.outcome in GOOD and _end(run) <= occurrence.cutoff_at), key=lambda run: (_end(run), run.id))
    bad = [run for run in ended if run.outcome not in GOOD and run.outcome not in NO_ATTEMPT]
    begun = [run for run in seen if run.outcome not in NO_ATTEMPT]
    state, settled_at = _state(occurrence, good, begun, told_absent=len(begun) < len(seen), known=known, hold=hold)
    return Settled(
        occurrence=occurrence,
        state=state,
        run_ids=tuple(run.id for run in seen),
        best_run=good[0].id if good else None,
        failed_run=max(bad, key=lambda run: (_end(run), run.id)).id if bad else None,
        worst_outcome=min((run.outcome or "unknown" for run in ended), key=_badness, default=None),
        attempted=bool(begun),
        backfilled=backfilled,
        excused_by=hold.window if hold else None,
        uncounted="" if hold else uncounted,
        settled_at=settled_at,
        next_change_at=None if settled_at else _next_change(occurrence, found, known.at),
    )


def _state(
    occurrence: Occurrence, good: Sequence[Run], begun: Sequence[Run], *, told_absent: bool, known: _Knowledge, hold: Hold | None
) -> tuple[LedgerState, dt.datetime | None]:
    """The table of the module's docstring, line by line."""
    deadline_at, cutoff_at = occurrence.deadline_at, occurrence.cutoff_at
    if hold is not None:
        return "excused", occurrence.opens_at
    if good:
        ended_at = _end(good[0])
        return ("satisfied" if ended_at <= deadline_at else "satisfied_late"), ended_at
    if known.at < deadline_at:
        return "expected", None
    if not begun and not told_absent and not known.covers(deadline_at):
        return "unconfirmed", None
    if known.covers(cutoff_at):
        return "missed", cutoff_at
    if any(_begun(run) <= deadline_at for run in begun):
        return "late", None
    return "missed", None


def _next_change(occurrence: Occurrence, found: Sequence[Run], at: dt.datetime) -> dt.datetime | None:
    ahead = [occurrence.deadline_at, occurrence.cutoff_at]
    for run in found:
        ahead += [_begun(run), _end(run)] if run.state == "finished" else [_begun(run)]
    return min((instant for instant in ahead if instant > at), default=None)


def _hold_over(occurrence: Occurrence, holds: Sequence[Hold]) -> Hold | None:
    covering = [hold for hold in holds if hold.starts_at <= occurrence.due_at < hold.ends_at and hold.approved_at < occurrence.opens_at]
    return min(covering, key=lambda hold: (hold.approved_at, hold.window), default=None)


def _start(run: Run) -> dt.datetime | None:
    return run.started_at or run.ended_at


def _begun(run: Run) -> dt.datetime:
    start = _start(run)
    if start is None:
        raise ValueError(f"Run {run.id} has neither a start nor an end and cannot be placed.")
    return start


def _end(run: Run) -> dt.datetime:
    return run.ended_at or _begun(run)


def _badness(outcome: str) -> int:
    return WORST_FIRST.index(outcome) if outcome in WORST_FIRST else WORST_FIRST.index("unknown")


def _is_over(run: Run, at: dt.datetime) -> bool:
    return run.state == "finished" and _end(run) <= at
