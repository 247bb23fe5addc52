"""Rights on single rows: lists are never refused, other rows do not exist, attempts are on record."""

import logging

import pytest
from django.contrib import admin
from guardian.shortcuts import assign_perm

from catalogue.models import Relation, Service
from itsm_backup.common.models import Refusal
from monitoring.models import AttributionRule, BackupJob, CauseRule, QuarantinedRecord, Tool
from tests.admin_forms import change_url, filled, filled_list, make_staff, signed_in, url
from tests.factories import LONG_AGO, make_admin, make_job, make_rule, make_service, make_tool, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def refusals(caplog):
    caplog.set_level(logging.WARNING, "itsm_backup.refused")
    return lambda: [record.refused for record in caplog.records if record.name == "itsm_backup.refused"]


def reason(**more):
    return {"change_reason": "For a test", **more}


def test_who_holds_a_right_on_one_tool_sees_and_changes_that_one_alone(refusals):
    mine, other = make_tool(name="mine"), make_tool(name="hidden-one")
    person = make_staff(on=mine, may=("view", "change"))
    client = signed_in(person)
    listed = client.get(url(Tool, "changelist"))
    assert listed.status_code == 200
    assert [row.name for row in listed.context["cl"].result_list] == ["mine"] and "hidden-one" not in listed.content.decode()
    page = client.get(change_url(mine))
    assert client.post(change_url(mine), filled(page, label="My tool", **reason())).status_code == 302
    assert Tool.objects.get(pk=mine.pk).label == "My tool"
    assert not refusals()
    for path in (change_url(other), url(Tool, "history", other.pk), url(Tool, "delete", other.pk), url(Tool, "permissions", other.pk)):
        answer = client.get(path)
        assert (answer.status_code, answer["Location"]) == (302, "/admin/")
    assert [told["object"] for told in refusals()] == [f"monitoring.tool:{other.pk}"] * 4
    assert {told["user"] for told in refusals()} == {person.username}


def test_a_guessed_address_cannot_write_either(refusals):
    mine, other = make_tool(), make_tool(label="As it was")
    client = signed_in(make_staff(on=mine, may=("view", "change")))
    data = filled(client.get(change_url(mine)), label="Taken", **reason())
    assert client.post(change_url(other), data).status_code == 302
    assert Tool.objects.get(pk=other.pk).label == "As it was"
    assert client.post(url(Tool, "delete", mine.pk), {"post": "yes", **reason()}).status_code == 403
    assert Tool.objects.count() == 2 and len(refusals()) == 2


def test_a_row_that_is_not_there_looks_the_same_and_is_no_attempt(refusals):
    client = signed_in(make_staff(on=make_tool(), may=("view",)))
    answer = client.get(url(Tool, "change", 10**6), follow=True)
    hidden = make_tool()
    other = client.get(url(Tool, "change", hidden.pk), follow=True)
    assert [m.message.replace(str(10**6), "#") for m in answer.context["messages"]] == [
        m.message.replace(str(hidden.pk), "#") for m in other.context["messages"]
    ]
    assert len(refusals()) == 1


def test_who_may_only_look_gets_a_page_without_fields_and_a_refusal_when_writing(refusals):
    tool = make_tool(label="As it was", ping_key="abcdefgh123")
    client = signed_in(make_staff(on=tool, may=("view",)))
    html = client.get(change_url(tool)).content.decode()
    assert 'name="label"' not in html and 'name="_save"' not in html and "abcdefgh123" not in html
    answer = client.post(change_url(tool), {"label": "Taken", **reason()})
    assert answer.status_code == 403 and "You may not do this" in answer.content.decode()
    assert Tool.objects.get().label == "As it was" and len(refusals()) == 1
    assert client.get(url(Tool, "add")).status_code == 403


@pytest.mark.parametrize("model", [Service, Tool, BackupJob, AttributionRule])
def test_a_list_is_refused_only_to_who_may_see_nothing_of_it(model, refusals):
    assert signed_in(make_staff()).get(url(model, "changelist")).status_code == 403
    assert len(refusals()) == 1


def test_the_index_shows_what_one_may_see():
    tool = make_tool()
    make_job(tool)
    html = signed_in(make_staff(on=tool, may=("view",))).get("/admin/").content.decode()
    assert url(Tool, "changelist") in html and url(BackupJob, "changelist") in html and url(Service, "changelist") not in html
    nothing = signed_in(make_staff()).get("/admin/")
    assert nothing.status_code == 200 and "You hold no right on anything here" in nothing.content.decode()


def test_choices_hold_only_what_one_may_choose(refusals):
    mine, other, tool = make_service("pacs"), make_service("ris"), make_tool()
    steward = make_staff(on=mine, may=("view", "change"))
    client = signed_in(steward)
    page = client.get(url(Relation, "add"))
    form = page.context["adminform"].form
    assert list(form.fields["consumer"].queryset) == list(form.fields["provider"].queryset) == [mine]
    data = {"consumer": mine.pk, "provider": other.pk, "kind": "depends_on", "strength": "hard", **reason()}
    answer = client.post(url(Relation, "add"), data)
    assert "Select a valid choice" in answer.content.decode() and not Relation.objects.exists()
    assert [(told["action"], told["object"]) for told in refusals()] == [("choose", f"catalogue.service:{other.pk}")]
    assign_perm("view_service", steward, other)
    signed_in(steward).post(url(Relation, "add"), data)
    assert Relation.objects.get().provider == other
    assert client.get(url(AttributionRule, "add")).status_code == 403, tool


def test_to_look_at_a_service_is_not_enough_to_put_something_below_it():
    seen, changed = make_service("seen"), make_service("changed")
    steward = make_staff(on=changed, may=("view", "change"))
    assign_perm("view_service", steward, seen)
    form = signed_in(steward).get(url(Relation, "add")).context["adminform"].form
    assert set(form.fields["consumer"].queryset) == {changed} and set(form.fields["provider"].queryset) == {seen, changed}


def test_a_choice_made_by_somebody_else_stays_though_it_is_out_of_sight(open_rules):
    service, hidden = make_service("pacs"), make_tool(name="hidden")
    rule = make_rule(service, hidden, "nightly")
    keeper = make_staff("monitoring.change_attributionrule", "monitoring.add_attributionrule", on=service, may=("view",))
    client = signed_in(keeper)
    page = client.get(change_url(rule))
    client.post(change_url(rule), filled(page, position=7, **reason()))
    rule.refresh_from_db()
    assert (rule.position, rule.tool) == (7, hidden)


def test_rows_of_a_list_that_one_may_not_change_are_locked_whatever_is_sent(refusals, open_rules):
    mine, other = make_service("pacs"), make_service("ris")
    tool, second = make_tool(), make_tool()
    own, hidden = make_rule(mine, tool, "a"), make_rule(other, second, "b")
    keeper = make_staff(on=tool, may=("view", "change"))
    for service in (mine, other):
        assign_perm("view_service", keeper, service)
    client = signed_in(keeper)
    page = client.get(url(AttributionRule, "changelist"))
    assert len(page.context["cl"].result_list) == 2
    data = filled_list(page, **reason())
    data |= {f"form-{i}-position": 9 for i in range(2)} | {f"form-{i}-enabled": "on" for i in range(2)}
    client.post(url(AttributionRule, "changelist"), data)
    own.refresh_from_db()
    hidden.refresh_from_db()
    assert (own.position, hidden.position) == (9, 100)
    assert [told["object"] for told in refusals()] == [f"monitoring.attributionrule:{hidden.pk}"]


def test_a_bulk_act_leaves_rows_alone_that_one_may_not_change(refusals):
    mine, other = make_tool(), make_tool()
    person = make_staff(on=mine, may=("view", "change"))
    assign_perm("view_tool", person, other)
    data = {"action": "disable", "_selected_action": [mine.pk, other.pk], "post": "yes", **reason()}
    signed_in(person).post(url(Tool, "changelist"), data)
    assert list(Tool.objects.filter(enabled=True)) == [other]
    assert [(told["action"], told["object"]) for told in refusals()] == [("disable", f"monitoring.tool:{other.pk}")]


def test_choices_that_complete_themselves_offer_only_what_one_may_see():
    mine, other = make_tool(name="mine"), make_tool(name="hidden-one")
    for tool in (mine, other):
        make_job(tool, f"job of {tool.name}")
    wanted = {"app_label": "monitoring", "model_name": "jobschedule", "field_name": "job", "term": "job"}
    answer = signed_in(make_staff(on=mine, may=("view",))).get("/admin/autocomplete/", wanted)
    assert [choice["text"] for choice in answer.json()["results"]] == ["job of mine"]
    assert signed_in(make_staff()).get("/admin/autocomplete/", wanted).status_code == 403


def test_filters_name_only_what_one_may_see():
    mine, other = make_tool(name="mine"), make_tool(name="other-tool")
    for tool in (mine, other):
        QuarantinedRecord.objects.create(tool=tool, answer_index=0, reason=f"Broken in {tool}", created_at=LONG_AGO)
    html = signed_in(make_staff(on=mine, may=("view",))).get(url(QuarantinedRecord, "changelist")).content.decode()
    assert "mine" in html and "other-tool" not in html


def test_only_administrators_give_rights_and_never_to_themselves(refusals):
    tool = make_tool()
    keeper = make_staff(on=tool, may=("view", "change"))
    answer = signed_in(keeper).get(url(Tool, "permissions", tool.pk))
    assert answer.status_code == 403 and "Administrators give and take rights." in answer.content.decode()
    granter = make_staff("guardian.change_userobjectpermission", "monitoring.view_tool")
    page = url(Tool, "permissions", tool.pk)
    refused = signed_in(granter).post(page, {"holder": granter.pk, "rights": ["change_tool"], **reason()})
    assert "Nobody gives rights to themselves" in refused.content.decode() and not granter.has_perm("change_tool", tool)
    assert len(refusals()) == 2


def test_an_attempt_of_who_is_no_staff_is_on_record_though_nothing_follows_the_answer(refusals):
    stranger = signed_in(make_user("stranger"))
    answer = stranger.post("/admin/monitoring/tool/add/", {"name": "mine"})
    assert answer.status_code == 403 and "no duties in the administration" in answer.content.decode()
    kept = Refusal.objects.get()
    assert (kept.who, kept.method, kept.path, kept.what) == (
        "stranger",
        "POST",
        "/admin/monitoring/tool/add/",
        "/admin/monitoring/tool/add/",
    )
    assert len(refusals()) == 1 and stranger.post("/admin/logout/").status_code == 302


def test_who_is_no_staff_is_told_so_and_who_is_not_signed_in_goes_to_the_portals_sign_in(client, refusals):
    answer = signed_in(make_user()).get("/admin/monitoring/tool/", follow=True)
    assert answer.status_code == 403 and "no duties in the administration" in answer.content.decode()
    assert len(refusals()) == 1
    assert '<script src="/admin/jsi18n/"' not in answer.content.decode(), "a browser would be refused that, too, and say so"
    answer = client.get("/admin/monitoring/tool/", follow=True)
    assert answer.redirect_chain[-1][0].startswith("/accounts/login/?next=/admin/monitoring/tool/")
    assert client.post("/admin/login/", {"username": "x", "password": "y"}).status_code == 302


def test_a_deactivated_person_is_out_at_once():
    person = make_admin()
    client = signed_in(person)
    person.is_active = False
    person.save()
    assert client.get("/admin/").status_code == 302


def test_no_door_of_another_package_stands_open():
    from itsm_backup.common.admin.rights import LoggedAdmin

    assert admin.site._registry and all(isinstance(door, LoggedAdmin) for door in admin.site._registry.values())


def test_every_tracked_row_has_a_door_with_reasons_or_is_a_part_of_one():
    from django.apps import apps

    from itsm_backup.common.admin import TrackedAdmin
    from itsm_backup.common.models import Tracked

    tracked = {model for model in apps.get_models() if issubclass(model, Tracked)}
    doors = {model: door for model, door in admin.site._registry.items() if isinstance(door, TrackedAdmin)}
    parts = {part for door in doors.values() for part in door.history_parts}
    assert tracked == set(doors) | parts


def test_what_the_machine_wrote_has_no_way_to_write(refusals):
    job = make_job(make_tool())
    client = signed_in(make_admin())
    assert client.get(change_url(job)).status_code == 200
    assert client.post(change_url(job), {"name": "Other", **reason()}).status_code == 403
    assert client.get(url(BackupJob, "add")).status_code == client.get(url(BackupJob, "delete", job.pk)).status_code == 403
    assert BackupJob.objects.get().name == job.name and len(refusals()) == 3


def test_a_line_of_the_log_cannot_be_forged_by_a_name(refusals, caplog):
    make_tool()
    person = make_staff(name='eve" action="none"\nroot logged in')
    signed_in(person).get(url(CauseRule, "changelist"))
    line = next(record.getMessage() for record in caplog.records if record.name == "itsm_backup.refused")
    assert "\n" not in line and '\\"' in line
