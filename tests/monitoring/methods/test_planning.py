"""Due times, freezes, coverage, polling plans, and figures against target and peers, at their edges."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.methods import MethodError, measure


def test_it_is_null_on_a_date_without_an_occurrence():
    inputs = {"timezone": "UTC", "rrule": "FREQ=WEEKLY;BYDAY=MO", "local_time": "01:00", "dates": ["2026-09-07", "2026-09-08"]}
    assert measure("BM-SCHED", inputs) == ["2026-09-07T01:00:00Z", None]
    assert measure("BM-SCHED", inputs | {"dates": []}) == []


def test_it_leaves_excluded_freezes_out():
    inputs = {
        "timezone": "UTC",
        "dtstart_local": "2026-01-31T18:00:00",
        "rrule": "FREQ=MONTHLY;BYMONTHDAY=-1",
        "duration_seconds": 3600,
        "horizon": ["2026-02-01T00:00:00Z", "2026-04-01T00:00:00Z"],
        "excluded_on": ["2026-02-28"],
        "changes": [],
    }
    assert measure("BM-FREEZE", inputs)["freezes"] == [["2026-03-31T18:00:00Z", "2026-03-31T19:00:00Z"]]


def test_it_passes_coverage_only_when_all_is_watched():
    job = {"service": "s", "job": "j", "state": "active", "monitored": True, "last_seen_at": "2026-10-01T11:00:00Z"}
    inputs = {"at": "2026-10-01T12:00:00Z", "services": ["s"], "jobs": [job | {"freshness_limit_seconds": 3600}]}
    assert measure("BM-COVER", inputs)["verdict"] == "pass"
    assert measure("BM-COVER", inputs | {"services": []})["verdict"] == "fail"
    unwatched = inputs | {"jobs": [inputs["jobs"][0] | {"monitored": False}]}
    assert measure("BM-COVER", unwatched)["gaps"][0]["reason"] == "NOT_MONITORED"


def poll(budget: float, *sources: tuple[int, int, int]) -> dict[str, Any]:
    listed = [{"id": str(n), "tier": tier, "rpo_seconds": rpo, "calls_per_poll": calls} for n, (tier, rpo, calls) in enumerate(sources)]
    factors = {"1": 0.05, "2": 0.1, "3": 0.2}
    inputs = {"factors": factors, "min_seconds": 300, "max_seconds": 21600, "budget_requests_per_hour": budget, "use_fraction": 0.8}
    return measure("BM-FREQ", inputs | {"sources": listed})


def test_it_lengthens_the_lowest_tier_first():
    result = poll(50, (1, 14400, 6), (3, 36000, 20))
    assert result["interval_seconds"] == {"0": 720, "1": 7200}
    result = poll(45, (1, 14400, 6), (3, 36000, 20))
    assert result["interval_seconds"] == {"0": 720, "1": 12000}
    assert result["feasible"] is True


def test_it_lengthens_the_next_tier_when_the_lowest_is_at_its_limit():
    result = poll(20, (1, 14400, 6), (3, 36000, 20))
    assert result["interval_seconds"]["1"] == 21600
    assert result["interval_seconds"]["0"] > 720
    assert result["feasible"] is True
    assert poll(1, (1, 14400, 6), (3, 36000, 20))["feasible"] is False


@given(
    budget=st.integers(1, 500), sources=st.lists(st.tuples(st.integers(1, 3), st.integers(600, 200_000), st.integers(0, 60)), max_size=6)
)
def test_it_stays_within_the_budget_or_says_that_it_cannot(budget, sources):
    result = poll(budget, *sources)
    assert all(300 <= interval <= 21600 for interval in result["interval_seconds"].values())
    if result["feasible"]:
        assert result["requests_per_hour"] <= result["allowed"] + 1e-6
    else:
        assert all(interval == 21600 for interval in result["interval_seconds"].values())


def test_it_suppresses_comparison_in_small_groups():
    peers = [{"service": str(n), "good": 9, "total": 10} for n in range(3)]
    inputs = {"alpha_low": 0.001, "alpha_warn": 0.025, "min_group": 8, "peers": peers}
    assert {row["verdict"] for row in measure("BM-FUNNEL", inputs)} == {"suppressed_small_group"}


def test_it_watches_between_the_two_limits_and_has_no_verdict_without_runs():
    peers = [{"service": str(n), "good": 98, "total": 100} for n in range(8)]
    peers += [{"service": "odd", "good": 46, "total": 50}, {"service": "none", "good": 0, "total": 0}]
    rows = measure("BM-FUNNEL", {"alpha_low": 0.001, "alpha_warn": 0.025, "min_group": 8, "peers": peers})
    assert [row["verdict"] for row in rows[-2:]] == ["watch", "insufficient_data"]


@pytest.mark.parametrize(
    ("actual", "higher_is_better", "direction"),
    [(12, True, "favourable"), (12, False, "adverse"), (8, True, "adverse"), (10, True, "none")],
)
def test_it_knows_which_way_is_worse(actual, higher_is_better, direction):
    inputs = {"actual": actual, "monthly_history": [9, 10, 11], "higher_is_better": higher_is_better}
    result = measure("BM-VAR", inputs)
    assert (result["direction"], result["target_status"]) == (direction, None)


def record(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "source": "s",
        "external_id": name,
        "occurrence": name,
        "job_mapped": True,
        "entry_version_valid": True,
        "started_at": "2026-09-30T22:00:00Z",
        "ended_at": "2026-09-30T23:00:00Z",
        "received_at": "2026-09-30T23:01:00Z",
    } | changes


def gate(*records: dict[str, Any], expected: int = 1, ingested: str = "2026-10-01T05:00:00Z") -> str:
    inputs = {"expected_occurrences": expected, "freshness_limit_seconds": 7200, "skew_limit_seconds": 300}
    instants = {"evaluated_at": "2026-10-01T06:00:00Z", "last_ingested_at": ingested}
    return str(measure("BM-DQ", inputs | instants | {"received": list(records)})["gate"])


def test_it_blocks_qualifies_or_passes_the_data():
    assert gate(record("a")) == "passed"
    assert gate(record("a"), ingested="2026-10-01T03:00:00Z") == "blocked"
    assert gate(record("a", received_at="2026-09-30T22:54:00Z")) == "qualified"
    assert gate(record("a", ended_at="2026-09-30T21:00:00Z")) == "qualified"
    assert gate(record("a", ended_at="2026-09-30T21:00:00Z", started_at=None)) == gate(record("a", received_at=None)) == "passed"
    assert gate(record("a"), record("a")) == "qualified"
    assert gate(record("a"), record("a", attempt=2)) == "passed"
    assert gate(record("a", job_mapped=False)) == "blocked"
    assert gate(expected=0) == "blocked"


def test_it_reconciles_event_by_event():
    ours = [{"occurrence": "a", "good": True}, {"occurrence": "b", "good": False}]
    swapped = [{"occurrence": "a", "good": False}, {"occurrence": "b", "good": True}]
    assert measure("BM-RECON", {"tolerance_pp": 0.5, "monitoring": ours, "sla_report": ours})["status"] == "agree"
    same_rate = measure("BM-RECON", {"tolerance_pp": 0.5, "monitoring": ours, "sla_report": swapped})
    assert (same_rate["status"], same_rate["outcome_mismatch"]) == ("within_tolerance", ["a", "b"])


def test_it_scores_retirement_between_keep_and_candidate():
    scores = dict.fromkeys(("usage", "reliability", "obsolescence", "cost", "overlap"), 0.5)
    assert measure("BM-RETIRE", {"scores": scores, "blockers": []})["recommendation"] == "review"
    assert measure("BM-RETIRE", {"scores": dict.fromkeys(scores, 0.2), "blockers": []})["recommendation"] == "keep"


def freezes(rrule: str, **changes: Any) -> list[str]:
    inputs = {
        "timezone": "Europe/Paris",
        "dtstart_local": "2026-10-20T18:00:00",
        "rrule": rrule,
        "duration_seconds": 3600,
        "horizon": ["2026-10-01T00:00:00Z", "2027-01-01T00:00:00Z"],
        "changes": [],
    }
    return [start[5:13] for start, _ in measure("BM-FREEZE", inputs | changes)["freezes"]]


def test_rules_end_after_a_count_or_at_an_instant():
    assert freezes("FREQ=WEEKLY;BYDAY=FR;COUNT=2") == ["10-23T16", "10-30T17"]
    assert freezes("FREQ=WEEKLY;BYDAY=FR;UNTIL=20261030") == ["10-23T16", "10-30T17"]
    assert freezes("FREQ=WEEKLY;BYDAY=FR;UNTIL=20261030T170000Z") == ["10-23T16", "10-30T17"]
    assert freezes("FREQ=WEEKLY;BYDAY=FR;UNTIL=20261030T165959Z") == ["10-23T16"]
    assert freezes("FREQ=WEEKLY;BYDAY=FR;UNTIL=20261001") == []
    assert freezes("RRULE:FREQ=DAILY;COUNT=3", horizon=["2026-10-22T00:00:00Z", "2026-12-01T00:00:00Z"]) == ["10-22T16"]
    due = {"timezone": "UTC", "local_time": "01:00", "dates": ["2026-09-07", "2026-09-08", "2026-09-09"]}
    assert measure("BM-SCHED", due | {"rrule": "FREQ=DAILY;COUNT=2"}) == ["2026-09-07T01:00:00Z", "2026-09-08T01:00:00Z", None]
    assert measure("BM-SCHED", due | {"rrule": "FREQ=DAILY;UNTIL=20260901"}) == [None, None, None]


@pytest.mark.parametrize("rrule", ["FREQ=DAILY;COUNT=0", "FREQ=DAILY;COUNT=2;UNTIL=20261030", "FREQ=DAILY;UNTIL=soon", "COUNT=2"])
def test_an_end_that_is_none_is_refused(rrule):
    with pytest.raises(MethodError, match="BM-FREEZE"):
        freezes(rrule)


def test_a_rate_of_nothing_is_null():
    inputs = {"good": 0, "total": 0, "target": 0.98, "baseline_good": 9, "baseline_total": 10, "higher_is_better": True}
    result = measure("BM-VAR", inputs)
    assert (result["actual"], result["target_status"], result["target_confidence"]) == (None, None, "insufficient_data")
    assert result.keys() == measure("BM-VAR", inputs | {"good": 1, "total": 1}).keys()


def test_data_that_never_came_in_blocks():
    inputs = {"expected_occurrences": 1, "freshness_limit_seconds": 7200, "skew_limit_seconds": 300, "received": [record("a")]}
    result = measure("BM-DQ", inputs | {"evaluated_at": "2026-10-01T06:00:00Z", "last_ingested_at": None})
    assert (result["fresh"], result["gate"]) == (False, "blocked")
