"""Instants come from the database as they went in, read by the standard library."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import DataError, connection
from django.db.backends.postgresql.psycopg_any import BaseTzLoader

from itsm_backup.postgresql.base import InstantLoader

pytestmark = pytest.mark.django_db
INSTANTS = [
    "2026-07-14 12:00:00+00", "2026-07-14 12:00:00.5+00", "2026-07-14 12:00:00.000001+00", "1883-11-18 12:03:58+00",
    "0001-01-01 00:00:00+00", "9999-12-31 23:59:59.999999+00", "2026-07-14 12:00:00+05:30", "2026-03-29 02:30:00-11",
]  # fmt: skip


def asked(text: str) -> dt.datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::timestamptz", [text])
        return cursor.fetchone()[0]


@pytest.mark.parametrize("text", INSTANTS)
def test_it_reads_what_django_reads(text, monkeypatch):
    found = asked(text)
    assert found.tzinfo is dt.UTC
    monkeypatch.setattr(InstantLoader, "load", BaseTzLoader.load)
    assert asked(text) == found


def test_an_instant_is_the_same_in_a_session_of_another_zone():
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL TIME ZONE 'Asia/Kolkata'")
    found = asked("2026-07-14 12:00:00+00")
    assert (found, found.tzinfo) == (dt.datetime(2026, 7, 14, 12, tzinfo=dt.UTC), dt.UTC)


def test_arrays_and_ranges_are_read_so_too():
    with connection.cursor() as cursor:
        cursor.execute("SELECT ARRAY['2026-07-14 12:00+00', NULL]::timestamptz[], '[2026-07-14 12:00+00,)'::tstzrange")
        several, span = cursor.fetchone()
    assert several == [dt.datetime(2026, 7, 14, 12, tzinfo=dt.UTC), None] and span.lower == several[0]
    assert several[0].tzinfo is span.lower.tzinfo is dt.UTC


@pytest.mark.parametrize("text", ["infinity", "2026-07-14 12:00+00 BC"])
def test_what_is_no_instant_of_ours_is_refused_as_before(text):
    with pytest.raises(DataError):
        asked(text)
