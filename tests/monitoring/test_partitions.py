"""Room for raw answers."""

import datetime as dt

import pytest
from django.db import connection

from monitoring.models import RawAnswer
from monitoring.partitions import ensure_partitions

pytestmark = pytest.mark.django_db


def answer(at):
    return RawAnswer.objects.create(received_at=at, tool_id=1, kind="poll", body=b"", size_bytes=0, sha256=bytes(32))


def place_of(row):
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM monitoring_rawanswer WHERE id = %s", [row.pk])
        return cursor.fetchone()[0]


def test_it_makes_this_month_and_the_next_two_once():
    at = dt.datetime(2031, 11, 30, 23, 59, tzinfo=dt.UTC)
    assert ensure_partitions(at=at) == ["monitoring_rawanswer_2031_11", "monitoring_rawanswer_2031_12", "monitoring_rawanswer_2032_01"]
    assert ensure_partitions(at=at) == []
    assert ensure_partitions(at=at + dt.timedelta(minutes=1)) == ["monitoring_rawanswer_2032_02"]


def test_it_moves_over_what_the_catch_all_took_in():
    early, late = answer(dt.datetime(2031, 11, 1, tzinfo=dt.UTC)), answer(dt.datetime(2031, 12, 1, tzinfo=dt.UTC))
    old = answer(dt.datetime(2019, 1, 1, tzinfo=dt.UTC))
    assert place_of(early) == "monitoring_rawanswer_other"
    ensure_partitions(at=dt.datetime(2031, 11, 15, tzinfo=dt.UTC))
    assert [place_of(row)[-7:] for row in (early, late)] == ["2031_11", "2031_12"]
    assert place_of(old) == "monitoring_rawanswer_other"
    assert RawAnswer.objects.count() == 3


def test_a_new_answer_lands_in_its_month_with_the_next_number():
    before = answer(dt.datetime(2031, 11, 1, tzinfo=dt.UTC))
    ensure_partitions(at=dt.datetime(2031, 11, 15, tzinfo=dt.UTC))
    after = answer(dt.datetime(2031, 11, 16, tzinfo=dt.UTC))
    assert after.pk > before.pk
    assert place_of(after) == "monitoring_rawanswer_2031_11"
