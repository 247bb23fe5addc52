"""The history page: who, when, why, what before and after; and the way back."""

import pytest

from catalogue.models import Team
from itsm_backup.common.models import because
from monitoring.models import AttributionRule, Tool
from tests.admin_forms import change_url, filled, make_staff, signed_in, url
from tests.factories import make_admin, make_rule, make_service, make_team, make_tool, make_user

pytestmark = pytest.mark.django_db


def page_of(row, user=None):
    return signed_in(user or make_admin()).get(url(type(row), "history", row.pk))


def test_it_tells_who_when_why_and_the_difference():
    person, team = make_user("helga", first_name="Helga", last_name="Brandt"), make_team()
    with because("The address moved", by=person):
        team.email = "new@example.org"
        team.save()
    html = page_of(team).content.decode()
    for words in ("Helga Brandt", "The address moved", "<del>storage@example.org</del>", "<ins>new@example.org</ins>", "Made"):
        assert words in html


def test_a_secret_shows_that_it_changed_and_never_what_it_was():
    tool = make_tool("restic", settings={"repository": "/old"}, secrets={"password": "first-secret"}, ping_key="key-of-before")
    with because("Turned over"):
        tool.secrets, tool.settings, tool.ping_key = {"password": "second-secret"}, {"repository": "/new"}, "key-of-after"
        tool.save()
    html = page_of(tool).content.decode()
    assert "Password (secret)" in html and "Settings: repository" in html and "/old" in html and "/new" in html
    for hidden in ("first-secret", "second-secret", "key-of-before", "key-of-after"):
        assert hidden not in html


def test_parts_of_a_row_stand_in_its_history():
    rule = make_rule(make_service(), make_tool(), "nightly")
    condition = rule.conditions.get()
    with because("Renamed in the tool"):
        condition.value = "weekly"
        condition.save()
    html = page_of(rule).content.decode()
    assert "Attribution condition" in html and "<del>nightly</del>" in html and "Renamed in the tool" in html


def test_nobody_edits_history():
    team = make_team()
    client = signed_in(make_admin())
    page = client.get(url(Team, "simple_history", team.pk, team.history.first().pk)).content.decode()
    assert "_change_history" not in page
    client.post(
        url(Team, "simple_history", team.pk, team.history.first().pk),
        {"name": "Forged", "email": "x@example.org", "change_reason": "Forging", "_change_history": "1"},
    )
    assert team.history.last().name == "Storage"


def test_who_may_only_look_cannot_bring_anything_back(caplog):
    tool = make_tool("restic", label="Now")
    person = make_staff(on=tool, may=("view",))
    client, record = signed_in(person), tool.history.first()
    assert "Bring back" not in page_of(tool, person).content.decode()
    for answer in (
        client.get(url(Tool, "simple_history", tool.pk, record.pk)),
        client.post(url(Tool, "simple_history", tool.pk, record.pk)),
    ):
        assert answer.status_code == 403
    assert tool.history.count() == 1 and 'action="revert"' in caplog.text


def test_secrets_stay_as_they_are_when_a_tool_gets_its_earlier_content_back():
    tool = make_tool("restic", settings={"repository": "/old"}, secrets={"password": "first"})
    first = tool.history.first()
    with because("Moved"):
        tool.settings, tool.secrets = {"repository": "/new"}, {"password": "second"}
        tool.save()
    client = signed_in(make_admin())
    page = url(Tool, "simple_history", tool.pk, first.pk)
    answer = client.post(page, filled(client.get(page), change_reason="Back to the old place"))
    assert answer.status_code == 302
    tool.refresh_from_db()
    assert (tool.settings, tool.secrets) == ({"repository": "/old"}, {"password": "second"})


def test_a_row_without_a_past_page_is_told_in_pages():
    rule = make_rule(make_service(), make_tool(), "nightly")
    for number in range(60):
        with because(f"Step {number}"):
            rule.position = number
            rule.save()
    html = page_of(rule).content.decode()
    assert "Step 59" in html and "Step 5<" not in html
    again = signed_in(make_admin()).get(url(AttributionRule, "history", rule.pk) + "?p=2").content.decode()
    assert "Step 5<" in again


def test_the_link_to_the_history_stands_on_the_row():
    team = make_team()
    assert url(Team, "history", team.pk) in signed_in(make_admin()).get(change_url(team)).content.decode()
