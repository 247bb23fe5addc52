"""Each line of the verdict and status tables, the alert conditions, and the laws that hold for any inputs."""

from __future__ import annotations

import copy
import datetime as dt
import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itsm_backup.common.time import iso, parse_instant
from monitoring.claims import WORST_LAST
from monitoring.judging import JudgingError, judge_service

NOON = dt.datetime(2026, 7, 14, 12, tzinfo=dt.UTC)
RPO_H = 10
FAR = {1: 2, 2: 2, 3: 4, 4: 4}


def ago(hours: float) -> str:
    return str(iso(NOON - dt.timedelta(hours=hours)))


def point(hours: float, **changes: Any) -> dict[str, Any]:
    return {"point": 5, "run": 50, "captured_at": ago(hours), "available_at": ago(hours - 0.5), **changes}


def item(*points: dict[str, Any], number: int = 1, **changes: Any) -> dict[str, Any]:
    return {"item": number, "name": f"item {number}", "points": list(points), **changes}


def job(**changes: Any) -> dict[str, Any]:
    return {"job": 3, "name": "nightly", "latest_run": 50, "latest_outcome": "success", "good_streak": 9, **changes}


def facts(**changes: Any) -> dict[str, Any]:
    """A tier 2 service inside its promise: one item with a point of 2 h, 30 nights of which 14 are settled and good."""
    counts = {"settled": 14, "good": 14, "bad": 0, "pending": 16, "excused": 0, "unconfirmed": 0}
    return {
        "at": ago(0),
        "tier": 2,
        "commissioned_at": ago(5_000),
        "rpo_s": RPO_H * 3600,
        "success_target": 0.9,
        "period": [ago(14 * 24), ago(-16 * 24)],
        "items": [item(point(2))],
        "occurrences": counts | changes.pop("occurrences", {}),
        "jobs": [job()],
        "sources": [{"tool": 1, "name": "restic", "silent": False, "silent_since": None}],
        "holds": [],
        "workflow": {"at_risk_fraction": 0.9, "outage_factor": {"1": 2, "2": 2, "3": 4, "4": 4}, "fall_after": 2, "rise_after": 3},
        "previous": {"status": "operational", "since": ago(100), "by_rpo": False},
        **changes,
    }


def stands(**changes: Any) -> tuple[str, str, str]:
    result = judge_service(facts(**changes))
    return result["verdict"], result["status"], result["status_reason"]


def bad_nights(bad: int, settled: int = 14) -> dict[str, int]:
    return {"settled": settled, "good": settled - bad, "bad": bad, "pending": 30 - settled}


SILENT = [{"tool": 1, "name": "restic", "silent": True, "silent_since": ago(3)}]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ("kept", "operational", "kept")),
        ({"items": [item(point(9))]}, ("kept", "operational", "kept")),
        ({"items": [item(point(9.01))]}, ("at_risk", "operational", "rpo_nearly_used")),
        ({"items": [item(point(10))]}, ("at_risk", "operational", "rpo_nearly_used")),
        ({"items": [item(point(10.01))]}, ("broken", "degraded", "rpo_exceeded")),
        ({"items": [item(point(20))]}, ("broken", "degraded", "rpo_exceeded")),
        ({"items": [item(point(20.01))]}, ("broken", "outage", "rpo_far_exceeded")),
        ({"items": [item(point(20.01))], "tier": 3}, ("broken", "degraded", "rpo_exceeded")),
        ({"items": [item(point(40.01))], "tier": 4}, ("broken", "outage", "rpo_far_exceeded")),
        ({"items": [item()]}, ("broken", "outage", "no_usable_point")),
        ({"items": [item()], "commissioned_at": ago(8)}, ("kept", "operational", "kept")),
        ({"items": [item(commissioned_at=ago(8))]}, ("kept", "operational", "kept")),
        ({"items": [item()], "commissioned_at": ago(11)}, ("broken", "outage", "no_usable_point")),
        ({"items": [item(point(2, expires_at=ago(0)))]}, ("broken", "outage", "no_usable_point")),
        ({"items": [item(point(2, gone_at=ago(1)), point(12))]}, ("broken", "degraded", "rpo_exceeded")),
        ({"items": [item(point(2, invalid_from=ago(1)), point(9.5))]}, ("at_risk", "operational", "rpo_nearly_used")),
        ({"items": [item(point(2, available_at=ago(-1)), point(3))]}, ("kept", "operational", "kept")),
        ({"items": [item(point(2)), item(point(11), number=2)]}, ("broken", "degraded", "rpo_exceeded")),
        ({"occurrences": bad_nights(2)}, ("kept", "operational", "kept")),
        ({"occurrences": bad_nights(3)}, ("at_risk", "operational", "budget_nearly_used")),
        ({"occurrences": bad_nights(4)}, ("at_risk", "operational", "target_out_of_reach")),
        ({"occurrences": bad_nights(4, settled=30), "period": [ago(720), ago(0)]}, ("broken", "operational", "awaiting_more_bad")),
        ({"occurrences": bad_nights(3, settled=30), "period": [ago(720), ago(0)]}, ("kept", "operational", "kept")),
        ({"occurrences": {"settled": 0, "good": 0, "pending": 30}}, ("kept", "operational", "kept")),
        ({"occurrences": {"settled": 0, "good": 0}, "period": [ago(720), ago(0)]}, ("no_data", "unknown", "nothing_settled")),
        ({"items": [], "jobs": []}, ("no_data", "unknown", "nothing_mapped")),
        ({"items": []}, ("no_data", "unknown", "no_items")),
        ({"jobs": []}, ("no_data", "unknown", "no_jobs")),
        ({"jobs": [job(scheduled=False)]}, ("no_data", "unknown", "no_schedule")),
        ({"rpo_s": None, "items": []}, ("kept", "operational", "kept")),
        ({"success_target": None, "jobs": []}, ("kept", "operational", "kept")),
        ({"rpo_s": None, "success_target": None}, ("no_data", "unknown", "no_commitment")),
        ({"sources": SILENT}, ("no_data", "unknown", "source_silent")),
        ({"sources": SILENT, "items": [item(point(50))]}, ("no_data", "unknown", "source_silent")),
        ({"sources": [*SILENT, {"tool": 2, "silent": False}]}, ("kept", "operational", "kept")),
        ({"sources": [*SILENT, {"tool": 2, "silent": False}], "items": [item(point(2), tool=1)]}, ("no_data", "unknown", "source_silent")),
        (
            {
                "sources": [*SILENT, {"tool": 2, "silent": False}],
                "items": [item(point(2), tool=1), item(point(11), number=2, tool=2)],
            },
            ("broken", "degraded", "rpo_exceeded"),
        ),
        ({"holds": [{"window": 9, "until": ago(-1)}], "items": [item()]}, ("held", "maintenance", "held")),
        ({"holds": [{"window": 9, "until": ago(0)}]}, ("kept", "operational", "kept")),
        ({"holds": [{"window": 9, "from": ago(-1), "until": ago(-2)}]}, ("kept", "operational", "kept")),
    ],
)
def test_it_judges_by_the_table(changes, expected):
    assert stands(**changes) == expected


TWO_BAD = [job(bad_streak=2, good_streak=0, latest_outcome="failed", latest_problem_run=50)]
ONE_BAD = [job(bad_streak=1, good_streak=0, latest_outcome="failed", latest_problem_run=50)]
THREE_GOOD = [job(good_streak=3)]
TWO_GOOD = [job(good_streak=2)]
DEGRADED = {"status": "degraded", "since": ago(30), "by_rpo": False}
DEGRADED_BY_RPO = {"status": "degraded", "since": ago(30), "by_rpo": True}


@pytest.mark.parametrize(
    ("changes", "status", "reason"),
    [
        ({"tier": 1, "occurrences": bad_nights(3), "jobs": ONE_BAD}, "operational", "awaiting_more_bad"),
        ({"tier": 1, "occurrences": bad_nights(3), "jobs": TWO_BAD}, "degraded", "budget_nearly_used"),
        ({"tier": 2, "occurrences": bad_nights(3), "jobs": TWO_BAD}, "operational", "budget_nearly_used"),
        ({"tier": 1, "items": [item(point(9.5))], "jobs": ONE_BAD}, "operational", "awaiting_more_bad"),
        ({"tier": 1, "occurrences": bad_nights(3), "jobs": ONE_BAD, "previous": DEGRADED}, "degraded", "budget_nearly_used"),
        ({"tier": 1, "jobs": TWO_GOOD, "previous": DEGRADED}, "degraded", "awaiting_more_good"),
        ({"tier": 1, "jobs": THREE_GOOD, "previous": DEGRADED}, "operational", "kept"),
        ({"tier": 1, "jobs": [*THREE_GOOD, job(job=4, good_streak=1)], "previous": DEGRADED}, "degraded", "awaiting_more_good"),
        ({"tier": 1, "jobs": [*THREE_GOOD, job(job=4, good_streak=0)], "previous": DEGRADED}, "operational", "kept"),
        ({"tier": 1, "jobs": TWO_GOOD, "previous": DEGRADED_BY_RPO}, "operational", "kept"),
        ({"tier": 1, "jobs": TWO_GOOD, "previous": None}, "operational", "kept"),
        ({"tier": 1, "jobs": ONE_BAD, "items": [item(point(11))]}, "degraded", "rpo_exceeded"),
        ({"items": [item(point(11))], "previous": {"status": "maintenance", "by_rpo": False}}, "degraded", "rpo_exceeded"),
    ],
)
def test_it_waits_for_two_bad_and_three_good_occurrences_but_not_for_the_rpo(changes, status, reason):
    result = judge_service(facts(**changes))
    assert (result["status"], result["status_reason"]) == (status, reason)
    assert result["by_rpo"] == (reason == "rpo_exceeded")


def conditions(**changes: Any) -> list[tuple[str, str]]:
    return [(condition["class"], condition["severity"]) for condition in judge_service(facts(**changes))["conditions"]]


MISSED = job(bad_streak=1, good_streak=0, missed_due_at=ago(9))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"items": [item(point(9.5))]}, [("rpo_at_risk", "warning")]),
        ({"items": [item(point(11))]}, [("rpo_breach", "error")]),
        ({"items": [item(point(11))], "tier": 1}, [("rpo_breach", "critical")]),
        ({"items": [item(point(11)), item(point(9.5), number=2)]}, [("rpo_breach", "error"), ("rpo_at_risk", "warning")]),
        ({"jobs": ONE_BAD}, [("job_failed", "warning")]),
        ({"jobs": TWO_BAD}, [("job_failed", "error")]),
        ({"jobs": [job(latest_outcome="failed", latest_problem_run=50)]}, [("job_failed", "warning")]),
        ({"jobs": TWO_GOOD}, []),
        ({"jobs": [MISSED]}, [("job_missed", "warning")]),
        ({"jobs": [MISSED | {"bad_streak": 2}]}, [("job_missed", "error")]),
        ({"jobs": [MISSED], "sources": SILENT}, []),
        ({"jobs": TWO_BAD, "sources": SILENT}, [("job_failed", "error")]),
        ({"items": [item(point(50))], "sources": SILENT}, []),
        ({"jobs": TWO_BAD, "items": [item(point(11))], "holds": [{"window": 9, "until": ago(-1)}]}, []),
        ({"tier": 1, "items": [item(point(11))], "holds": [{"window": 9, "until": ago(-1)}]}, [("rpo_breach", "critical")]),
    ],
)
def test_it_names_what_calls_for_an_alert(changes, expected):
    assert conditions(**changes) == expected


def test_it_points_to_the_runs_behind_each_condition():
    result = judge_service(facts(jobs=[job(latest_outcome="failed", latest_problem_run=77, cause="disk_full")], items=[item(point(11))]))
    breach, failed = result["conditions"]
    assert (breach["runs"], breach["point"], breach["measured_s"]) == ([50], 5, 11 * 3600)
    assert (failed["runs"], failed["cause"], failed["job"]) == ([77], "disk_full", 3)


def test_it_gives_the_numbers_of_each_claim():
    rpo, success = judge_service(facts(items=[item(point(2)), item(point(5), number=2)], occurrences=bad_nights(1)))["claims"]
    assert (rpo["measured_s"], rpo["used"], rpo["item"], rpo["median_s"], rpo["run"]) == (18_000, 0.5, 2, 7_200, 50)
    assert (success["rate"], success["allowed_bad"], success["used"], success["can_recover"]) == (0.928571, 3.0, 0.333333, True)
    assert (success["confidence"], success["settled"]) == ("inconclusive", 14)


def test_it_says_what_a_silent_tool_leaves_unjudged():
    sources = [*SILENT, {"tool": 2, "silent": False}]
    result = judge_service(facts(items=[item(point(2), tool=1), item(point(2), number=2, tool=2)], jobs=[job(tool=1)], sources=sources))
    assert result["unjudged"] == {"items": [1], "jobs": [3]}
    assert result["claims"][0]["items_unknown"] == [1]


@pytest.mark.parametrize(
    ("changes", "hours"),
    [
        ({}, 7),
        ({"items": [item(point(9.5))]}, 0.5),
        ({"items": [item(point(10.5))]}, 9.5),
        ({"items": [item(point(2, expires_at=ago(-3)))]}, 3),
        ({"items": [item(point(2), point(1, available_at=ago(-1)))]}, 1),
        ({"holds": [{"window": 9, "until": ago(-1.5)}]}, 1.5),
        ({"holds": [{"window": 9, "from": ago(-2), "until": ago(-4)}]}, 2),
        ({"items": [item(point(30))], "period": [ago(10), ago(-5)]}, 5),
        ({"items": [item(point(30))], "success_target": None}, None),
    ],
)
def test_it_says_when_time_alone_will_change_the_answer(changes, hours):
    result = judge_service(facts(**changes))["next_change_at"]
    if hours is None:
        assert result is None
    else:
        late_by = parse_instant(result) - (NOON + dt.timedelta(hours=hours))
        assert dt.timedelta(0) <= late_by <= dt.timedelta(seconds=1)


def test_it_changes_exactly_at_the_instants_it_names():
    seen, inputs = [], facts(success_target=None, tier=1, jobs=TWO_BAD)
    for _ in range(4):
        result = judge_service(inputs)
        seen.append((result["verdict"], result["status"]))
        if result["next_change_at"]:
            before = parse_instant(result["next_change_at"]) - dt.timedelta(seconds=1)
            earlier = judge_service(inputs | {"at": iso(before)})
            assert (earlier["verdict"], earlier["status"]) == seen[-1]
            inputs = inputs | {"at": result["next_change_at"]}
    assert seen == [("kept", "operational"), ("at_risk", "degraded"), ("broken", "degraded"), ("broken", "outage")]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"at": "2026-07-14T12:00:00"}, "at"),
        ({"tier": 7}, "no outage factor for tier 7"),
        ({"occurrences": {"settled": 9}}, "good and the bad"),
        ({"period": None}, "period"),
    ],
)
def test_it_refuses_incomplete_inputs_with_a_sentence(changes, sentence):
    with pytest.raises(JudgingError, match=sentence):
        judge_service(facts(**changes))


def test_it_gives_the_same_result_in_a_fresh_process():
    inputs = facts(items=[item(point(9.123456)), item(point(3), number=2)], occurrences=bad_nights(3))
    program = "import json, sys; from monitoring.judging import judge_service; print(json.dumps(judge_service(json.load(sys.stdin))))"
    fresh = subprocess.run([sys.executable, "-c", program], input=json.dumps(inputs), capture_output=True, text=True, check=True)
    assert json.loads(fresh.stdout) == json.loads(json.dumps(judge_service(inputs)))


hours = st.integers(-20, 240).map(lambda quarter: quarter / 4)


@st.composite
def some_points(draw: st.DrawFn) -> list[dict[str, Any]]:
    ends = st.none() | hours.map(ago)
    return [
        {
            "point": number,
            "run": number,
            "captured_at": ago(captured := draw(hours)),
            "available_at": ago(captured - draw(st.integers(0, 8)) / 4),
            "expires_at": draw(ends),
            "invalid_from": draw(ends),
            "gone_at": draw(ends),
        }
        for number in range(draw(st.integers(0, 3)))
    ]


@st.composite
def some_facts(draw: st.DrawFn) -> dict[str, Any]:
    bad, good = draw(st.integers(0, 6)), draw(st.integers(0, 30))
    streak = draw(st.integers(0, 3))
    tools = [{"tool": number, "silent": draw(st.booleans())} for number in range(draw(st.integers(0, 2)))]
    held = [{"window": 1, "until": ago(draw(hours))}] if draw(st.booleans()) else []
    return facts(
        tier=draw(st.integers(1, 4)),
        rpo_s=draw(st.none() | st.just(RPO_H * 3600) | st.integers(1, 90_000)),
        success_target=draw(st.none() | st.sampled_from([0.9, 0.98, 1.0])),
        period=[ago(400), ago(draw(hours))],
        items=[item(*draw(some_points()), number=n, commissioned_at=ago(draw(hours))) for n in range(draw(st.integers(0, 3)))],
        occurrences={"settled": good + bad, "good": good, "bad": bad, "pending": draw(st.integers(0, 20))},
        jobs=draw(st.sampled_from([[], [job()], [job(bad_streak=streak, good_streak=0, missed_due_at=ago(2))], TWO_BAD, TWO_GOOD])),
        sources=tools,
        holds=held,
        previous=draw(st.sampled_from([None, DEGRADED, DEGRADED_BY_RPO, {"status": "operational", "by_rpo": False}])),
    )


def without_measures(result: dict[str, Any]) -> Any:
    """What a reader calls a change: not that exposure grew by a second."""
    claims = [(claim["claim"], claim["verdict"], claim["reason"]) for claim in result["claims"]]
    found = [(c["class"], c.get("job"), c.get("item"), c["severity"]) for c in result["conditions"]]
    return result["verdict"], result["status"], result["status_reason"], claims, found


@settings(max_examples=300, deadline=None)
@given(inputs=some_facts(), share=st.floats(0, 1, exclude_max=True))
def test_it_does_not_change_before_the_instant_it_names(inputs, share):
    now = judge_service(inputs)
    until = parse_instant(now["next_change_at"]) if now["next_change_at"] else NOON + dt.timedelta(days=400)
    later = min(NOON + (until - NOON) * share, until - dt.timedelta(microseconds=1))
    assert without_measures(judge_service(inputs | {"at": iso(later)})) == without_measures(now)


@settings(max_examples=200, deadline=None)
@given(inputs=some_facts(), older_h=st.integers(0, 100))
def test_it_never_judges_older_points_better(inputs, older_h):
    older = copy.deepcopy(inputs)
    for one in older["items"]:
        for found in one["points"]:
            found["captured_at"] = iso(parse_instant(found["captured_at"]) - dt.timedelta(hours=older_h))
    before, after = judge_service(inputs)["verdict"], judge_service(older)["verdict"]
    usable_later = any(parse_instant(found["captured_at"]) > NOON for one in inputs["items"] for found in one["points"])
    assert usable_later or before == after == "held" or WORST_LAST.index(after) >= WORST_LAST.index(before)


@settings(max_examples=200, deadline=None)
@given(inputs=some_facts())
def test_it_is_a_pure_function_of_json(inputs):
    before = json.dumps(inputs)
    first = judge_service(inputs)
    assert json.loads(json.dumps(first, allow_nan=False)) == json.loads(json.dumps(judge_service(json.loads(before))))
    assert json.dumps(inputs) == before
