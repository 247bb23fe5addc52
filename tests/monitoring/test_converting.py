"""From a tool's words to the catalogue's field: one unit system, and a sentence for whatever cannot become it."""

from __future__ import annotations

import datetime as dt

import pytest

from monitoring import converting
from monitoring.converting import NotConvertible
from monitoring.wording import field_words

AT = dt.datetime(2026, 7, 14, 12, 0, tzinfo=dt.UTC)
INSTANTS = ["2026-07-04T12:00:00Z", "2026-07-10T14:30:00.123456789+02:00", "2026-07-14T03:15:00Z"]


def converted(field, unit, transform, *values, **words):
    row = {"path": "x", "field": field, "unit": unit, "transform": transform, **({"words": words} if words else {})}
    return converting.convert(row, values, at=AT, zone="Europe/London")


@pytest.mark.parametrize(
    ("asked", "values", "value"),
    [
        (("retention_days", "d", "value"), [35], 35),
        (("retention_days", "w", "value"), ["2", 3], 14),
        (("rpo_s", "h", "value"), [4, 26], 93_600),
        (("rto_s", "min", "value"), [90.5], 5_430),
        (("retention_days", "instant", "oldest_age"), INSTANTS, 10),
        (("rpo_s", "instant", "longest_gap"), INSTANTS, 520_200.12),
        (("immutability_days", "instant", "time_left"), ["2026-07-21T12:00:00Z"], 7),
        (("immutability_days", "instant", "time_left"), ["2026-07-01T12:00:00Z"], 0),
        (("retention_days", "instant", "oldest_age"), [1_783_944_000], 1),
        (("window_opens", "instant", "earliest_clock"), INSTANTS, "04:15"),
        (("window_closes", "instant", "latest_clock"), INSTANTS, "13:30"),
        (("window_opens", "clock", "value"), ["22:00", "21:30:00"], "21:30"),
        (("copies", "count", "distinct"), [1, 2, 2], 2),
        (("copies", "count", "value"), [3, 2], 2),
        (("encryption", "word", "value"), ["everywhere"], "everywhere"),
    ],
)
def test_it_becomes_the_field_in_its_unit_and_the_worst_of_several_counts(asked, values, value):
    assert converted(*asked, *values) == value


def test_instants_without_a_zone_are_the_tools_own():
    assert converted("window_opens", "instant", "earliest_clock", "2026-07-14T01:00:00.000000") == "01:00"


def test_words_mean_what_the_mapping_says():
    words = {"repokey": "at_rest", "none": "none"}
    assert converted("encryption", "word", "words", "repokey", **words) == "at_rest"
    assert converted("encryption", "word", "words", "repokey", "none", **words) == "none"
    assert converted("encryption", "word", "words", 2, **{"*": "at_rest"}) == "at_rest"
    with pytest.raises(NotConvertible, match="Nothing says what “authenticated” means"):
        converted("encryption", "word", "words", "authenticated", **words)


@pytest.mark.parametrize(
    ("asked", "values", "told"),
    [
        (("retention_days", "d", "value"), ["forever"], "“forever” is no number"),
        (("retention_days", "d", "value"), [], "said nothing"),
        (("retention_days", "instant", "oldest_age"), ["yesterday"], "“yesterday” is no instant"),
        (("rpo_s", "instant", "longest_gap"), INSTANTS[:1], "no distance to another"),
        (("window_opens", "clock", "value"), ["late"], "no time of day"),
        (("retention_days", "word", "value"), ["x"], "make no Retention"),
        (("window_opens", "instant", "oldest_age"), INSTANTS, "make no Backup window opens"),
        (("speed", "d", "value"), [1], "no field of the catalogue"),
        (("encryption", "word", "words"), ["x"], "say which word means what"),
    ],
)
def test_what_cannot_become_it_says_why(asked, values, told):
    with pytest.raises(NotConvertible, match=told):
        converted(*asked, *values)


def test_a_word_that_the_catalogue_does_not_know_is_refused():
    assert "strong is none of" in converting.problem_of(
        {"path": "x", "field": "encryption", "unit": "word", "transform": "words", "words": {"a": "strong"}}
    )


@pytest.mark.parametrize(
    ("field", "promised", "observed", "holds"),
    [("retention_days", 35, 35, True), ("retention_days", 35, 34.9, False), ("rpo_s", 3600, 3000, True), ("rpo_s", 3600, 3601, False),
     ("encryption", "at_rest", "everywhere", True), ("encryption", "at_rest", "none", False), ("copies", 3, 2, False),
     ("window_opens", "20:00", "21:00", True), ("window_closes", "06:00", "06:30", False)],
)  # fmt: skip
def test_as_promised_or_better(field, promised, observed, holds):
    assert converting.compare(field, promised, observed) is holds


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [("retention_days", 35, "35 d"), ("retention_days", 35.0, "35 d"), ("retention_days", 40.69, "40 d 16 h"),
     ("retention_days", 1.5, "36 h"), ("rpo_s", 93_600, "26 h"), ("encryption", "at_rest", "at rest")],
)  # fmt: skip
def test_values_are_told_in_two_units_at_most(field, value, words):
    assert field_words(field, value) == words
