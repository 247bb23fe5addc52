"""Roles: what they may, on what, and which of them no person holds together."""

import datetime as dt
from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction

from catalogue import duties, holding, publishing
from catalogue.models import Service, ServiceVersion
from itsm_backup import granting
from itsm_backup.granting import NotGranted, grant, held_by, revoke
from itsm_backup.roles import ROLES, Scope, scope_of
from monitoring.models import AttributionRule, BackupJob, JobSchedule, Tool
from tests.factories import make_admin, make_job, make_schedule, make_service, make_tool, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(noon):
    granting.ensure_roles(at=noon)
    return make_admin("root")


def give(person, role, admin, noon, **limits):
    grant(user=person, role=role, by=admin, at=noon, reason="For a test", **limits)
    return get_user_model().objects.get(pk=person.pk)


def seen(model, person, action="view"):
    return set(map(str, model.objects.visible_to(person, action)))


def test_every_permission_of_every_role_exists(noon):
    granting.ensure_roles(at=noon)
    for name, role in ROLES.items():
        held = {f"{p.content_type.app_label}.{p.codename}" for p in Group.objects.get(name=name).permissions.select_related("content_type")}
        assert held == role.everywhere
        assert granting._rows(role.on_service | role.on_tool | role.on_their_tools | role.on_jobs | role.verbs) is not None


def test_it_takes_back_what_somebody_added_to_a_role(noon):
    granting.ensure_roles(at=noon)
    group = Group.objects.get(name="auditor")
    group.permissions.add(Group.objects.get(name="steward").permissions.get(codename="change_service"))
    granting.ensure_roles(at=noon)
    assert not group.permissions.filter(codename="change_service").exists()


@pytest.mark.parametrize(
    "scope",
    [Scope("steward"), Scope("operator", "service", "a.b-c"), Scope("operator", "tool", "x"), Scope("stakeholder", "department", "A of B")],
)
def test_the_name_of_a_group_tells_its_role_and_its_limit(scope):
    assert scope_of(scope.group) == scope


def test_other_groups_are_no_roles():
    assert [scope_of(name) for name in ("Stewards", "steward of service a", "steward on", "x steward")] == [None] * 4


def test_a_role_over_the_estate_reaches_everything_of_its_duty_and_nothing_else(admin, noon):
    service, tool = make_service("pacs"), make_tool(name="restic-1")
    schedule = make_schedule(make_job(tool, service=service))
    steward = give(make_user("stella"), "steward", admin, noon)
    keeper = give(make_user("mona"), "monitoring-admin", admin, noon)
    reader = give(make_user("ada"), "auditor", admin, noon)
    assert seen(Service, steward, "change") == {"pacs"} and not seen(Service, steward, "approve")
    assert not seen(Tool, steward, "change") and not seen(JobSchedule, steward, "change") and not seen(AttributionRule, steward, "change")
    assert seen(JobSchedule, keeper, "change") == {str(schedule)} and not seen(Service, keeper, "change")
    for model in (Service, Tool, JobSchedule, BackupJob, AttributionRule):
        assert seen(model, reader) and not seen(model, reader, "change")
    assert (steward.is_staff, keeper.is_staff, reader.is_staff) == (True, True, True)


def test_a_role_on_one_service_reaches_that_service_alone(admin, noon):
    mine, other = make_service("pacs"), make_service("ris")
    tools = [make_tool(name=name) for name in ("one", "two")]
    job, hidden = make_job(tools[0], "a", service=mine), make_job(tools[1], "b", service=other)
    BackupJob.objects.filter(pk=job.pk).update(service=mine)
    BackupJob.objects.filter(pk=hidden.pk).update(service=other)
    make_schedule(job)
    steward = give(make_user("stella"), "steward", admin, noon, services=[mine])
    assert seen(Service, steward) == seen(Service, steward, "change") == {"pacs"}
    assert {version.service.code for version in ServiceVersion.objects.visible_to(steward, "change")} == {"pacs"}
    assert not seen(JobSchedule, steward, "change") and not seen(AttributionRule, steward, "change") and not seen(Tool, steward)
    operator = give(make_user("otto"), "operator", admin, noon, services=[mine])
    assert seen(Tool, operator) == seen(Tool, operator, "poll") == {"one"}
    assert seen(BackupJob, operator) == seen(BackupJob, operator, "see_ping_address") == {"a"}
    assert not seen(Tool, operator, "change") and not seen(Service, operator, "change")


def test_a_role_on_a_tool_lets_change_that_tool_and_its_schedules(admin, noon):
    service, tool, other = make_service("pacs"), make_tool(name="one"), make_tool(name="two")
    job = make_job(tool, "a", service=service)
    BackupJob.objects.filter(pk=job.pk).update(service=service)
    schedule = make_schedule(job)
    make_schedule(make_job(other, "b"))
    keeper = give(make_user("mona"), "monitoring-admin", admin, noon, tools=[tool])
    assert seen(Tool, keeper, "change") == {"one"}
    assert seen(JobSchedule, keeper, "change") == {str(schedule)}
    assert not seen(Service, keeper)


def test_a_department_moves_and_the_right_with_it(admin, noon):
    make_service("pacs", department="Imaging")
    moving = make_service("ris", department="Imaging")
    reader = give(make_user("sam"), "stakeholder", admin, noon, departments=["Imaging"])
    assert seen(Service, reader) == {"pacs", "ris"}
    author, approver = make_user(), make_admin()
    version = publishing.draft_version(service=moving, content={"department": "Wards"}, commitment={}, by=author, at=noon, reason="Moved")
    publishing.submit(version=version, by=author, at=noon)
    publishing.approve(version=version, by=approver, at=noon)
    assert granting.refresh_scopes(at=noon + dt.timedelta(hours=1)) == 1
    assert seen(Service, reader) == {"pacs"}
    assert granting.refresh_scopes(at=noon + dt.timedelta(hours=1)) == 0


def test_it_refuses_roles_that_exclude_each_other_even_limited_ones(admin, noon):
    person = give(make_user("max", first_name="Max", last_name="Ott"), "monitoring-admin", admin, noon, tools=[make_tool(name="one")])
    with pytest.raises(NotGranted, match=r"Max Ott cannot be given the role steward.*who measures a promise never writes it"):
        give(person, "steward", admin, noon, services=[make_service("pacs")])
    assert held_by(person) == [Scope("monitoring-admin", "tool", "one")]
    assert not duties.conflicts(scope.role for scope in held_by(person))


def test_a_role_whose_rights_make_up_a_duty_is_refused_like_that_duty(admin, noon):
    """Who leads incidents may end them, as operators do: so no auditor and no approver leads them."""
    for held, rule in (("auditor", "nobody audits their own work"), ("approver", "who runs the backups never approves")):
        person = give(make_user(held), held, admin, noon)
        with pytest.raises(NotGranted, match=f"cannot be given the role incident-manager.*{rule}"):
            give(person, "incident-manager", admin, noon)
        with pytest.raises(IntegrityError, match="exclude each other"), transaction.atomic():
            person.groups.add(Group.objects.get(name="incident-manager"))
    leader = give(make_user("lead"), "incident-manager", admin, noon)
    with pytest.raises(NotGranted, match="cannot be given the role auditor"):
        give(leader, "auditor", admin, noon)
    with pytest.raises(IntegrityError, match="exclude each other"), transaction.atomic():
        leader.groups.add(Group.objects.get(name="auditor"))
    others = {name: holding.duties_of_rights(role.everywhere | role.verbs) - {name} for name, role in ROLES.items()}
    assert {name: found for name, found in others.items() if found} == {"incident-manager": {"operator"}}, "the trigger knows this one"


def test_nobody_gives_a_role_to_themselves_and_none_without_a_reason(admin, noon):
    person = make_user("max")
    with pytest.raises(NotGranted, match="to themselves"):
        grant(user=person, role="operator", by=person, at=noon, reason="Mine")
    with pytest.raises(NotGranted, match="reason"):
        grant(user=person, role="operator", by=admin, at=noon, reason=" ")
    with pytest.raises(NotGranted, match=r"There is no role boss. Roles: steward, "):
        grant(user=person, role="boss", by=admin, at=noon, reason="Test")


def test_every_grant_and_withdrawal_is_on_record(admin, noon):
    person = give(make_user("stella"), "steward", admin, noon)
    revoke(user=person, scope=Scope("steward"), by=admin, at=noon, reason="Left the team")
    person.refresh_from_db()
    assert (held_by(person), person.is_staff) == ([], False)
    told = LogEntry.objects.filter(object_id=str(person.pk)).order_by("id").values_list("user", "change_message", "action_time")
    assert list(told) == [
        (admin.pk, "Given the role steward: For a test", noon),
        (admin.pk, "The role steward taken away: Left the team", noon),
    ]
    with pytest.raises(NotGranted, match="does not hold"):
        revoke(user=person, scope=Scope("steward"), by=admin, at=noon, reason="Again")


def test_the_same_grant_twice_is_one(admin, noon):
    person = give(make_user("stella"), "steward", admin, noon)
    assert grant(user=person, role="steward", by=admin, at=noon, reason="Again") == []
    assert LogEntry.objects.count() == 1


def test_every_role_and_every_exclusion_is_documented():
    text = (Path(__file__).resolve().parents[2] / "docs" / "roles.md").read_text()
    roles, exclusions = text.split("## Roles that no person holds together")
    for name, role in ROLES.items():
        assert f"| `{name}` | {role.duty} |" in roles
    for conflict in duties.NEVER_TOGETHER:
        assert any(f"| `{conflict.one}` |" in line and f"`{conflict.other}`" in line and conflict.rule.rstrip(".") in line
                   for line in exclusions.splitlines()), conflict  # fmt: skip
