"""The guide of the first day."""

import pytest
from django.contrib.auth.models import Group

from itsm_backup.portal.asof import Moment
from itsm_backup.portal.first_run import guide_page, is_empty
from tests.factories import make_tool
from tests.portal.makers import make_person

pytestmark = pytest.mark.django_db


@pytest.fixture
def moment(noon):
    return Moment(at=noon, now=noon)


def test_an_empty_installation_begins_with_nothing_done(root, moment):
    page = guide_page(user=root, moment=moment)
    assert is_empty()
    assert (page.sentence, page.complete) == ("None of the four steps is done.", False)
    assert [step.state for step in page.steps] == [
        "no tool is connected",
        "no entry is approved",
        "no job is known yet",
        "no entry is in force",
    ]


def test_home_is_the_guide_until_something_is_in_the_catalogue(client, root):
    client.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    assert "None of the four steps is done." in client.get("/").content.decode()


def test_every_door_leads_somewhere_for_who_may_go(client, root, moment):
    client.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    for step in guide_page(user=root, moment=moment).steps:
        assert client.get(step.door.href).status_code == 200, step.title


def test_steps_are_done_when_they_are(estate, root):
    page = guide_page(user=root, moment=estate.moment)
    assert page.sentence == "All four steps are done."
    assert [step.state for step in page.steps] == [
        "1 tool, 1 heard from",
        "3 entries approved",
        "2 of 2 jobs mapped",
        "3 of 3 entries promise something",
    ]


def test_a_tool_that_never_spoke_is_not_connected(root, moment, noon):
    make_tool(at=noon)
    assert guide_page(user=root, moment=moment).steps[0].done is False
    assert guide_page(user=root, moment=moment).steps[0].state == "1 tool, 0 heard from"


def test_who_may_not_do_a_step_is_told_who_can(moment, noon):
    steward, stakeholder = make_person("steward", noon), make_person("stakeholder", noon)
    assert Group.objects.filter(name="steward").exists()
    steps = guide_page(user=stakeholder, moment=moment).steps
    assert [step.door for step in steps] == [None] * 4
    assert steps[1].who == f"{steward.get_full_name()} can do it."
    assert guide_page(user=steward, moment=moment).steps[1].door.words == "Declare a service"
