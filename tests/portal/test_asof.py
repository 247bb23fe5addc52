"""Which instant a page shows, and how links keep to it."""

import datetime as dt

import pytest

from itsm_backup.portal import asof

NOW = dt.datetime(2026, 7, 14, 8, 42, 30, tzinfo=dt.UTC)


def test_no_parameter_is_now():
    assert asof.read("", now=NOW) == asof.Moment(at=NOW, now=NOW)
    assert not asof.read("", now=NOW).past


def test_an_instant_is_taken_to_the_minute():
    moment = asof.read("2026-06-30T22:59Z", now=NOW)
    assert moment.at == dt.datetime(2026, 6, 30, 22, 59, tzinfo=dt.UTC)
    assert moment.past
    assert moment.value == "2026-06-30T22:59Z"


def test_another_offset_means_the_same_instant():
    assert asof.read("2026-06-30T23:59 01:00", now=NOW).value == "2026-06-30T22:59Z", "a plus sign arrives as a space"


def test_a_day_is_its_end_in_the_zone_of_the_portal(settings):
    settings.TIME_ZONE = "Europe/London"
    assert asof.read("2026-06-30", now=NOW).value == "2026-06-30T22:59Z"


def test_today_is_now():
    assert not asof.read("2026-07-14", now=NOW).past


@pytest.mark.parametrize("text", ["yesterday", "2026-06-30T22:59", "2026-13-40", "2026-06-30T99:99Z", "9" * 500, "0000-00-00", "\x00"])
def test_nonsense_is_refused_with_the_way_to_write_it(text):
    with pytest.raises(asof.BadInstant, match="Write it like 2026-06-30T22:59Z"):
        asof.read(text, now=NOW)


def test_an_instant_without_a_zone_is_told_what_it_lacks():
    told = "“2026-06-30T22:59” names no time zone. Write it like 2026-06-30T22:59Z for UTC,"
    told += " or with your distance from it: 2026-06-30T22:59+01:00."
    with pytest.raises(asof.BadInstant) as refused:
        asof.read("2026-06-30T22:59", now=NOW)
    assert str(refused.value) == f"{told} Only the day is understood, too: 2026-06-30."


@pytest.mark.parametrize("text", ["2026-07-15", "2031-01-01T00:00Z"])
def test_the_future_is_refused(text):
    with pytest.raises(asof.BadInstant, match="lies in the future"):
        asof.read(text, now=NOW)


def test_links_keep_the_past_and_leave_out_what_is_empty():
    past = asof.read("2026-06-30T22:59Z", now=NOW)
    assert past.href("services", tier=1, text="") == "/services/?tier=1&as_of=2026-06-30T22%3A59Z"
    assert asof.read("", now=NOW).href("service", "SVC-003") == "/services/SVC-003/"
