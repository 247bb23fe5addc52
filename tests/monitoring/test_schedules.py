"""Due times against the golden case, RFC 5545's clock-change rules, and the sentences people get for a bad rule."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.schedules import Schedule, ScheduleError, next_due_after, occurrences, parse

PARIS = ZoneInfo("Europe/Paris")


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def nightly(**changes: object) -> Schedule:
    settings = {"rrule": "FREQ=DAILY", "local_times": ["02:30"], "zone": "Europe/Paris", "start_on": dt.date(2026, 1, 1), **changes}
    return parse(**settings)  # type: ignore[arg-type]


def dues(schedule: Schedule, since: str, until: str) -> list[str]:
    return [occurrence.due_at.strftime("%d %H:%M") for occurrence in occurrences(schedule, utc(since), utc(until))]


def test_it_takes_the_offset_before_a_gap_and_the_first_of_a_repeated_time():
    assert dues(nightly(), "2026-03-28", "2026-03-31") == ["28 01:30", "29 01:30", "30 00:30"]
    assert dues(nightly(), "2026-10-24", "2026-10-27") == ["24 00:30", "25 00:30", "26 01:30"]


def test_it_counts_two_local_times_that_fall_on_one_instant_once():
    twice = nightly(local_times=["02:30", "03:30"])
    assert dues(twice, "2026-03-29", "2026-03-30") == ["29 01:30"]
    assert dues(twice, "2026-03-28", "2026-03-29") == ["28 01:30", "28 02:30"]


def test_it_is_due_in_every_real_hour_when_hourly():
    hourly = parse(rrule="FREQ=HOURLY", zone="Europe/Paris", start_on=dt.date(2026, 1, 1))
    for day in ("2026-03-28", "2026-10-24"):
        found = occurrences(hourly, utc(day), utc(day) + dt.timedelta(days=2))
        assert {later.due_at - earlier.due_at for earlier, later in pairwise(found)} == {dt.timedelta(hours=1)}
        assert len(found) == 48


def test_it_keeps_to_the_wall_clock_every_second_hour():
    even = parse(rrule="FREQ=HOURLY;INTERVAL=2;BYMINUTE=15", zone="Europe/Paris", start_on=dt.date(2026, 1, 1))
    found = occurrences(even, utc("2026-01-01"), utc("2027-01-01"))
    # A wall hour that the spring change skips is taken with the offset before it, which shows as the hour after it.
    assert {o.due_at.astimezone(PARIS).hour for o in found} == {*range(0, 24, 2), 3}
    assert dues(even, "2026-10-24T22:00", "2026-10-25T03:00") == ["24 22:15", "25 00:15"]


def test_it_is_due_every_quarter_hour_through_both_clock_changes():
    quarter = parse(rrule="FREQ=MINUTELY;INTERVAL=15", zone="Europe/Paris", start_on=dt.date(2026, 1, 1))
    for day in ("2026-03-28T12:00", "2026-10-24T12:00"):
        found = occurrences(quarter, utc(day), utc(day) + dt.timedelta(days=1))
        assert {later.due_at - earlier.due_at for earlier, later in pairwise(found)} == {dt.timedelta(minutes=15)}


def test_it_opens_early_ends_with_grace_and_cuts_off_at_the_next_opening():
    (one,) = occurrences(nightly(early_tolerance_s=600, grace_s=3600), utc("2026-06-10"), utc("2026-06-11"))
    assert (one.opens_at, one.due_at, one.deadline_at) == (utc("2026-06-10T00:20"), utc("2026-06-10T00:30"), utc("2026-06-10T01:30"))
    assert one.cutoff_at == utc("2026-06-11T00:20")
    assert one.local_on == dt.date(2026, 6, 10)


def test_it_never_sets_a_deadline_after_the_next_opening():
    (one,) = occurrences(nightly(grace_s=40 * 3600), utc("2026-06-10"), utc("2026-06-11"))
    assert one.deadline_at == one.cutoff_at


def test_it_leaves_out_excluded_dates_and_everything_outside_its_range():
    schedule = nightly(until_on=dt.date(2026, 1, 4), excluded_on=[dt.date(2026, 1, 2)])
    assert dues(schedule, "2025-12-01", "2026-12-01") == ["01 01:30", "03 01:30", "04 01:30"]
    assert next_due_after(schedule, utc("2026-01-03T01:29")) == utc("2026-01-03T01:30")
    assert next_due_after(schedule, utc("2026-01-03T01:30")) == utc("2026-01-04T01:30")
    assert next_due_after(schedule, utc("2026-01-04T01:30")) is None


def test_it_finds_the_nearest_of_several_times():
    schedule = nightly(local_times=["01:00", "23:00", "02:30", "03:15"])
    assert next_due_after(schedule, utc("2026-06-10T12:00")) == utc("2026-06-10T21:00")
    assert next_due_after(schedule, utc("2026-03-29T00:30")) == utc("2026-03-29T01:15")


def test_it_gives_the_latest_occurrence_of_an_ended_schedule_the_usual_cutoff():
    latest = occurrences(nightly(until_on=dt.date(2026, 1, 4)), utc("2026-01-04"), utc("2026-02-01"))[-1]
    assert latest.cutoff_at - latest.opens_at == dt.timedelta(days=1)


@pytest.mark.parametrize(
    ("rrule", "times", "since", "until", "expected"),
    [
        ("FREQ=WEEKLY;BYDAY=MO,FR", ["22:00"], "2026-06-01", "2026-06-13", ["01 20:00", "05 20:00", "08 20:00", "12 20:00"]),
        ("FREQ=WEEKLY;INTERVAL=2", ["22:00"], "2026-06-01", "2026-07-01", ["04 20:00", "18 20:00"]),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", ["18:00"], "2026-01-01", "2026-04-01", ["31 17:00", "28 17:00", "31 16:00"]),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", ["18:00"], "2026-01-01", "2026-03-01", ["30 17:00", "27 17:00"]),
        ("FREQ=MONTHLY;BYDAY=1SA", ["04:00"], "2026-06-01", "2026-08-01", ["06 02:00", "04 02:00"]),
        ("FREQ=DAILY;INTERVAL=3", ["04:00"], "2026-01-01", "2026-01-09", ["01 03:00", "04 03:00", "07 03:00"]),
        ("rrule:freq=daily;byhour=6,18;", [], "2026-06-01", "2026-06-02", ["01 04:00", "01 16:00"]),
    ],
)
def test_it_expands_the_usual_rules(rrule, times, since, until, expected):
    schedule = parse(rrule=rrule, local_times=times, zone="Europe/Paris", start_on=dt.date(2026, 1, 1))
    assert dues(schedule, since, until) == expected


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"rrule": "every night"}, "Write for example FREQ=DAILY"),
        ({"rrule": "INTERVAL=2"}, "needs FREQ="),
        ({"rrule": "FREQ=SECONDLY"}, "finer than one minute"),
        ({"rrule": "FREQ=DAILY;COUNT=3"}, "end date instead"),
        ({"rrule": "FREQ=DAILY;FREQ=DAILY"}, "more than once"),
        ({"rrule": "FREQ=DAILY;BYSECOND=1"}, "BYSECOND is not supported"),
        ({"rrule": "FREQ=DAILY;INTERVAL=0"}, "whole number from 1 to 366"),
        ({"rrule": "FREQ=DAILY;INTERVAL=2;BYDAY=MO"}, "may never meet"),
        ({"rrule": "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"}, "never be due"),
        ({"rrule": "FREQ=DAILY;BYMONTH=13"}, "from 1 to 12"),
        ({"rrule": "FREQ=MONTHLY;BYMONTHDAY=1;BYSETPOS=2"}, "never due"),
        ({"rrule": "FREQ=WEEKLY;BYDAY=1MO"}, "numbered weekday"),
        ({"rrule": "FREQ=WEEKLY;BYDAY=XX"}, "Check its values"),
        ({"rrule": "FREQ=DAILY;BYHOUR=3"}, "Say the time once"),
        ({"rrule": "FREQ=HOURLY;INTERVAL=48"}, "from 1 to 24"),
        ({"local_times": []}, "at least one time"),
        ({"local_times": ["2:30"]}, "two digits"),
        ({"local_times": ["24:00"]}, "two digits"),
        ({"zone": "Paris"}, "time zone"),
        ({"zone": "../etc/passwd"}, "time zone"),
        ({"until_on": dt.date(2025, 1, 1)}, "before it starts"),
        ({"grace_s": -1}, "cannot be negative"),
        ({"early_tolerance_s": 86_400}, "would count for the next one"),
    ],
)
def test_it_refuses_what_cannot_be_expanded_with_a_sentence(changes, sentence):
    with pytest.raises(ScheduleError, match=sentence):
        nightly(**changes)


def test_it_refuses_to_expand_without_bound():
    minutely = parse(rrule="FREQ=MINUTELY", zone="UTC", start_on=dt.date(2026, 1, 1))
    with pytest.raises(ScheduleError, match="100,000"):
        occurrences(minutely, utc("2026-01-01"), utc("2027-01-01"))


@settings(max_examples=60, deadline=None)
@given(
    rrule=st.sampled_from(["FREQ=DAILY", "FREQ=WEEKLY;BYDAY=SA,SU", "FREQ=HOURLY", "FREQ=HOURLY;INTERVAL=3", "FREQ=DAILY;INTERVAL=2"]),
    minutes=st.sets(st.integers(0, 24 * 60 - 1), min_size=1, max_size=3),
    zone=st.sampled_from(["Europe/Paris", "UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"]),
    day=st.dates(dt.date(2025, 1, 1), dt.date(2027, 12, 31)),
    cut=st.integers(1, 9),
)
def test_it_gives_the_same_ledger_whole_or_in_pieces(rrule, minutes, zone, day, cut):
    times = [f"{minute // 60:02}:{minute % 60:02}" for minute in minutes]
    schedule = parse(rrule=rrule, local_times=times[:1] if "HOURLY" in rrule else times, zone=zone, start_on=dt.date(2024, 2, 29))
    since = dt.datetime.combine(day, dt.time(), tzinfo=dt.UTC)
    middle, until = since + dt.timedelta(days=cut), since + dt.timedelta(days=10)
    whole = occurrences(schedule, since, until)
    assert whole == occurrences(schedule, since, middle) + occurrences(schedule, middle, until)
    assert all(earlier.cutoff_at == later.opens_at and earlier.due_at < later.due_at for earlier, later in pairwise(whole))
    assert all(next_due_after(schedule, earlier.due_at) == later.due_at for earlier, later in pairwise(whole))
