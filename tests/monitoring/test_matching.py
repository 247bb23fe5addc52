"""The ledger's table line by line, then its laws as properties."""

from __future__ import annotations

import datetime as dt
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.matching import GOOD, Hold, Run, Settled, match
from monitoring.schedules import occurrences, parse

NIGHT = dt.datetime(2026, 6, 10, 22, tzinfo=dt.UTC)
H = dt.timedelta(hours=1)
NIGHTLY = parse(
    rrule="FREQ=DAILY", local_times=["22:00"], zone="UTC", start_on=dt.date(2026, 1, 1), early_tolerance_s=1800, grace_s=4 * 3600
)
NIGHTS = occurrences(NIGHTLY, NIGHT, NIGHT + 72 * H)
LONG_AGO = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def run(number: int, start: float | None, end: float | None = None, outcome: str | None = "success", state: str = "finished") -> Run:
    """A run with start and end in hours after the first night's due time."""
    return Run(
        id=number,
        started_at=None if start is None else NIGHT + start * H,
        ended_at=None if end is None else NIGHT + end * H,
        outcome=outcome,
        state=state,
    )


def ledger(*runs: Run, at: float, pushed: bool = True, reading: float | None = None, holds: tuple[Hold, ...] = ()) -> list[Settled]:
    return match(
        NIGHTS,
        runs,
        at=NIGHT + at * H,
        pushed=pushed,
        complete_reading_at=None if reading is None else NIGHT + reading * H,
        monitored_from=LONG_AGO,
        holds=holds,
    )


def hold(approved: float, starts: float = -1, ends: float = 1) -> Hold:
    return Hold(window=7, starts_at=NIGHT + starts * H, ends_at=NIGHT + ends * H, approved_at=NIGHT + approved * H)


FAILED = run(1, 0, 0.5, "failed")
RUNNING = run(1, 0, None, None, "running")


@pytest.mark.parametrize(
    ("runs", "at", "state", "settled"),
    [
        ([], -5, "expected", None),
        ([], 3.99, "expected", None),
        ([], 4, "missed", None),
        ([], 23.4, "missed", None),
        ([], 23.5, "missed", 23.5),
        ([run(1, 0, 1)], 1, "satisfied", 1),
        ([run(1, 0, 1, "warning")], 1, "satisfied", 1),
        ([run(1, 0, 4)], 5, "satisfied", 4),
        ([run(1, 0, 4.1)], 5, "satisfied_late", 4.1),
        ([run(1, 0, 4.1)], 4.05, "late", None),
        ([run(1, 20, 23.5)], 30, "satisfied_late", 23.5),
        ([run(1, 20, 23.6)], 30, "missed", 23.5),
        ([run(1, -0.5, 1)], 2, "satisfied", 1),
        ([run(1, -0.6, 1)], 5, "missed", None),
        ([run(1, None, 1)], 2, "satisfied", 1),
        ([run(1, 1)], 2, "satisfied", 1),
        ([run(1, None, None)], 5, "missed", None),
        ([FAILED], 1, "expected", None),
        ([FAILED], 5, "late", None),
        ([FAILED], 24, "missed", 23.5),
        ([FAILED, run(2, 1, 2)], 3, "satisfied", 2),
        ([FAILED, run(2, 6, 7)], 8, "satisfied_late", 7),
        ([run(1, 0, 1, "partial")], 5, "late", None),
        ([run(1, 0, 1, "cancelled")], 5, "late", None),
        ([RUNNING], 3, "expected", None),
        ([RUNNING], 5, "late", None),
        ([RUNNING], 24, "missed", 23.5),
        ([run(1, 5, None, None, "running")], 6, "missed", None),
        ([run(1, 0, 1, "missed")], 5, "missed", None),
    ],
)
def test_it_settles_a_pushed_job_by_the_table(runs, at, state, settled):
    line = ledger(*runs, at=at)[0]
    assert (line.state, line.settled_at) == (state, None if settled is None else NIGHT + settled * H)


@pytest.mark.parametrize(
    ("runs", "at", "reading", "state", "settled"),
    [
        ([], 5, None, "unconfirmed", None),
        ([], 5, 3.9, "unconfirmed", None),
        ([], 5, 4, "unconfirmed", None),
        ([], 5, 4.1, "missed", None),
        ([], 5, 6, "unconfirmed", None),
        ([], 30, 5, "missed", None),
        ([], 30, 24, "missed", 23.5),
        ([], 30, 3, "unconfirmed", None),
        ([FAILED], 5, 3, "late", None),
        ([FAILED], 30, 5, "late", None),
        ([FAILED], 30, 24, "missed", 23.5),
        ([run(1, 0, 1)], 2, None, "satisfied", 1),
        ([run(1, 0, 1, "missed")], 5, 3, "missed", None),
    ],
)
def test_it_believes_silence_of_a_polled_job_only_after_a_complete_reading(runs, at, reading, state, settled):
    line = ledger(*runs, at=at, pushed=False, reading=reading)[0]
    assert (line.state, line.settled_at) == (state, None if settled is None else NIGHT + settled * H)


def test_it_excuses_only_what_was_approved_before_it_opened():
    assert ledger(at=30, holds=(hold(approved=-0.6),))[0].state == "excused"
    assert ledger(FAILED, at=30, holds=(hold(approved=-2),))[0].excused_by == 7
    assert ledger(run(1, 0, 1), at=30, holds=(hold(approved=-2),))[0].state == "excused"
    assert ledger(at=30, holds=(hold(approved=-0.5),))[0].state == "missed"
    assert ledger(at=30, holds=(hold(approved=-2, starts=-3, ends=0),))[0].state == "missed"


def test_it_tells_a_night_with_only_failures_from_a_night_without_a_run():
    failed, silent, _ = ledger(FAILED, run(2, 1, 2, "partial"), at=60)
    assert (failed.worst_outcome, silent.worst_outcome) == ("failed", None)
    assert (failed.state, failed.attempted, failed.failed_run, failed.run_ids) == ("missed", True, 2, (1, 2))
    assert (silent.state, silent.attempted, silent.failed_run, silent.run_ids) == ("missed", False, None, ())


def test_it_gives_a_run_that_spans_into_the_next_night_to_the_night_of_its_start():
    first, second, _ = ledger(run(1, 20, 26), at=30)
    assert (first.run_ids, second.run_ids) == ((1,), ())


def test_it_gives_a_run_after_the_latest_cutoff_to_no_night():
    assert ledger(run(1, 72, 73), at=80)[-1].run_ids == ()


def test_it_names_the_first_good_end_as_the_best_run():
    assert ledger(run(1, 0, 3), run(2, 1, 2), at=30)[0].best_run == 2


def test_it_ignores_what_a_fast_clock_says_about_the_future_until_then():
    ahead = run(1, 2, 3)
    assert ledger(ahead, at=1)[0].run_ids == ()
    waiting = ledger(ahead, at=2.5)[0]
    assert (waiting.state, waiting.run_ids, waiting.next_change_at) == ("expected", (1,), NIGHT + 3 * H)
    assert ledger(ahead, at=3)[0].state == "satisfied"


def test_it_marks_what_was_due_before_monitoring_began():
    lines = match(NIGHTS, [], at=NIGHT, pushed=True, complete_reading_at=None, monitored_from=NIGHT + H)
    assert [line.backfilled for line in lines] == [True, False, False]


def test_it_keeps_apart_several_occurrences_a_day_on_the_day_the_clock_goes_back():
    schedule = parse(rrule="FREQ=DAILY", local_times=["01:30", "02:30"], zone="Europe/Paris", start_on=dt.date(2026, 1, 1), grace_s=600)
    due = occurrences(schedule, dt.datetime(2026, 10, 24, 22, tzinfo=dt.UTC), dt.datetime(2026, 10, 25, 22, tzinfo=dt.UTC))
    runs = [Run(id=n, started_at=o.due_at, ended_at=o.due_at + H / 10, outcome="success") for n, o in enumerate(due)]
    lines = match(due, runs, at=NIGHT.replace(month=11), pushed=True, complete_reading_at=None, monitored_from=LONG_AGO)
    assert [(line.state, line.run_ids) for line in lines] == [("satisfied", (0,)), ("satisfied", (1,))]


outcomes = st.sampled_from(["success", "warning", "partial", "failed", "cancelled", "missed", "skipped", "unknown"])
hours = st.integers(-60, 320).map(lambda quarter: quarter / 4)


@st.composite
def some_runs(draw: st.DrawFn) -> list[Run]:
    found = []
    for number in range(draw(st.integers(0, 8))):
        start = draw(hours)
        running = draw(st.booleans()) and draw(st.booleans())
        end = None if running else start + draw(st.integers(0, 120)) / 4
        found.append(run(number, start, end, None if running else draw(outcomes), "running" if running else "finished"))
    return found


ALLOWED = {
    "expected": {"expected", "satisfied", "satisfied_late", "late", "missed", "unconfirmed"},
    "unconfirmed": {"unconfirmed", "missed", "late", "satisfied_late"},
    "late": {"late", "satisfied_late", "missed"},
    "missed": {"missed", "satisfied_late"},
    "satisfied": {"satisfied"},
    "satisfied_late": {"satisfied_late"},
    "excused": {"excused"},
}


@settings(max_examples=150, deadline=None)
@given(runs=some_runs(), at=hours, pushed=st.booleans(), reading=st.none() | hours, seed=st.integers())
def test_it_gives_each_run_to_one_occurrence_whatever_the_order(runs, at, pushed, reading, seed):
    lines = ledger(*runs, at=at, pushed=pushed, reading=reading)
    given_away = [number for line in lines for number in line.run_ids]
    assert len(given_away) == len(set(given_away))
    random.Random(seed).shuffle(runs)
    assert ledger(*runs, at=at, pushed=pushed, reading=reading) == lines


@settings(max_examples=150, deadline=None)
@given(runs=some_runs(), at=hours, pushed=st.booleans(), reading=st.none() | hours)
def test_it_is_satisfied_only_by_a_good_run_and_missed_only_without_one(runs, at, pushed, reading):
    good = {run.id for run in runs if run.outcome in GOOD}
    for line in ledger(*runs, at=at, pushed=pushed, reading=reading):
        assert (line.state in {"satisfied", "satisfied_late"}) == (line.best_run in good)
        assert line.state != "missed" or line.best_run is None


@settings(max_examples=150, deadline=None)
@given(runs=some_runs(), instants=st.lists(hours, min_size=2, max_size=8), polled_lag=st.none() | st.integers(0, 40))
def test_it_only_moves_forward_in_time_and_never_after_it_settled(runs, instants, polled_lag):
    before: list[Settled] | None = None
    for at in sorted(instants):
        reading = None if polled_lag is None else at - polled_lag / 4
        after = ledger(*runs, at=at, pushed=polled_lag is None, reading=reading)
        for old, new in zip(before or [], after, strict=False):
            assert new.state in ALLOWED[old.state]
            if old.settled_at is not None:
                assert (new.state, new.settled_at, new.best_run) == (old.state, old.settled_at, old.best_run)
        before = after


@settings(max_examples=150, deadline=None)
@given(runs=some_runs(), at=hours, later=st.integers(1, 200))
def test_it_changes_no_sooner_than_it_says(runs, at, later):
    for old, new in zip(ledger(*runs, at=at), ledger(*runs, at=at + later / 4), strict=True):
        if old.next_change_at is None or old.next_change_at > NIGHT + (at + later / 4) * H:
            assert old.state == new.state
