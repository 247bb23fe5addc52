"""Durations, volumes and copies at their edges: policies, what is left out, and what a tool does not tell."""

from __future__ import annotations

from typing import Any

from monitoring.methods import measure

NIGHT = {"started_at": "2026-09-01T22:00:00Z", "ended_at": "2026-09-01T23:00:00Z"}
AT = "2026-10-01T00:00:00Z"


def durations(**changes: Any) -> int:
    runs = [NIGHT | {"status": status} for status in ("success", "warning", "partial", "failed")]
    return int(measure("BM-DUR", {"runs": [*runs, {"started_at": NIGHT["started_at"], "status": "success"}]} | changes)["n"])


def test_durations_are_those_of_runs_that_the_policy_calls_good():
    assert durations() == durations(policy=None) == 2
    assert durations(policy={"warning_is_good": False}) == 1
    assert durations(policy={"partial_is_good": True}) == 3


def test_nothing_stored_has_no_reduction():
    runs = [{"id": "a", "kind": "full", "captured_at": AT, "bytes_logical": 10, "bytes_stored": 0}]
    assert measure("BM-DDR", {"runs": runs}) == {"sum_logical": 10, "sum_stored": 0, "ratio": None, "savings": None}


def test_what_a_tool_does_not_tell_may_be_left_out():
    assert measure("BM-THR", {"runs": [NIGHT, NIGHT | {"bytes_transferred": 3600}]})["bytes_per_second"] == 1.0
    point = {"id": "p", "captured_at": "2026-09-30T00:00:00Z"}
    given = {"at": AT, "required_lock_days": 14, "points": [point]}
    assert measure("BM-ENC", given) == {"covered": 0, "total": 1, "unknown": 1, "rate": 0.0, "bytes_rate": None}
    assert measure("BM-IMM", given) == {"covered": [], "total": 1, "rate": 0.0}
    copies = {"at": AT, "production_site": "a", "count_production": True, "verification_max_age_days": 30, "verifications": []}
    assert measure("BM-32110", copies | {"copies": [{"media": "disk", "site": "b", "status": "ok"}]})["passed"] == 1


def test_items_out_of_scope_need_no_restore_test():
    items = [{"id": "a", "tier": 1, "in_scope": False}, {"id": "b", "tier": 1}]
    given = {"at": AT, "cadence_days": {"1": 90}, "items": items}
    assert measure("BM-RTC", given) == {"covered": [], "total": 1, "rate": 0.0, "overdue": ["b"]}


def test_what_is_not_known_has_no_change_rate_and_is_no_history():
    full, next_one = (
        {"id": name, "kind": kind, "captured_at": f"2026-09-0{day}T22:00:00Z"} for name, kind, day in (("f", "full", 1), ("i", "incr", 2))
    )
    assert measure("BM-CHG", {"runs": [full, next_one | {"bytes_changed": 5, "bytes_logical": None}]}) == {"latest": None}
    history = [{"captured_at": f"2026-09-{day:02}T22:00:00Z", "gib": 10 if day > 1 else None} for day in range(1, 16)]
    assert measure("BM-ANO-MAD", {"history": history, "value": 10, "threshold": 3.5})["median"] == 10.0
    assert measure("BM-ANO-MAD", {"history": history[:14], "value": 10, "threshold": 3.5})["state"] == "insufficient_history"
