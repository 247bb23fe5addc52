"""A reason on every path of the admin: form, inline, list, bulk act, deletion, rights, bringing back."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.contrib.admin.models import LogEntry

from catalogue.models import Relation, Team, Window
from itsm_backup.common.models import because
from itsm_backup.common.time import now
from monitoring.models import AttributionCondition, AttributionRule, CauseRule, Tool
from tests.admin_forms import change_url, filled, filled_list, signed_in, url
from tests.factories import make_admin, make_rule, make_service, make_team, make_tool, make_user

pytestmark = pytest.mark.django_db
WHY = "Asked for in the weekly meeting"


@pytest.fixture
def person():
    return make_admin("ada")


@pytest.fixture
def client(person):
    return signed_in(person)


def newest(row, person):
    record = row.history.first()
    assert (record.history_user, record.history_change_reason) == (person, WHY)
    return record


def reason_error(response):
    assert response.status_code == 200
    return response.context["adminform"].form.errors["change_reason"][0]


def make_cause(name, **fields):
    with because("test"):
        return CauseRule.objects.create(name=name, title=name, pattern=name, **fields)


def test_adding_needs_one_and_loses_nothing_that_was_typed(client, person):
    page = url(Team, "add")
    typed = {"name": "Night", "email": "night@example.org", "members-TOTAL_FORMS": "0", "members-INITIAL_FORMS": "0"}
    refused = client.post(page, typed)
    assert "Say why" in reason_error(refused)
    assert 'value="night@example.org"' in refused.content.decode() and not Team.objects.exists()
    client.post(page, {**typed, "change_reason": WHY})
    assert newest(Team.objects.get(), person).history_type == "+"


@pytest.mark.parametrize("reason", ["", "    "])
def test_changing_needs_one(client, person, reason):
    team = make_team()
    page = change_url(team)
    data = filled(client.get(page), email="new@example.org")
    assert "Say why" in reason_error(client.post(page, {**data, "change_reason": reason}))
    assert Team.objects.get().email == "storage@example.org"
    assert client.post(page, {**data, "change_reason": WHY}).status_code == 302
    assert newest(team, person).email == "new@example.org"


def test_the_error_stands_beside_the_field_and_in_the_summary(client):
    page = change_url(make_team())
    html = client.post(page, filled(client.get(page))).content.decode()
    assert html.count("Say why you change this") == 2
    assert 'href="#id_change_reason"' in html and 'aria-invalid="true"' in html


def test_saving_what_did_not_change_writes_no_history(client):
    team = make_team()
    client.post(change_url(team), filled(client.get(change_url(team)), change_reason=WHY))
    assert team.history.count() == 1


def test_parts_of_a_row_change_under_the_reason_of_the_row(client, person, open_rules):
    rule = make_rule(make_service(), make_tool(), "nightly")
    page, condition = change_url(rule), rule.conditions.get()
    data = filled(client.get(page), **{"conditions-0-value": "weekly", "conditions-1-field": "name", "conditions-1-value": "db"})
    assert "Say why" in reason_error(client.post(page, data))
    assert condition.history.count() == 1 and AttributionCondition.objects.count() == 1
    client.post(page, {**data, "change_reason": WHY})
    assert newest(condition, person).value == "weekly"
    assert newest(AttributionCondition.objects.exclude(pk=condition.pk).get(), person).history_type == "+"
    data = filled(client.get(page), change_reason=WHY, **{"conditions-0-DELETE": "on"})
    client.post(page, data)
    assert AttributionCondition.history.filter(id=condition.pk, history_type="-", history_change_reason=WHY).exists()


def test_editing_in_the_list_needs_one_reason_for_all(client, person, open_rules):
    first, second = make_cause("one"), make_cause("two")
    page = url(CauseRule, "changelist")
    data = filled_list(client.get(page), **{"form-0-position": 5, "form-1-position": 6})
    refused = client.post(page, data)
    assert refused.status_code == 200 and "Say why" in refused.content.decode()
    assert refused.context["cl"].formset.forms[0]["position"].value() == "5"
    assert first.history.count() == second.history.count() == 1
    client.post(page, {**data, "change_reason": WHY})
    assert {newest(first, person).position, newest(second, person).position} == {5, 6}


def test_a_bulk_act_asks_first_and_acts_with_the_reason(client, person):
    rows = [make_tool(), make_tool(enabled=False)]
    page = url(Tool, "changelist")
    data = {"action": "disable", "_selected_action": [row.pk for row in rows]}
    asked = client.post(page, data)
    assert asked.status_code == 200 and 'name="change_reason"' in asked.content.decode()
    refused = client.post(page, {**data, "post": "yes"})
    assert "Say why" in refused.content.decode() and Tool.objects.filter(enabled=True).count() == 1
    told = client.post(page, {**data, "post": "yes", "change_reason": WHY}, follow=True)
    assert "Switch off: 1 tool changed, 1 left as they were." in told.content.decode()
    assert newest(rows[0], person).enabled is False
    assert rows[1].history.count() == 1


def test_deleting_one_needs_a_reason(client, person):
    team = make_team()
    page = url(Team, "delete", team.pk)
    refused = client.post(page, {"post": "yes"})
    assert refused.status_code == 200 and "Say why" in refused.content.decode() and Team.objects.exists()
    client.post(page, {"post": "yes", "change_reason": WHY})
    assert not Team.objects.exists()
    record = Team.history.first()
    assert (record.history_type, record.history_user, record.history_change_reason) == ("-", person, WHY)


def test_deleting_many_needs_a_reason_and_takes_the_parts_along(client, person, open_rules):
    rule = make_rule(make_service(), make_tool(), "nightly")
    page = url(AttributionRule, "changelist")
    data = {"action": "delete_selected", "_selected_action": [rule.pk]}
    assert "Delete the selected" in client.post(page, data).content.decode()
    refused = client.post(page, {**data, "post": "yes"})
    assert "Say why" in refused.content.decode() and AttributionRule.objects.exists()
    client.post(page, {**data, "post": "yes", "change_reason": WHY})
    assert not AttributionRule.objects.exists()
    told = AttributionRule.history.filter(history_type="-") | AttributionRule.history.none()
    assert list(told.values_list("history_user", "history_change_reason")) == [(person.pk, WHY)]
    assert AttributionCondition.history.filter(history_type="-", history_change_reason=WHY).count() == 1


def test_giving_rights_needs_one_and_stands_in_the_history_of_the_row(client, person):
    tool, other = make_tool(), make_user("jonas", first_name="Jonas", last_name="Okafor")
    page = url(Tool, "permissions", tool.pk)
    data = {"holder": other.pk, "rights": ["change_tool"]}
    refused = client.post(page, data)
    assert "Say why" in refused.content.decode() and not other.has_perm("change_tool", tool)
    client.post(page, {**data, "change_reason": WHY})
    other = type(other).objects.get(pk=other.pk)
    assert other.has_perm("change_tool", tool) and other.has_perm("view_tool", tool)
    record = tool.history.first()
    assert record.history_user == person
    assert record.history_change_reason == f"{WHY} (rights of Jonas Okafor on it: can change tool, can view tool)"
    client.post(page, {"holder": other.pk, "change_reason": WHY})
    assert not type(other).objects.get(pk=other.pk).has_perm("view_tool", tool)
    assert tool.history.first().history_change_reason.endswith("(rights of Jonas Okafor on it: no rights)")


def test_bringing_an_earlier_content_back_needs_one(client, person):
    team = make_team()
    first = team.history.first()
    with because("Moved"):
        team.email = "new@example.org"
        team.save()
    page = url(Team, "simple_history", team.pk, first.pk)
    data = {"name": team.name, "email": first.email}
    assert "Say why" in reason_error(client.post(page, data))
    assert Team.objects.get().email == "new@example.org"
    client.post(page, {**data, "change_reason": WHY})
    assert newest(team, person).email == "storage@example.org" and Team.objects.get().email == "storage@example.org"


def test_djangos_own_log_keeps_the_reason_too(client):
    team = make_team()
    client.post(change_url(team), filled(client.get(change_url(team)), email="new@example.org", change_reason=WHY))
    assert LogEntry.objects.latest("pk").get_change_message() == f"Changed Email. Reason: {WHY}"


def test_a_moved_window_was_decided_when_it_was_moved(client, person):
    service = make_service()
    data = {
        "service": service.pk,
        "purpose": "New discs",
        "starts_at": "2030-01-01T10:00",
        "ends_at": "2030-01-01T12:00",
        "change_reason": WHY,
    }
    client.post(url(Window, "add"), data)
    window = Window.objects.get()
    assert window.decided_by == person
    decided_at = window.decided_at
    client.post(change_url(window), {**data, "purpose": "New disks"})
    assert Window.objects.get().decided_at == decided_at
    client.post(change_url(window), {**data, "ends_at": "2030-01-01T13:00"})
    assert Window.objects.get().decided_at > decided_at


def test_a_window_is_not_declared_when_it_is_over_nor_for_longer_than_a_month(client):
    def declared(starts_at, ends_at):
        data = {"service": service.pk, "purpose": "New discs", "change_reason": WHY}
        spans = {"starts_at": f"{starts_at:%Y-%m-%dT%H:%M}", "ends_at": f"{ends_at:%Y-%m-%dT%H:%M}"}
        return client.post(url(Window, "add"), {**data, **spans}, follow=True).content.decode()

    service, at, hour = make_service(), now().astimezone(ZoneInfo(settings.TIME_ZONE)), dt.timedelta(hours=1)
    assert "The window is over already" in declared(at - 5 * hour, at - hour)
    assert "31 days at most" in declared(at + hour, at + 400 * 24 * hour) and not Window.objects.exists()
    assert "only what opens from now on" in declared(at - hour, at + 24 * hour) and Window.objects.count() == 1
    assert "only what opens from now on" not in declared(at + 30 * hour, at + 31 * hour)


def test_a_window_that_is_over_may_be_worded_otherwise_but_not_moved(client, person):
    service, at = make_service(), now()
    with because("test"):
        spans = {"starts_at": at - dt.timedelta(days=3), "ends_at": at - dt.timedelta(days=2), "decided_at": at - dt.timedelta(days=4)}
        window = Window.objects.create(service=service, purpose="New discs", decided_by=person, **spans)
    client.post(change_url(window), filled(client.get(change_url(window)), purpose="New disks", change_reason=WHY))
    window.refresh_from_db()
    assert (window.purpose, window.decided_at) == ("New disks", spans["decided_at"])


def test_what_a_constraint_refuses_is_told_in_words(client):
    service = make_service()
    data = {"consumer": service.pk, "provider": service.pk, "kind": "depends_on", "strength": "hard", "change_reason": WHY}
    assert "A service cannot depend on itself." in client.post(url(Relation, "add"), data).content.decode()
