"""RPO methods at their edges, and against a second by second simulation."""

from __future__ import annotations

import datetime as dt
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.methods import measure
from monitoring.methods.rpo import Point, breaches, exposure, stretches

START = dt.datetime(2026, 9, 2, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


def at(minutes: float) -> dt.datetime:
    return START + minutes * MINUTE


def iso(minutes: float) -> str:
    return at(minutes).isoformat().replace("+00:00", "Z")


def point(captured: int, available: int, **ends: int) -> Point:
    return Point(captured_at=at(captured), available_at=at(available), **{name: at(end) for name, end in ends.items()})


def test_it_falls_back_when_the_newest_point_ends():
    points = [point(0, 10), point(20, 30, expires_at=50), point(40, 45, gone_at=48)]
    assert [exposure(points, at(minute), at(-100))[0] // 60 for minute in (5, 10, 29, 30, 46, 48, 50)] == [105, 10, 29, 10, 6, 28, 50]


def test_it_counts_nothing_before_a_point_can_be_restored_or_was_captured():
    assert exposure([point(20, 10)], at(15), at(0)) == (900, None)


def test_it_has_no_negative_exposure_before_the_service_was_commissioned():
    assert exposure([], at(0), at(60)) == (0, None)


def test_it_gives_a_null_attainment_for_an_empty_period():
    inputs = {"commissioned_at": iso(0), "period": [iso(5), iso(5)], "rpo_seconds": 60, "points": []}
    assert measure("BM-RPO-TW", inputs)["attainment"] is None


def test_it_supports_no_step_when_none_reaches_the_target():
    inputs = {"commissioned_at": iso(0), "period": [iso(0), iso(100)], "points": [], "steps_seconds": [60], "target": 0.9}
    assert measure("BM-SUPRPO", inputs)["supported_rpo_seconds"] is None


def test_it_is_worth_nothing_to_have_logs_without_a_base():
    log = {"from_seq": 1, "to_seq": 2, "last_txn_at": iso(5), "available_at": iso(6)}
    nothing = {"recovery_point": None, "exposure_seconds": None, "chain_gap_at": None}
    base = {"captured_at": iso(0), "available_at": iso(20), "end_seq": 1}
    assert measure("BM-RPO-LOG", {"at": iso(10), "base": None, "logs": [log]}) == nothing
    assert measure("BM-RPO-LOG", {"at": iso(10), "base": base, "logs": [log]}) == nothing


def test_it_follows_overlapping_logs_and_ignores_those_not_yet_there():
    base = {"captured_at": iso(0), "available_at": iso(1), "end_seq": 10}
    logs = [
        {"from_seq": 15, "to_seq": 30, "last_txn_at": iso(9), "available_at": iso(9)},
        {"from_seq": 8, "to_seq": 20, "last_txn_at": iso(5), "available_at": iso(6)},
        {"from_seq": 30, "to_seq": 40, "last_txn_at": iso(10), "available_at": iso(11)},
    ]
    result = measure("BM-RPO-LOG", {"at": iso(10), "base": base, "logs": logs})
    assert result == {"recovery_point": iso(9), "exposure_seconds": 60, "chain_gap_at": None}


minutes = st.integers(-60, 240)


@st.composite
def some_points(draw: st.DrawFn) -> list[Point]:
    found = []
    for _ in range(draw(st.integers(0, 6))):
        captured = draw(minutes)
        ends = {name: draw(minutes) for name in ("expires_at", "invalid_from", "gone_at") if draw(st.booleans()) and draw(st.booleans())}
        found.append(point(captured, captured + draw(st.integers(0, 40)), **ends))
    return found


@settings(max_examples=150, deadline=None)
@given(points=some_points(), rpo=st.integers(1, 100), commissioned=st.integers(-120, 0))
def test_it_agrees_with_a_minute_by_minute_simulation(points, rpo, commissioned):
    inputs: dict[str, Any] = {
        "commissioned_at": iso(commissioned),
        "period": [iso(0), iso(180)],
        "rpo_seconds": rpo * 60,
        "points": [
            {
                "captured_at": one.captured_at.isoformat(),
                "available_at": one.available_at.isoformat(),
                **{name: getattr(one, name).isoformat() for name in ("expires_at", "invalid_from", "gone_at") if getattr(one, name)},
            }
            for one in points
        ],
    }
    # Everything happens at whole minutes, so exposure in the middle of a minute stands for all of it.
    measured = [exposure(points, at(minute + 0.5), at(commissioned))[0] for minute in range(180)]
    result = measure("BM-RPO-TW", inputs)
    assert result["noncompliant_seconds"] == 60 * sum(seconds > rpo * 60 for seconds in measured)
    assert result["max_exposure_seconds"] == max(measured) + 30
    windows = measure("BM-RPO-WIN", inputs | {"window_opens": [iso(45), iso(100)]})["windows"]
    simulated = [max(measured[0:45]), max(measured[45:100]), max(measured[100:180])]
    assert [window["max_exposure_seconds"] for window in windows] == [seconds + 30 for seconds in simulated]


@settings(max_examples=100, deadline=None)
@given(points=some_points())
def test_it_cuts_a_period_without_gap_or_overlap(points):
    cut = list(stretches(points, at(0), at(180), at(-60)))
    assert [stretch.starts_at for stretch in cut] == [at(0), *(stretch.ends_at for stretch in cut[:-1])]
    assert cut[-1].ends_at == at(180)


def test_breaches_that_touch_are_one_and_tell_how_far_at_most():
    points = [Point(captured_at=at(0), available_at=at(0)), Point(captured_at=at(10), available_at=at(50))]
    found = breaches(points, at(0), at(100), limit=dt.timedelta(minutes=30), commissioned_at=at(0))
    # from 30 the copy of 0 is too old; at 50 that of 10 arrives, which is too old itself: one breach until the end
    assert [(one.starts_at, one.ends_at, one.over_s) for one in found] == [(at(30), at(100), 60 * 60)]
    fresh = [*points, Point(captured_at=at(60), available_at=at(60))]
    found = breaches(fresh, at(0), at(100), limit=dt.timedelta(minutes=30), commissioned_at=at(0))
    assert [(one.starts_at, one.ends_at, one.over_s) for one in found] == [(at(30), at(60), 20 * 60), (at(90), at(100), 10 * 60)]


def test_there_is_no_exposure_before_a_service_was_commissioned():
    inputs = {"commissioned_at": iso(60), "period": [iso(0), iso(180)], "rpo_seconds": 1800, "points": []}
    result = measure("BM-RPO-TW", inputs)
    assert (result["noncompliant_seconds"], result["max_exposure_seconds"]) == (90 * 60, 120 * 60)
    assert measure("BM-RPO-TW", inputs | {"commissioned_at": iso(300)})["max_exposure_seconds"] == 0
    windows = measure("BM-RPO-WIN", inputs | {"window_opens": [iso(30)]})["windows"]
    assert [window["max_exposure_seconds"] for window in windows] == [0, 120 * 60]


def test_an_empty_period_has_no_window():
    inputs = {"commissioned_at": iso(0), "period": [iso(5), iso(5)], "rpo_seconds": 60, "points": [], "window_opens": [iso(0)]}
    assert measure("BM-RPO-WIN", inputs) == {"windows": [], "attained": 0, "total": 0, "rate": None}


def test_exposure_for_a_scenario_counts_only_the_copies_it_needs():
    here = {"captured_at": iso(10), "available_at": iso(10), "offsite": False}
    away = {"captured_at": iso(0), "available_at": iso(5), "offsite": True}
    inputs = {"commissioned_at": iso(0), "rpo_seconds": 60, "points": [here, away], "instants": [iso(20)]}
    assert (
        measure("BM-RPO-EXP", inputs)[0]["exposure_seconds"] == measure("BM-RPO-EXP", inputs | {"need": None})[0]["exposure_seconds"] == 600
    )
    assert measure("BM-RPO-EXP", inputs | {"need": ["offsite"]})[0]["exposure_seconds"] == 1200


def test_a_copy_that_is_still_on_its_way_counts_for_nothing():
    point = {"captured_at": iso(10), "available_at": None}
    inputs = {"commissioned_at": iso(0), "rpo_seconds": 60, "points": [point], "instants": [iso(20)]}
    assert measure("BM-RPO-EXP", inputs)[0]["state"] == "never_protected"
    log = {"from_seq": 1, "to_seq": 2, "last_txn_at": iso(5), "available_at": None}
    given = {"at": iso(10), "base": {"captured_at": iso(0), "available_at": iso(1), "end_seq": 1}, "logs": [log]}
    assert measure("BM-RPO-LOG", given)["recovery_point"] == iso(0)
    assert measure("BM-RPO-LOG", given | {"base": given["base"] | {"available_at": None}})["recovery_point"] is None


def test_logs_on_a_base_that_is_not_usable_are_worth_nothing():
    log = {"from_seq": 1, "to_seq": 2, "last_txn_at": iso(5), "available_at": iso(6)}
    base = {"captured_at": iso(0), "available_at": iso(1), "end_seq": 1}
    given = {"at": iso(10), "base": base, "logs": [log]}
    assert measure("BM-RPO-LOG", given)["recovery_point"] == iso(5)
    for end in ("invalid_from", "expires_at", "gone_at"):
        assert measure("BM-RPO-LOG", given | {"base": base | {end: iso(10)}})["recovery_point"] is None
    idle = log | {"from_seq": 2, "to_seq": 3, "last_txn_at": None, "available_at": iso(8)}
    assert measure("BM-RPO-LOG", given | {"logs": [log, idle]})["recovery_point"] == iso(5)


def test_whole_seconds_are_whole_numbers():
    commitment = dict.fromkeys(
        ("copy_lag_seconds", "rpo_seconds", "bia_data_loss_tolerance_seconds", "rto_seconds", "wrt_seconds", "mtpd_seconds",
         "retention_days", "measured_restore_p95_seconds", "retention_min_days", "retention_max_days")
    )  # fmt: skip
    given = {**commitment, "interval_seconds": 86400, "p95_duration_seconds": 7200, "tolerated_failures": 0}
    assert str(measure("BM-FEAS", given)["worst_case_exposure_seconds"]) == "93600"
    assert measure("BM-FEAS", given | {"p95_duration_seconds": 0.5})["worst_case_exposure_seconds"] == 86400.5
