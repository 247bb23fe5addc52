"""The queue is narrowed down by the address, keeps to it through what is done to many, and asks as few questions as without."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from incidents.models import Incident
from itsm_backup.common.models import because
from itsm_backup.portal.incident_list import incidents_page
from tests.factories import make_service, make_team
from tests.portal.makers import HOUR, make_person

pytestmark = [pytest.mark.django_db, pytest.mark.req("5.1")]


@pytest.fixture
def network(estate):
    with because("test"):
        return make_team("Network")


@pytest.fixture
def operator(estate):
    return make_person("operator", estate.at)


@pytest.fixture
def other(estate, network, operator):
    """A second open incident: P4, of the network team, with the operator."""
    return Incident.objects.create(
        cause_key="test:1", title="It fails", state="in_progress", priority="P4", impact="low", urgency="low", team=network,
        assignee=operator, opened_at=estate.at - HOUR, updated_at=estate.at,
    )  # fmt: skip


def shown(user, estate, view="", **asked):
    page = incidents_page(user=user, moment=estate.moment, view=view, page=1, asked=asked)
    return [row.number for row in page.rows], page


def test_each_filter_narrows_the_list_and_stands_in_every_address(estate, root, other, network, operator):
    first = Incident.objects.exclude(pk=other.pk).get()
    for asked in ({"team": str(network.pk)}, {"state": "in_progress"}, {"priority": "P4"}, {"assignee": str(operator.pk)}):
        assert shown(root, estate, **asked)[0] == [other.number], asked
    for asked in ({"service": "imaging"}, {"service": "SVC-003"}, {"assignee": "nobody"}, {"priority": "P1", "state": "new"}):
        numbers, page = shown(root, estate, **asked)
        assert numbers == [first.number], asked
        name, value = next(iter(asked.items()))
        assert all(f"{name}={value}" in view.value for view in page.views if view.words != "Resolved" and name != "assignee")
        assert page.sentence == "1 incident matches." and page.filters.kept == asked
    assert shown(operator, estate, assignee="me")[0] == []  # none of its alerts is theirs to see
    assert shown(root, estate, service="imaging", priority="P4")[0] == []


@pytest.mark.parametrize("asked", [{"team": "x"}, {"assignee": "9" * 30}, {"priority": "P9"}, {"state": "gone"}, {"service": "nothing"}])
def test_a_value_that_is_none_matches_nothing(estate, root, asked):
    assert shown(root, estate, **asked)[0] == []


def test_other_views_drop_what_they_do_not_have(estate, root):
    views = {view.words: view.value for view in shown(root, estate, state="new", assignee="nobody")[1].views}
    assert "state=new" in views["Mine"] and "assignee" not in views["Mine"]
    assert "state" not in views["Resolved"] and "assignee=nobody" in views["Resolved"]


def test_a_service_that_one_may_not_see_finds_nothing(estate):
    incident = Incident.objects.get()
    hidden = make_service("SVC-777", at=estate.at - 9 * HOUR, name="Hidden")
    Incident.objects.filter(pk=incident.pk).update(service=hidden)
    somebody = make_person("operator", estate.at, services=[estate.imaging])
    assert shown(somebody, estate, service="hidden")[0] == [] and shown(somebody, estate, service="imaging")[0] == [incident.number]


def test_filters_ask_no_further_question(estate, operator):
    def asked(**filters):
        shown(operator, estate, **filters)
        with CaptureQueriesContext(connection) as seen:
            shown(operator, estate, **filters)
        return len(seen)

    every = {"service": "imaging", "state": "new", "priority": "P1", "assignee": "nobody", "team": str(Incident.objects.get().team_id)}
    assert asked(**every) == asked()


@pytest.mark.parametrize(
    ("filled", "told"),
    [({"text": "Seen"}, "1 incident commented on."), ({}, "Choose incidents"), ({"text": "x", "whom": "team:1"}, "Choose incidents")],
)
def test_enter_means_the_field_that_was_filled_in(client, estate_now, present_operator, filled, told):
    incident = Incident.objects.get()
    client.force_login(present_operator, backend="django.contrib.auth.backends.ModelBackend")
    sent = {"incident": incident.number, "do": "entered", "view": "free", "page": "1", "priority": "P1", "service": "imaging", **filled}
    answer = client.post("/incidents/act", sent, follow=True)
    assert told in answer.content.decode()
    assert answer.redirect_chain[0][0] == "/incidents/?view=free&page=1&service=imaging&priority=P1"
    incident.refresh_from_db()
    assert incident.state == "new"


@pytest.fixture
def present_operator(estate_now):
    return make_person("operator", estate_now.at)
