"""The evidence that duties are separate: who may see it, what it says, and what it costs."""

import datetime as dt

import pytest
from django.contrib.auth.models import Permission
from guardian.shortcuts import assign_perm

from catalogue import excepting
from itsm_backup.common.time import now
from itsm_backup.portal import duties_page
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.words import instant
from tests.factories import make_admin, make_service, make_user
from tests.portal.makers import make_person

pytestmark = pytest.mark.django_db
BACKEND = "django.contrib.auth.backends.ModelBackend"


def shown(user, at=None):
    present = now()
    return duties_page.duties_page(user=user, moment=Moment(at=at or present, now=present))


def both(name):
    person = make_user(name)
    person.user_permissions.add(*Permission.objects.filter(codename__in=["change_tool", "change_service"]))
    return person


def test_the_evidence_begins_with_it(client, admin_user):
    client.force_login(admin_user, backend=BACKEND)
    answer = client.get("/evidence/?as_of=2026-07-14T08:00Z")
    assert (answer.status_code, answer["Location"]) == (302, "/evidence/duties/?as_of=2026-07-14T08:00Z")


def test_without_conflicts_it_says_so(db):
    assert shown(make_admin("root")).sentence == "Nobody holds duties that exclude each other."


def test_a_conflict_names_person_rule_and_ways_until_an_exception_covers_it(db):
    root, person = make_admin("root"), both("max")
    (found,) = shown(root).conflicts
    assert (found.person, found.pair, found.rule) == ("max", "monitoring-admin and steward", "who measures a promise never writes it.")
    assert found.ways == ("monitoring-admin: own right monitoring.change_tool", "steward: own right catalogue.change_service")
    until = now() + dt.timedelta(days=90)
    asked = {"person": person, "one": "steward", "other": "monitoring-admin", "owner": make_user("olga"), "reason": "Leave"}
    excepting.except_duties(**asked, valid_until=until, by=root, at=now())
    page = shown(root)
    assert page.sentence.startswith("Nobody holds duties that exclude each other without an exception. 1 exception covers")
    assert page.conflicts[0].covered == f"Exception until {until:%d %b %Y}, olga answers for it"
    assert (page.exceptions[0].state, page.exceptions[0].owner, page.exceptions[0].approver) == ("In force", "olga", "root")
    assert shown(root, now() - dt.timedelta(days=1)).exceptions == (), "it was not approved then"


def test_the_past_knows_no_end_of_later(db):
    root, at = make_admin("root"), now()
    asked = {"person": both("max"), "one": "steward", "other": "monitoring-admin", "owner": make_user("olga"), "reason": "Leave"}
    made = excepting.except_duties(**asked, valid_until=at + dt.timedelta(days=90), by=root, at=at - dt.timedelta(days=2))
    excepting.end(exception=made, by=root, at=at, reason="Filled")
    (then,) = shown(root, at - dt.timedelta(days=1)).exceptions
    assert (then.state, then.until) == ("In force", instant(at + dt.timedelta(days=90)))
    assert [one.state for one in shown(root).exceptions] == ["Over"]


def test_two_duties_that_must_not_meet_on_one_object_are_told_too(client):
    root, person = make_admin("root"), make_user("hanna")
    person.user_permissions.add(*Permission.objects.filter(codename__in=["approve_service", "change_service"]))
    page = shown(root)
    assert page.sentence == "Nobody holds duties that exclude each other altogether. 1 person holds two that must not meet on one object."
    (found,) = page.apart
    assert (page.conflicts, found.person, found.pair, found.rule) == ((), "hanna", "steward and approver", "an author never approves.")
    client.force_login(root, backend=BACKEND)
    assert "On one object only one of them is possible" in client.get("/evidence/duties/").content.decode()


def test_a_right_on_one_service_is_told_with_its_code(db):
    service = make_service("SVC-005")
    assign_perm("catalogue.change_service", make_user("raj"), service)
    assert "raj got the right to change SVC-005" in [one.what for one in shown(make_admin("root")).record]


@pytest.mark.parametrize(("role", "status"), [("auditor", 200), ("steward", 200), ("stakeholder", 403)])
def test_it_is_read_by_who_works_with_duties(client, role, status):
    client.force_login(make_person(role, now()), backend=BACKEND)
    answer = client.get("/evidence/duties/")
    assert answer.status_code == status
    assert ("Rights given and taken" in answer.content.decode()) == (role == "auditor")


def test_it_asks_as_often_for_many_people_as_for_few(django_assert_num_queries):
    root = make_admin("root")
    both("one")
    with django_assert_num_queries(5):
        shown(root)
    for number in range(12):
        both(f"person-{number}")
    with django_assert_num_queries(5):
        assert len(shown(root).conflicts) == 13
