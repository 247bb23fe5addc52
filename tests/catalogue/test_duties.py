"""Which duties exclude each other, and whom to ask."""

import pytest
from django.contrib.auth.models import Group, Permission
from guardian.shortcuts import assign_perm

from catalogue import duties
from tests.catalogue.makers import make_approver, make_service, make_user


@pytest.mark.parametrize(
    ("roles", "pairs"),
    [
        ([], []),
        (["steward", "requester", "stakeholder"], []),
        (["steward", "approver"], []),  # only on the same version: guarded there
        (["monitoring-admin", "steward"], [("monitoring-admin", "steward")]),
        (["operator", "approver", "monitoring-admin"], [("monitoring-admin", "approver"), ("operator", "approver")]),
        (["auditor", "change-manager"], [("auditor", "change-manager")]),
        (["steward", "steward"], []),
    ],
)
def test_it_finds_the_pairs_that_no_person_holds_together(roles, pairs):
    assert [{conflict.one, conflict.other} for conflict in duties.conflicts(roles)] == [set(pair) for pair in pairs]


def test_a_conflict_says_its_rule():
    (conflict,) = duties.conflicts({"steward", "monitoring-admin"})
    assert str(conflict) == "monitoring-admin and steward exclude each other: who measures a promise never writes it."


@pytest.mark.django_db
def test_it_finds_who_may_by_role_group_and_grant():
    service, other = make_service("pacs"), make_service("ris")
    team, member = Group.objects.create(name="approvers"), make_user("member")
    team.permissions.add(Permission.objects.get(codename="approve_service"))
    member.groups.add(team)
    assign_perm("catalogue.approve_service", make_user("limited"), service)
    make_user("left", "catalogue.approve_service", is_active=False)
    make_user("root", is_superuser=True)
    assert [user.username for user in duties.who_may("approve", service)] == ["approver", "limited", "member"]
    assert [user.username for user in duties.who_may("approve", other, except_ids=[make_approver().pk])] == ["member"]


@pytest.mark.django_db
def test_it_names_at_most_five_people():
    people = [make_user(f"u{number}", first_name="Ann", last_name=f"No{number}") for number in range(7)]
    assert duties.names(people[:0]) == ""
    assert duties.names(people[:1]) == "Ann No0"
    assert duties.names(people[:3]) == "Ann No0, Ann No1 or Ann No2"
    assert duties.names(people).endswith("Ann No4 or 2 others")
