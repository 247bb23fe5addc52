"""Numbers and people as the portal writes them."""

import datetime as dt

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from catalogue.duties import names
from itsm_backup import granting
from itsm_backup.common.admin.rights import PersonField
from itsm_backup.common.time import now
from itsm_backup.portal import words
from itsm_backup.portal.incident_list import whom
from monitoring.wording import rule_words
from tests.factories import make_user


@pytest.mark.parametrize(
    ("share", "told"),
    [(1, "100%"), (0.9997, "99.9%"), (0.963, "96.3%"), (327 / 339, "96.4%"), (0.57, "57.0%"), (0.9999, "99.9%"), (0, "0.0%")],
)
def test_a_share_is_never_rounded_up(share, told):
    assert words.percent(share) == told


@pytest.mark.parametrize(
    ("count", "told"),
    [(None, ""), (0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (158_000_000_000, "158 GB"), (2_100_000_000_000, "2.1 TB")],
)
def test_sizes_are_decimal(count, told):
    assert words.size(count) == told


@pytest.mark.parametrize(
    ("age_s", "promise_s", "told"),
    [(34 * 60, 3600, "34 min / 1 h"), (66 * 60, 7200, "1 h 06 / 2 h"), (None, 172800, "unknown / 48 h"), (300, None, "5 min")],
)
def test_a_tile_says_age_and_promise_in_one_line(age_s, promise_s, told):
    assert words.age_of_promise(age_s, promise_s) == told


def test_counts_agree_with_their_noun():
    assert [words.many(n, "entry", "entries") for n in (0, 1, 3001)] == ["0 entries", "1 entry", "3,001 entries"]


@pytest.mark.django_db
def test_people_of_one_name_are_told_apart_where_one_is_chosen():
    named = {"first_name": "Ivo", "last_name": "Marsh"}
    people = [make_user("ivo", **named), make_user("ivo2", **named), make_user("ida", first_name="Ida", last_name="Marsh")]
    told = ["Ivo Marsh (ivo)", "Ivo Marsh (ivo2)", "Ida Marsh"]
    assert [name for _, name in words.apart([*people, people[0]])] == told
    assert names([*people, people[2]]) == "Ivo Marsh (ivo), Ivo Marsh (ivo2) or Ida Marsh"
    assert words.apart(people[:1]) == [(people[0], "Ivo Marsh")]
    offered = PersonField(get_user_model().objects.order_by("pk"))
    assert [name for _, name in offered.choices][1:] == told
    granting.ensure_roles(at=now())
    for one in people:
        one.groups.add(Group.objects.get(name="operator"))
    assert [one.words for one in dict(whom(people[0]))["People"]] == ["Ida Marsh", "Ivo Marsh (ivo)", "Ivo Marsh (ivo2)"]


def test_times_carry_the_instant_in_utc(settings):
    settings.TIME_ZONE = "Europe/London"
    at = dt.datetime(2026, 7, 14, 8, 42, tzinfo=dt.UTC)
    assert words.instant(at) == '<time datetime="2026-07-14T08:42:00Z">Tue 14 Jul 2026, 09:42 BST</time>'


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("FREQ=DAILY", "Daily"),
        ("FREQ=HOURLY;BYMINUTE=35", "Hourly at minute 35"),
        ("RRULE:FREQ=HOURLY;BYMINUTE=18,48", "Hourly at minute 18, 48"),
        ("FREQ=HOURLY;INTERVAL=4", "Every 4 hours"),
        ("FREQ=WEEKLY;BYDAY=MO,TH", "Weekly on Mon, Thu"),
        ("FREQ=MONTHLY;BYDAY=1MO", "FREQ=MONTHLY;BYDAY=1MO"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "FREQ=MONTHLY;BYMONTHDAY=-1"),
    ],
)
def test_rules_are_told_in_words_where_there_are_words(rule, words):
    assert rule_words(rule) == words
