"""Who is on call: the n-th shift is the n-th member's in local time, whoever stands in counts, nobody twice."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction

from catalogue.refusing import NotAllowed, NotReady, WrongState
from incidents import rotating
from incidents.models import EscalationPolicy, EscalationStep, Incident, Rota, RotaMember, RotaSwap, Telling
from itsm_backup.common.models import because
from tests.factories import make_admin, make_team, make_user
from tests.incidents.makers import HOUR, fail, make_estate

pytestmark = [pytest.mark.django_db, pytest.mark.req("3.3")]


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def make_rota(*names: str, admins: bool = False, **fields: Any) -> Rota:
    values = {"starts_on": dt.date(2026, 3, 23), "zone": "Europe/London", **fields}
    with because("test"):
        rota = Rota.objects.create(team=make_team(), **values)
        for place, name in enumerate(names, start=1):
            RotaMember.objects.create(rota=rota, place=place, person=(make_admin if admins else make_user)(name))
    return rota


def told(rota: Rota, since: str, until: str) -> list[tuple[str, str]]:
    found = rotating.shifts(Rota.objects.get(pk=rota.pk), since=at(since), until=at(until))
    return [(one.person.username, f"{one.starts_at:%d %b %H:%M}") for one in found]


def test_shifts_change_hands_at_the_local_hour_over_a_change_of_clocks():
    rota = make_rota("ada", "ben")
    assert told(rota, "2026-03-23T10:00", "2026-04-14T00:00") == [
        ("ada", "23 Mar 09:00"), ("ben", "30 Mar 08:00"), ("ada", "06 Apr 08:00"), ("ben", "13 Apr 08:00"),
    ]  # fmt: skip
    spring = rotating.on_call(rota, at=at("2026-03-29T12:00"))
    assert spring and spring.ends_at - spring.starts_at == dt.timedelta(days=7, hours=-1)


def test_a_recurrence_parts_the_week_from_the_weekend():
    rota = make_rota("ada", "ben", "cy", shift_days=None, rule="FREQ=WEEKLY;BYDAY=MO,FR", zone="UTC")
    assert told(rota, "2026-03-24", "2026-04-01") == [("ada", "23 Mar 09:00"), ("ben", "27 Mar 09:00"), ("cy", "30 Mar 09:00")]


def test_before_the_first_shift_and_without_members_nobody_is_on_call():
    rota = make_rota("ada")
    assert rotating.on_call(rota, at=at("2026-03-23T08:59")) is None
    with because("test"):
        rota.members.get().delete()
    assert rotating.on_call(Rota.objects.get(), at=at("2026-04-01")) is None


def test_somebody_stands_in_and_it_is_taken_back():
    rota, boss = make_rota("ada", "ben"), make_admin()
    cy = make_user("cy")
    swap = rotating.stand_in(
        rota=rota,
        person=cy,
        starts_at=at("2026-03-25T00:00"),
        ends_at=at("2026-03-26T00:00"),
        by=boss,
        at=at("2026-03-24"),
        reason="Dentist",
    )
    assert told(rota, "2026-03-24", "2026-03-28") == [("ada", "23 Mar 09:00"), ("cy", "25 Mar 00:00"), ("ada", "26 Mar 00:00")]
    during = rotating.on_call(Rota.objects.get(), at=at("2026-03-25T12:00"))
    assert during and (during.instead_of.username, during.reason) == ("ada", "Dentist")
    rotating.take_back(swap=swap, by=boss, at=at("2026-03-25T06:00"))
    assert told(rota, "2026-03-25T05:00", "2026-03-28") == [("cy", "25 Mar 00:00"), ("ada", "25 Mar 06:00")]
    with pytest.raises(WrongState):
        rotating.take_back(swap=swap, by=boss, at=at("2026-03-25T07:00"))
    assert RotaSwap.history.filter(history_change_reason="Dentist").exists()


@pytest.mark.parametrize(
    ("start", "end", "reason", "why"),
    [
        ("2026-03-20", "2026-03-21", "x", "is over"),
        ("2026-03-25", "2026-03-24T12:00", "x", "must end after"),
        ("2026-03-25", "2026-07-25", "x", "62 days"),
        ("2026-03-25", "2026-03-26", " ", "Say why"),
        ("2026-03-01", "2026-03-02", "x", "Nobody has a turn in that time"),
    ],
)
def test_what_cannot_be_swapped_is_said(start, end, reason, why):
    rota = make_rota("ada")
    spell = {"starts_at": at(start), "ends_at": at(end), "at": at("2026-02-24" if start < "2026-03-10" else "2026-03-24")}
    with pytest.raises(NotReady, match=why):
        rotating.stand_in(rota=rota, person=make_user(), **spell, by=make_admin(), reason=reason)
    with pytest.raises(NotAllowed):
        rotating.stand_in(rota=rota, person=make_user(), **spell, by=make_user(), reason="x")


def test_the_database_lets_only_one_stand_in_at_a_time():
    rota = make_rota("ada")
    insert = (
        "INSERT INTO incidents_rotaswap (rota_id, person_id, starts_at, ends_at, reason)"
        " VALUES (%s, %s, '2026-03-25', '2026-03-27', 'x'), (%s, %s, '2026-03-26', '2026-03-28', 'x')"
    )
    person = make_user().pk
    with pytest.raises(IntegrityError, match="swap_one_at_a_time"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(insert, [rota.pk, person, rota.pk, person])


def test_a_rota_says_when_shifts_begin_one_way():
    rota = make_rota("ada")
    rota.rule = "FREQ=WEEKLY;BYDAY=MO"
    with pytest.raises(ValidationError, match="one of the two"):
        rota.full_clean()
    rota.shift_days, rota.rule = None, "WEEKLY"
    with pytest.raises(ValidationError, match="recurrence rule"):
        rota.full_clean()


@pytest.mark.parametrize(("names", "address", "why"), [(("ada",), "ada@example.org", ""), ((), "storage@example.org", "nobody is on call")])
def test_a_policy_tells_whoever_is_on_call(noon, names, address, why):
    make_rota(*names, admins=True, starts_on=(noon - 72 * HOUR).date())
    with because("test"):
        policy = EscalationPolicy.objects.create(name="On call")
        EscalationStep.objects.create(policy=policy, tell="on_call")
    fail(make_estate(noon - 48 * HOUR, "a"), "a", noon - HOUR, noon)
    assert Incident.objects.get()
    assert [(one["address"], one["why"]) for one in Telling.objects.get().recipients] == [(address, why)]


def test_the_api_says_who_it_is_and_lets_somebody_stand_in(client):
    rota = make_rota("ada", "ben", starts_on=dt.date(2026, 1, 5))
    client.force_login(make_admin("boss"), backend="django.contrib.auth.backends.ModelBackend")
    found = client.get("/api/v1/on-call/?at=2026-01-13T12:00Z").json()
    assert [one["person"] for one in found[0]["shifts"][:2]] == ["ben", "ada"]
    assert client.get("/api/v1/on-call/?at=soon").status_code == 400
    now = dt.datetime.now(dt.UTC)
    body = {"person": "ada", "starts_at": now.isoformat(), "ends_at": (now + HOUR).isoformat(), "reason": "Lunch"}
    address = f"/api/v1/on-call/{rota.pk}/stand-in"
    answer = client.post(address, body, content_type="application/json")
    assert answer.status_code == 200 and answer.json()["shifts"][0]["reason"] == "Lunch"
    assert client.post(address, body, content_type="application/json").status_code == 409
    client.force_login(make_user(), backend="django.contrib.auth.backends.ModelBackend")
    assert client.post(address, body, content_type="application/json").status_code == 404
