"""What becomes a value and what does not."""

from __future__ import annotations

import datetime as dt

import pytest

from monitoring.connectors import reading


@pytest.mark.parametrize(
    ("text", "zone", "expected", "quality"),
    [
        ("2026-11-23T05:31:23.006866994Z", "UTC", "2026-11-23T05:31:23.006866+00:00", "exact"),
        ("2026-11-23T06:32:15.25072244+01:00", "UTC", "2026-11-23T05:32:15.250722+00:00", "exact"),
        ("2026-11-23 05:31:23Z", "UTC", "2026-11-23T05:31:23+00:00", "exact"),
        ("2026-07-14T03:30:00", "Europe/Berlin", "2026-07-14T01:30:00+00:00", "assumed_zone"),
        ("2026-10-25T02:30:00", "Europe/Berlin", "2026-10-25T00:30:00+00:00", "assumed_zone"),
    ],
)
def test_it_reads_instants(text: str, zone: str, expected: str, quality: str) -> None:
    told = reading.instant(text, zone)

    assert told is not None
    assert (told.at.isoformat(), told.quality) == (expected, quality)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "today",
        "2026",
        "2026-W05-1",
        1795412326,
        True,
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "1989-12-31T23:59:59Z",
        "2100-01-01T00:00:00Z",
        "9999-12-31T23:59:59-23:59",
        "2026-02-30T00:00:00Z",
        "2026-01-01T24:30:00Z",
        "2026-01-01T00:00:00+99:00",
    ],
)
def test_it_takes_nothing_else_for_an_instant(value: object) -> None:
    assert reading.instant(value) is None


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "Europe", "", "\0", "x" * 5000])
def test_it_has_no_instant_where_the_zone_is_unknown(zone: str) -> None:
    assert reading.instant("2026-07-14T03:30:00", zone) is None
    assert reading.instant("2026-07-14T03:30:00Z", zone) is not None


def test_it_takes_a_naive_datetime_in_the_zone() -> None:
    told = reading.instant(dt.datetime(2026, 7, 14, 3, 30), "Europe/Berlin")

    assert told == (dt.datetime(2026, 7, 14, 1, 30, tzinfo=dt.UTC), "assumed_zone")


@pytest.mark.parametrize(
    ("value", "expected"), [(0, 0), (2**63 - 1, 2**63 - 1), (2**63, None), (-1, None), (1.0, None), (True, None), ("5", None)]
)
def test_it_counts_only_whole_numbers_that_fit(value: object, expected: int | None) -> None:
    assert reading.count(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, 0.0),
        (1.23456, 1.235),
        (-9223372036.854776, None),
        (float("inf"), None),
        (float("nan"), None),
        (10**400, None),
        ("1", None),
        (True, None),
    ],
)
def test_it_takes_only_possible_durations(value: object, expected: float | None) -> None:
    assert reading.seconds(value) == expected


def test_it_keeps_long_names_apart() -> None:
    one, two = (reading.name("/srv/" + "x" * 600 + end) for end in "ab")

    assert one is not None and two is not None
    assert len(one) == len(two) == reading.MAX_NAME_LENGTH
    assert one != two


@pytest.mark.parametrize(("value", "expected"), [("a\x00b", "a\ufffdb"), (" a\n b ", "a b"), ("\x1b[2K", None), ("", None), (5, None)])
def test_it_cleans_names(value: object, expected: str | None) -> None:
    assert reading.name(value) == expected


def test_it_cuts_text_by_bytes_without_breaking_a_letter() -> None:
    assert reading.plain("ä" * 10, limit=5) == "ää"


def test_it_survives_a_number_out_of_range_in_a_good_document() -> None:
    assert reading.document('{"a": 1e999, "b": 5}')["b"] == 5


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "nope", '"\\ud800', "\ud800"])
def test_it_says_why_a_text_is_no_document(text: str) -> None:
    with pytest.raises(ValueError, match="JSON"):
        reading.document(text)


def test_it_reads_a_document_before_other_text() -> None:
    assert reading.leading_document('[{"keep": []}]\n1 snapshots have been removed\n') == [{"keep": []}]


def test_it_gives_different_identities_different_keys() -> None:
    keys = {
        reading.idempotency_key(*each) for each in [("restic", ("a", "b")), ("restic", ("ab",)), ("restic", ("a,b",)), ("borg", ("a", "b"))]
    }

    assert len(keys) == 4
    assert all(len(key) == 64 for key in keys)
