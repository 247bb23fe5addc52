"""How occurrences and attempts are counted at the edges."""

from __future__ import annotations

from typing import Any

import pytest

from monitoring.methods import measure
from monitoring.methods.success import Windows, windows


def night(number: int) -> dict[str, str]:
    return {
        "id": f"n{number}",
        "opens_at": f"2026-09-{number:02}T22:00:00Z",
        "closes_at": f"2026-09-{number + 1:02}T02:00:00Z",
        "cutoff_at": f"2026-09-{number + 1:02}T22:00:00Z",
    }


def run(night: int, start: str, end: str | None, status: str, attempt: int = 1) -> dict[str, Any]:
    return {"id": "r", "occurrence": f"n{night}", "attempt": attempt, "started_at": start, "ended_at": end, "status": status}


def count(*runs: dict[str, Any], at: str = "2026-09-20T00:00:00Z", method: str = "BM-SR-WIN", **changes: Any) -> dict[str, Any]:
    inputs = {"period": ["2026-09-01T00:00:00Z", "2026-10-01T00:00:00Z"], "evaluated_at": at, "occurrences": [night(4)], "runs": list(runs)}
    return measure(method, inputs | changes)


def test_it_counts_a_run_that_ends_exactly_at_the_cutoff_or_the_close():
    end = run(4, "2026-09-04T22:00:00Z", "2026-09-05T22:00:00Z", "success")
    assert count(end)["good"] == 1
    assert count(end, method="BM-CIW")["on_time"] == 0
    assert count(run(4, "2026-09-04T22:00:00Z", "2026-09-05T02:00:00Z", "success"), method="BM-CIW")["on_time"] == 1
    assert count(run(4, "2026-09-04T22:00:00Z", "2026-09-05T22:00:01Z", "success"))["bad"] == 1


def test_it_does_not_know_yet_what_ends_after_the_evaluation():
    late = run(4, "2026-09-04T22:00:00Z", "2026-09-05T01:00:00Z", "success")
    assert count(late, at="2026-09-05T00:00:00Z")["pending"] == 1


def test_it_tells_missed_from_bad():
    assert count()["missed"] == 1
    assert count(run(4, "2026-09-04T22:00:00Z", None, "running"))["bad"] == 1


def test_it_gives_an_occurrence_to_the_period_of_its_opening():
    assert count(period=["2026-09-05T00:00:00Z", "2026-10-01T00:00:00Z"])["total"] == 0
    assert count(period=["2026-09-05T00:00:00Z", "2026-10-01T00:00:00Z"])["rate"] is None


def test_it_excludes_good_and_bad_alike_in_maintenance():
    maintenance = [["2026-09-04T21:00:00Z", "2026-09-04T22:00:01Z"]]
    good = run(4, "2026-09-04T22:00:00Z", "2026-09-04T23:00:00Z", "success")
    assert count(good, maintenance=maintenance)["excluded"] == count(maintenance=maintenance)["excluded"] == 1
    assert count(maintenance=[["2026-09-04T21:00:00Z", "2026-09-04T22:00:00Z"]])["missed"] == 1


def test_it_takes_the_first_attempt_by_its_number():
    first = run(4, "2026-09-04T23:30:00Z", "2026-09-05T00:00:00Z", "failed", attempt=1)
    second = run(4, "2026-09-04T22:00:00Z", "2026-09-04T22:30:00Z", "success", attempt=2)
    assert count(first, second, method="BM-FAS")["good"] == 0


@pytest.mark.parametrize(("policy", "good"), [({}, 1), ({"warning_is_good": False}, 0), ({"partial_is_good": True}, 2)])
def test_it_follows_the_policy_about_warnings_and_partials(policy, good):
    runs = [run(4, "2026-09-04T22:00:00Z", "2026-09-04T23:00:00Z", status) for status in ("warning", "partial")]
    assert count(*runs, method="BM-SR-RUN", policy=policy)["good"] == good


def test_it_counts_ledger_lines_as_the_headline_method_does():
    lines = [("satisfied", True), ("satisfied_late", True), ("missed", True), ("missed", False), ("late", False), ("expected", False)]
    counted = windows([*lines, ("excused", True), ("unconfirmed", False)])
    assert counted == Windows(good=2, bad=1, pending=3, excused=1, unconfirmed=1)
    assert (counted.settled, counted.rate) == (3, 0.666667)
    assert windows([]).rate is None


def test_it_takes_the_next_opening_for_a_cutoff_that_was_not_agreed():
    nights = [{key: value for key, value in night(number).items() if key != "cutoff_at"} for number in (4, 6)]
    late = run(4, "2026-09-05T22:00:00Z", "2026-09-06T22:00:00Z", "success")
    counted = count(late, occurrences=nights)
    assert (counted["good"], counted["pending"], counted["total"]) == (1, 1, 1)  # nothing says when the last one is over
    assert count(run(4, late["started_at"], "2026-09-06T22:00:01Z", "success"), occurrences=nights)["bad"] == 1
    assert count(run(6, "2026-09-06T22:00:00Z", "2026-09-09T22:00:00Z", "success"), occurrences=nights)["good"] == 1


def test_a_run_that_is_linked_to_no_occurrence_fills_none():
    adhoc = {key: value for key, value in run(4, "2026-09-04T22:00:00Z", "2026-09-04T23:00:00Z", "success").items() if key != "occurrence"}
    assert count(adhoc)["missed"] == count(adhoc | {"occurrence": None})["missed"] == 1
    assert count(adhoc, method="BM-SR-RUN")["good"] == 1
