"""Alert behaviour at its edges: who is told, what reopens, how tiers and priorities pass on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.methods import MethodError, measure

LEVELS = [{"level": 1, "after_seconds": 0}, {"level": 2, "after_seconds": 1800}]


def escalate(**changes: Any) -> list[tuple[str, str]]:
    inputs = {
        "opened_at": "2026-09-10T02:00:00Z",
        "acknowledged_at": None,
        "resolved_at": None,
        "levels": LEVELS,
        "repeat_seconds": 3600,
        "evaluated_until": "2026-09-10T05:00:00Z",
    }
    return [(step["at"][11:16], step["kind"]) for step in measure("BM-ESC", inputs | changes)]


def test_it_escalates_no_further_once_acknowledged_or_resolved():
    assert escalate(evaluated_until="2026-09-10T02:10:00Z") == [("02:00", "notify")]
    assert escalate(acknowledged_at="2026-09-10T02:30:00Z")[:2] == [("02:00", "notify"), ("03:30", "repeat")]
    assert escalate(resolved_at="2026-09-10T02:20:00Z") == [("02:00", "notify")]
    assert escalate(resolved_at="2026-09-10T03:30:00Z") == [("02:00", "notify"), ("02:30", "escalate")]
    assert escalate(repeat_seconds=None) == [("02:00", "notify"), ("02:30", "escalate")]


def test_a_late_acknowledgement_takes_back_no_repeat_that_was_told():
    untold = escalate(evaluated_until="2026-09-10T04:45:00Z")
    assert untold[2:] == [("03:30", "repeat"), ("04:30", "repeat")]
    late = escalate(acknowledged_at="2026-09-10T04:45:00Z", evaluated_until="2026-09-10T07:00:00Z")
    assert late == [*untold, ("05:45", "repeat"), ("06:45", "repeat")]
    assert escalate(acknowledged_at="2026-09-10T03:30:00Z")[2:] == [("04:30", "repeat")]


def test_it_refuses_repeats_that_never_advance():
    with pytest.raises(MethodError, match="positive"):
        escalate(repeat_seconds=-5)


def deliver(at: str, priority: str = "P3", **quiet: Any) -> str:
    inputs = {
        "timezone": "Europe/Paris",
        "quiet": {"from": "20:00", "to": "07:00", "weekends_all_day": True} | quiet,
        "bypass_priorities": ["P1"],
        "alerts": [{"priority": priority, "at": at}],
    }
    return measure("BM-QUIET", inputs)[0]


@pytest.mark.parametrize(
    ("at", "delivered", "quiet"),
    [
        ("2026-09-09T05:00:00Z", "2026-09-09T05:00:00Z", {}),
        ("2026-09-09T04:59:00Z", "2026-09-09T05:00:00Z", {}),
        ("2026-09-09T18:00:00Z", "2026-09-10T05:00:00Z", {}),
        ("2026-09-12T10:00:00Z", "2026-09-14T05:00:00Z", {}),
        ("2026-09-12T10:00:00Z", "2026-09-12T10:00:00Z", {"weekends_all_day": False}),
        ("2026-09-09T11:00:00Z", "2026-09-09T12:00:00Z", {"from": "12:00", "to": "14:00"}),
        ("2026-09-09T23:00:00Z", "2026-09-09T23:00:00Z", {"from": "12:00", "to": "14:00"}),
        ("2026-09-09T23:00:00Z", "2026-09-09T23:00:00Z", {"from": "12:00", "to": "12:00"}),
    ],
)
def test_it_defers_to_the_end_of_quiet_hours(at, delivered, quiet):
    assert deliver(at, **quiet) == delivered
    assert deliver(at, priority="P1", **quiet) == at


def dedup(*events: tuple[str, str]) -> dict[str, Any]:
    listed = [{"at": f"2026-09-01T{at}:00Z", "key": "k", "kind": kind} for at, kind in events]
    return measure("BM-DEDUP", {"reopen_within_seconds": 3600, "events": listed})


def test_it_reopens_up_to_the_limit_and_opens_anew_beyond():
    assert len(dedup(("01:00", "trigger"), ("02:00", "resolve"), ("03:00", "trigger"))["alerts"]) == 1
    assert len(dedup(("01:00", "trigger"), ("02:00", "resolve"), ("03:01", "trigger"))["alerts"]) == 2
    assert dedup(("01:00", "trigger"), ("02:00", "resolve"), ("02:01", "resolve"))["ignored_resolves"] == 1


def test_it_inherits_tiers_around_a_cycle():
    inputs = {"services": {"a": 3, "b": 4, "c": 1}, "edges": [["a", "b", "hard"], ["b", "a", "hard"], ["c", "a", "hard"]]}
    assert measure("BM-TIER", inputs) == {"a": 1, "b": 1, "c": 1}


def prioritise(**changes: Any) -> str:
    inputs = {
        "effective_tier": 1,
        "affected_services": 1,
        "exposure_seconds": 0,
        "exposure_at_next_completion_seconds": 0,
        "rpo_seconds": 100,
        "wide_threshold": 10,
        "restore_in_progress_failed": False,
    }
    return str(measure("BM-PRIO", inputs | changes)["priority"])


@pytest.mark.parametrize(
    ("changes", "priority"),
    [
        ({}, "P3"),
        ({"exposure_seconds": 74}, "P3"),
        ({"exposure_seconds": 75}, "P2"),
        ({"exposure_seconds": 100}, "P2"),
        ({"exposure_seconds": 101}, "P1"),
        ({"exposure_at_next_completion_seconds": 101}, "P2"),
        ({"exposure_at_next_completion_seconds": None}, "P3"),
        ({"restore_in_progress_failed": True}, "P1"),
        ({"affected_services": 10}, "P3"),
        ({"effective_tier": 2, "affected_services": 10}, "P3"),
        ({"effective_tier": 4, "affected_services": 9}, "P5"),
    ],
)
def test_it_ranks_by_impact_and_urgency(changes, priority):
    assert prioritise(**changes) == priority


@given(breaches=st.lists(st.booleans(), max_size=40), enter=st.integers(1, 4), leave=st.integers(1, 4))
def test_it_turns_only_after_a_full_row(breaches, enter, leave):
    evaluations = [{"at": f"2026-09-01T{n // 60:02}:{n % 60:02}:00Z", "breached": breach} for n, breach in enumerate(breaches)]
    states = [row["state"] for row in measure("BM-HYST", {"enter_after": enter, "leave_after": leave, "evaluations": evaluations})]
    before = "operational"
    for n, state in enumerate(states):
        needed = enter if before == "operational" else leave
        row = breaches[max(0, n + 1 - needed) : n + 1]
        turned = state != before
        assert not turned or (len(row) == needed and set(row) == {before == "operational"})
        before = state


def test_it_starts_and_stops_flapping_at_different_ratios():
    outcomes = [{"at": f"2026-09-{n + 1:02}T00:00:00Z", "good": good} for n, good in enumerate([1, 0, 1, 0, 1] + [1] * 12)]
    inputs = {"outcomes": outcomes, "window": 10, "start_ratio": 0.4, "stop_ratio": 0.2}
    flapping = [row["flapping"] for row in measure("BM-FLAP", inputs)]
    assert flapping == [False] * 4 + [True] * 8 + [False] * 5


def test_it_takes_a_baseline_without_incidents_as_one():
    inputs = {"now": "2026-10-01T00:00:00Z", "window_days": 30, "baseline_days": 90, "min_count": 3, "alpha": 0.01}
    result = measure("BM-RECUR", inputs | {"incidents": [f"2026-09-1{n}T00:00:00Z" for n in range(3)]})
    assert (result["expected"], result["candidate_problem"]) == (0.333333, True)


def test_quiet_hours_that_end_in_the_repeated_hour_never_end_before_the_alert():
    quiet = {"from": "22:00", "to": "02:30", "weekends_all_day": False}
    assert deliver("2026-10-25T00:10:00Z", **quiet) == "2026-10-25T00:30:00Z"
    assert deliver("2026-10-25T01:10:00Z", **quiet) == "2026-10-25T01:30:00Z"  # 02:10 for the second time
    assert deliver("2026-10-25T01:40:00Z", **quiet) == "2026-10-25T01:40:00Z"


def test_instants_are_written_in_utc_however_they_came():
    outcomes = [{"at": "2026-09-01T02:00:00+02:00", "good": True}]
    assert (
        measure("BM-FLAP", {"outcomes": outcomes, "window": 10, "start_ratio": 0.4, "stop_ratio": 0.2})[0]["at"] == "2026-09-01T00:00:00Z"
    )
    evaluations = [{"at": "2026-09-01T02:00:00+02:00", "breached": True}]
    assert measure("BM-HYST", {"enter_after": 2, "leave_after": 3, "evaluations": evaluations})[0]["at"] == "2026-09-01T00:00:00Z"
    events = [{"at": f"2026-09-01T02:00:0{n}.000+02:00", "key": "k", "kind": kind} for n, kind in enumerate(("trigger", "resolve"))]
    (alert,) = measure("BM-DEDUP", {"reopen_within_seconds": 60, "events": events})["alerts"]
    assert (alert["opened_at"], alert["resolved_at"]) == ("2026-09-01T00:00:00Z", "2026-09-01T00:00:01Z")


def test_a_zone_that_does_not_exist_is_named_as_such():
    with pytest.raises(MethodError, match="time zone"):
        measure(
            "BM-QUIET",
            {"timezone": "Mars/Base", "quiet": {}, "bypass_priorities": [], "alerts": [{"priority": "P3", "at": "2026-09-01T00:00:00Z"}]},
        )
