"""Each line of the restore claim's table, and what it does to verdict, status and alerts of a service."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from itsm_backup.common.time import iso, parse_instant
from monitoring.judging import judge_service
from tests.monitoring.test_judging import NOON, facts, item, point

DAY = dt.timedelta(days=1)
RTO_S, TEST_DAYS = 8 * 3600, 90


def ago(days: float) -> str:
    return str(iso(NOON - days * DAY))


def test(days: float, *, run: int = 70, **changes: Any) -> dict[str, Any]:
    """A full test that ended so many days ago after five hours, passed and compared."""
    return {
        "run": run, "scope": "full", "outcome": "passed", "verified": True, "started_at": ago(days + 5 / 24), "ended_at": ago(days),
        "duration_s": 5 * 3600, **changes,
    }  # fmt: skip


test.__test__ = False  # type: ignore[attr-defined]


def check(days: float, *, passed: bool, job: int = 3) -> dict[str, Any]:
    return {"run": 80, "job": job, "at": ago(days), "passed": passed}


def judged(*tests: dict[str, Any], checks: tuple[dict[str, Any], ...] = (), rto_s=RTO_S, test_days=TEST_DAYS, **changes: Any) -> Any:
    restore = {"rto_s": rto_s, "test_days": test_days, "tests": list(tests), "checks": list(checks)}
    return judge_service(facts(restore=restore, **changes))


def claim(*tests: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return next(one for one in judged(*tests, **changes)["claims"] if one["claim"] == "restore")


def told(*tests: dict[str, Any], **changes: Any) -> tuple[str, str, str]:
    found = claim(*tests, **changes)
    return found["verdict"], found["reason"], found["detail"]


PROVEN = ("kept", "kept", "proven")


def unproven(detail: str) -> tuple[str, str, str]:
    return "no_data", "unproven", detail


def contradicted(detail: str) -> tuple[str, str, str]:
    return "broken", "contradicted", detail


SAMPLE: dict[str, Any] = {"scope": "sample", "duration_s": 60}
WAITS: dict[str, Any] = {"verified": None, "waits": True}
FAILED: dict[str, Any] = {"outcome": "failed", "verified": None, "duration_s": None}


@pytest.mark.parametrize(
    ("tests", "changes", "expected"),
    [
        ([test(20)], {}, PROVEN),
        ([], {}, unproven("never_tested")),
        ([test(20, **SAMPLE)], {}, unproven("never_tested")),
        ([test(20, verified=None)], {}, unproven("not_compared")),
        ([test(20, duration_s=None)], {}, unproven("not_timed")),
        ([test(20, duration_s=None)], {"rto_s": None}, PROVEN),
        ([test(90)], {}, PROVEN),
        ([test(90.001)], {}, unproven("too_old")),
        ([test(500)], {"test_days": None}, PROVEN),
        ([test(20, duration_s=RTO_S)], {}, PROVEN),
        ([test(20, duration_s=RTO_S + 1)], {}, contradicted("too_slow")),
        ([test(20, duration_s=RTO_S + 1)], {"rto_s": None}, PROVEN),
        ([test(20, **FAILED)], {}, contradicted("test_failed")),
        ([test(20, verified=False)], {}, contradicted("test_failed")),
        ([test(200, **FAILED)], {}, contradicted("test_failed")),
        ([test(20), test(30, **FAILED)], {}, PROVEN),
        ([test(30), test(20, **FAILED)], {}, contradicted("test_failed")),
        ([test(20), test(2, **SAMPLE)], {}, PROVEN),
        ([test(20), test(2, **SAMPLE | FAILED)], {}, contradicted("sample_failed")),
        ([test(2), test(20, **SAMPLE | FAILED)], {}, PROVEN),
        ([test(20, **FAILED), test(2, **SAMPLE)], {}, contradicted("test_failed")),
        ([test(2, **WAITS)], {}, unproven("not_verified")),
        ([test(20), test(2, **WAITS)], {}, PROVEN),
        ([test(20, **FAILED), test(2, **WAITS)], {}, contradicted("test_failed")),
        ([test(95), test(2, **WAITS)], {}, unproven("too_old")),
        ([test(20), test(2, **WAITS)], {"checks": (check(5, passed=False),)}, contradicted("damage_found")),
        ([test(20)], {"checks": (check(2, passed=False),)}, contradicted("damage_found")),
        ([test(20)], {"checks": (check(30, passed=False),)}, PROVEN),
        ([test(20)], {"checks": (check(2, passed=True),)}, PROVEN),
        ([test(20, **FAILED)], {"checks": (check(30, passed=False),)}, contradicted("damage_found")),
        ([], {"checks": (check(2, passed=False),)}, contradicted("damage_found")),
    ],
)
def test_what_tests_say_of_the_promise(tests, changes, expected):
    assert told(*tests, **changes) == expected


def test_the_order_of_its_inputs_does_not_matter():
    tests = [test(20, run=1), test(30, run=2, **FAILED), test(2, run=3, **SAMPLE)]
    assert claim(*tests) == claim(*reversed(tests))


def test_it_names_what_it_rests_on():
    found = claim(test(20, run=71), test(50, run=72))
    assert (found["run"], found["measured_s"], found["target_s"]) == (71, 5 * 3600, RTO_S)
    assert (found["tested_at"], found["due_at"]) == (ago(20), ago(-70))


def test_it_is_looked_at_again_when_the_test_grows_too_old():
    result = judged(test(89.9), items=[item(point(1))], rpo_s=None)
    later = parse_instant(result["next_change_at"])
    assert later == NOON + dt.timedelta(days=0.1, seconds=1)
    again = facts(restore={"rto_s": RTO_S, "test_days": TEST_DAYS, "tests": [test(89.9)], "checks": []}, rpo_s=None)
    assert judge_service({**again, "at": iso(later)})["claims"][-1]["detail"] == "too_old"
    assert judge_service({**again, "at": iso(later - dt.timedelta(seconds=1))})["claims"][-1]["detail"] == "proven"


def standing(result: dict[str, Any]) -> tuple[str, str, str]:
    return result["verdict"], result["status"], result["status_reason"]


def conditions(result: dict[str, Any]) -> list[str]:
    return [condition["class"] for condition in result["conditions"]]


def test_what_is_not_proven_yet_pulls_nothing_down():
    result = judged()
    assert standing(result) == ("kept", "operational", "kept")
    assert conditions(result) == []


def test_a_service_that_promises_only_a_restore_is_unknown_until_one_is_proven():
    only = {"rpo_s": None, "success_target": None}
    assert standing(judged(**only)) == ("no_data", "unknown", "unproven")
    assert standing(judged(test(3), **only)) == ("kept", "operational", "kept")


def test_one_contradiction_breaks_the_promise_and_calls_somebody_but_the_status_waits_for_a_second():
    once = judged(test(20), test(2, run=75, **FAILED))
    assert standing(once) == ("broken", "operational", "awaiting_more_bad")
    assert conditions(once) == ["rto_test_failed"]
    assert (once["conditions"][0]["severity"], once["conditions"][0]["runs"]) == ("error", [75])
    twice = judged(test(20, **FAILED), test(2, **FAILED))
    assert standing(twice) == ("broken", "degraded", "contradicted")
    assert standing(judged(test(2, **FAILED), checks=(check(1, passed=False),)))[1] == "degraded"


def test_the_status_rises_with_the_test_that_proves_it():
    before = {"status": "degraded", "since": ago(2), "by_rpo": False}
    assert standing(judged(test(1), test(2, **FAILED), test(20, **FAILED), previous=before)) == ("kept", "operational", "kept")


def test_it_never_hides_what_the_other_promises_ask_for():
    bad = [test(20, **FAILED), test(2, **FAILED)]
    assert standing(judged(*bad, items=[item(point(30))]))[:2] == ("broken", "outage")
    silent = [{"tool": 1, "name": "restic", "silent": True}]
    assert standing(judged(*bad, sources=silent))[:2] == ("no_data", "unknown")
    held = [{"window": 1, "from": ago(1), "until": ago(-1)}]
    assert standing(judged(*bad, holds=held)) == ("held", "maintenance", "held")
    assert conditions(judged(*bad, holds=held)) == []


def test_it_does_not_claim_to_know_more_than_a_silent_tool_lets_it():
    """One failed restore, while nobody can see how old the copies are: broken, but the status stays unknown."""
    items = [item(point(2), number=1, tool=1)]
    sources = [{"tool": 1, "name": "restic", "silent": True}, {"tool": 2, "name": "push", "silent": False}]
    assert standing(judged(test(2, **FAILED), items=items, sources=sources))[:2] == ("broken", "unknown")


def test_inputs_of_version_1_give_what_they_always_gave():
    """Taken from a judgement of version 1; nothing about restores stands in it."""
    result = judge_service(facts())
    assert [one["claim"] for one in result["claims"]] == ["rpo", "success"]
    assert set(result) == {"verdict", "status", "status_reason", "by_rpo", "claims", "conditions", "unjudged", "next_change_at"}
    assert judge_service(facts(restore=None)) == result
