"""Who may do what to which row: by role, by a grant on the row, through the row that owns it."""

import pytest
from django.contrib.auth.models import Group
from guardian.shortcuts import assign_perm

from catalogue.models import Relation, Service, Team
from itsm_backup.common.models import because
from monitoring.models import AttributionRule, BackupJob, JobSchedule, Tool
from tests.admin_forms import make_staff
from tests.factories import make_admin, make_job, make_rule, make_schedule, make_service, make_tool, make_user

pytestmark = pytest.mark.django_db


def seen(model, user, action="view"):
    return set(model.objects.visible_to(user, action).values_list("pk", flat=True))


def test_nobody_sees_anything_without_a_right_and_a_deactivated_person_never():
    make_service("pacs")
    assert not seen(Service, make_user())
    gone = make_admin()
    gone.is_active = False
    assert not seen(Service, gone)


def test_a_role_reaches_every_row_and_a_grant_one():
    one, two = make_tool(), make_tool()
    assert seen(Tool, make_staff("monitoring.view_tool")) == {one.pk, two.pk}
    limited = make_staff(on=one, may=("view", "change"))
    assert seen(Tool, limited) == seen(Tool, limited, "change") == {one.pk}
    assert not seen(Tool, limited, "poll")


def test_a_grant_to_a_role_reaches_its_people():
    tool, person = make_tool(), make_user()
    group = Group.objects.create(name="night shift")
    assign_perm("view_tool", group, tool)
    person.groups.add(group)
    assert seen(Tool, person) == {tool.pk}


def test_what_belongs_to_a_row_follows_its_right():
    mine, other = make_service("pacs"), make_service("ris")
    with because("test"):
        below = Relation.objects.create(consumer=mine, provider=other)
        Relation.objects.create(consumer=other, provider=mine)
    steward = make_staff(on=mine, may=("view", "change"))
    assert seen(Relation, steward) == seen(Relation, steward, "change") == {below.pk}


def test_a_role_for_one_kind_of_rows_reaches_them_where_their_owner_is_in_sight():
    mine, other, tool = make_service("pacs"), make_service("ris"), make_tool()
    rule = make_rule(mine, tool, "a")
    make_rule(other, tool, "b")
    keeper = make_staff("monitoring.change_attributionrule", on=mine, may=("view",))
    assert seen(AttributionRule, keeper, "change") == {rule.pk}
    assert not seen(Service, keeper, "change")


def test_the_right_to_change_a_service_is_no_right_to_change_how_it_is_measured():
    service, tool = make_service("pacs"), make_tool()
    make_rule(service, tool, "a")
    job = make_job(tool, "a")
    BackupJob.objects.filter(pk=job.pk).update(service=service)
    schedule = make_schedule(job)
    steward = make_staff(on=service, may=("view", "change"))
    assert seen(JobSchedule, steward) == {schedule.pk}
    assert not seen(JobSchedule, steward, "change") and not seen(AttributionRule, steward, "change")
    assert seen(JobSchedule, make_staff(on=tool, may=("view", "change")), "change") == {schedule.pk}


def test_a_right_that_the_owner_does_not_know_is_granted_on_the_row_itself():
    job, hidden = make_job(make_tool(), "a"), make_job(make_tool(), "b")
    person = make_staff(on=job, may=("see_ping_address",))
    assert seen(BackupJob, person, "see_ping_address") == {job.pk}
    by_role = make_staff("monitoring.see_ping_address_backupjob", on=hidden.tool, may=("view",))
    assert seen(BackupJob, by_role, "see_ping_address") == {hidden.pk}


def test_a_team_belongs_to_nobody_so_only_a_role_reaches_it():
    make_service()
    assert not seen(Team, make_staff(on=Service.objects.get(), may=("view", "change")))
    assert seen(Team, make_staff("catalogue.view_team"))
