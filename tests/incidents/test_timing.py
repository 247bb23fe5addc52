"""When each level is told: quiet hours hold the clock, acknowledgement spares, repeats that pile up are one."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from incidents.timing import plan

pytestmark = pytest.mark.req("3.3")
MIN = dt.timedelta(minutes=1)
QUIET = {"from": "20:00", "to": "07:00", "weekends_all_day": True}


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def said(**changes: Any) -> dict[str, Any]:
    levels = [{"level": 1, "after_min": 0, "targets": []}, {"level": 2, "after_min": 30, "targets": []}]
    return {"policy": "p", "levels": levels, "repeat_min": None, "quiet": None, "zone": "Europe/London", "bypass": ["P1", "P2"], **changes}


def told(snapshot: dict[str, Any], started: str, *, priority: str = "P3", ack: str = "", over: str = "", until: str = "2026-07-20") -> Any:
    found = plan(
        snapshot, priority=priority, started_at=at(started), acknowledged_at=at(ack) if ack else None,
        resolved_at=at(over) if over else None, until=at(until),
    )  # fmt: skip
    return [(f"{step.at:%a %H:%M}", step.level, step.kind) for step in found]


def test_levels_follow_each_other_until_somebody_acknowledges():
    assert told(said(), "2026-07-14T10:00") == [("Tue 10:00", 1, "notify"), ("Tue 10:30", 2, "escalate")]
    assert told(said(), "2026-07-14T10:00", ack="2026-07-14T10:29") == [("Tue 10:00", 1, "notify")]


def test_quiet_hours_hold_the_clock_and_urgent_ones_pass():
    friday_night = "2026-07-17T21:30"  # 22:30 in London
    assert told(said(quiet=QUIET), friday_night, until="2026-07-21") == [("Mon 06:00", 1, "notify"), ("Mon 06:30", 2, "escalate")]
    assert told(said(quiet=QUIET), friday_night, priority="P1")[0] == ("Fri 21:30", 1, "notify")


def test_who_acknowledges_in_the_night_spares_everybody_the_morning():
    assert told(said(quiet=QUIET), "2026-07-14T21:00", ack="2026-07-14T22:00") == []
    assert told(said(quiet=QUIET), "2026-07-14T21:00", over="2026-07-15T05:00") == []


def test_a_level_due_after_dusk_waits_for_the_morning_and_says_since_when():
    found = plan(said(quiet=QUIET), priority="P3", started_at=at("2026-07-14T18:45"), acknowledged_at=None, resolved_at=None,
                 until=at("2026-07-16"))  # fmt: skip
    assert [(step.level, step.deferred_from) for step in found] == [(1, None), (2, at("2026-07-14T19:15"))]
    assert found[1].at == at("2026-07-15T06:00")


def test_levels_held_by_one_night_follow_each_other_in_the_morning():
    levels = [{"level": one, "after_min": minutes, "targets": []} for one, minutes in ((1, 30), (2, 60), (3, 180))]
    slow = said(quiet=QUIET, levels=levels, repeat_min=60)
    dusk = "2026-07-14T18:40"  # 19:40 in London; the first level would be told at 20:10
    morning = [("Wed 06:00", 1, "notify"), ("Wed 06:30", 2, "escalate"), ("Wed 08:30", 3, "escalate")]
    assert told(slow, dusk, until="2026-07-15T10:00") == [*morning, ("Wed 09:30", 3, "repeat")]
    assert told(slow, dusk, ack="2026-07-15T06:20", until="2026-07-15T08:00") == [morning[0], ("Wed 07:20", 1, "repeat")]


def test_repeats_of_one_night_are_one_and_end_with_the_incident():
    hourly = said(quiet=QUIET, repeat_min=60)
    found = told(hourly, "2026-07-14T17:00", ack="2026-07-14T17:10", over="2026-07-15T08:30")
    assert found == [
        ("Tue 17:00", 1, "notify"), ("Tue 18:10", 1, "repeat"), ("Wed 06:00", 1, "repeat"), ("Wed 06:10", 1, "repeat"),
        ("Wed 07:10", 1, "repeat"), ("Wed 08:10", 1, "repeat"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("night", "first"),
    [("2026-10-24T22:00", "2026-10-25T07:00"), ("2026-03-28T22:00", "2026-03-29T06:00")],
)
def test_the_morning_is_the_local_one_over_a_change_of_clocks(night, first):
    weekdays = {**QUIET, "weekends_all_day": False}
    found = plan(said(quiet=weekdays), priority="P4", started_at=at(night), acknowledged_at=None, resolved_at=None, until=at("2026-11-01"))
    assert found[0].at == at(first)
