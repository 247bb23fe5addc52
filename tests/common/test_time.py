"""Time in words."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from itsm_backup.common.time import clock_words, duration_words, instant_words, recent_words

LONDON = ZoneInfo("Europe/London")
NOW = dt.datetime(2026, 7, 14, 8, 42, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (41 * 60 + 59, "41 min"),
        (3_600, "1 h"),
        (6 * 3_600 + 12 * 60, "6 h 12 min"),
        (47 * 3_600, "47 h"),
        (48 * 3_600, "48 h"),
        (49 * 3_600, "2 d 1 h"),
        (3 * 86_400 + 11 * 3_600 + 59, "3 d 11 h"),
        (-300, "5 min"),
    ],
)
def test_a_span_is_told_in_two_units_at_most_and_rounded_down(seconds, words):
    assert duration_words(seconds) == words


def test_an_instant_carries_date_and_zone():
    assert instant_words(NOW, zone=LONDON) == "Tue 14 Jul 2026, 09:42 BST"
    assert instant_words(dt.datetime(2026, 1, 5, 9, 2, tzinfo=dt.UTC), zone=LONDON) == "Mon 5 Jan 2026, 09:02 GMT"


def test_today_is_said_with_the_clock_and_the_distance():
    assert recent_words(NOW - dt.timedelta(minutes=41), now=NOW, zone=LONDON) == "Today 09:01 BST, 41 min ago"
    assert recent_words(NOW + dt.timedelta(hours=2), now=NOW, zone=LONDON) == "Today 11:42 BST, in 2 h"
    assert recent_words(NOW - dt.timedelta(hours=10), now=NOW, zone=LONDON) == "Mon 13 Jul 2026, 23:42 BST"


def test_a_dense_table_drops_the_zone_and_keeps_the_year_when_it_matters():
    assert clock_words(NOW, now=NOW, zone=LONDON) == "Today 09:42"
    assert clock_words(NOW - dt.timedelta(days=3), now=NOW, zone=LONDON) == "Sat 11 Jul 09:42"
    assert clock_words(NOW - dt.timedelta(days=400), now=NOW, zone=LONDON) == "9 Jun 2025 09:42"
