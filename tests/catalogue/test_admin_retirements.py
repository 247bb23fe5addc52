"""Ways out of the catalogue in the admin: a list to read, decided on by somebody else than who asked, called off until the day."""

import datetime as dt

import pytest

from catalogue import relating, retiring
from catalogue.models import Retirement, Service
from itsm_backup.common.models import Refusal
from itsm_backup.common.time import now
from tests.admin_forms import change_url, signed_in, url
from tests.factories import make_service
from tests.portal.makers import make_person

pytestmark = [pytest.mark.django_db, pytest.mark.req("1.5")]
WHY = {"change_reason": "Agreed with Radiology"}
DAY = dt.timedelta(days=1)


@pytest.fixture
def entry(noon):
    return make_service("SVC-003", at=noon - DAY, name="Imaging archive")


@pytest.fixture
def people(entry, noon):
    return {role: make_person(role, noon) for role in ("steward", "approver", "auditor")}


def ask(entry, people, **more):
    said = {"ends_at": now() + 10 * DAY, "by": people["steward"], "at": now(), "reason": "Replaced by the new archive"}
    return retiring.ask(service=entry, **{**said, **more})


def act(person, row, name):
    return signed_in(person).post(url(Retirement, "act", row.pk, name), WHY)


def text(response):
    return response.content.decode()


def test_it_is_listed_and_read_with_what_stands_in_its_way_and_nobody_edits_it(entry, people, noon):
    consumer = make_service("SVC-011", at=noon - DAY, name="Radiology reporting")
    said = {"kind": "depends_on", "strength": "hard", "by": people["steward"], "at": noon, "reason": "Seen"}
    relating.relate(consumer=consumer, provider=entry, **said)
    row = ask(entry, people)
    client = signed_in(people["auditor"])
    listed = text(client.get(url(Retirement, "changelist")))
    assert "Imaging archive" in listed and "asked for" in listed and "Steward Person" in listed
    assert client.get(url(Retirement, "changelist"), {"q": "Imaging"}).context["cl"].result_count == 1
    assert client.get(url(Retirement, "changelist"), {"state__exact": "done"}).context["cl"].result_count == 0
    page = text(client.get(change_url(row)))
    assert "Radiology reporting stops with it" in page and "Replaced by the new archive" in page
    assert '<a class="button" href="/services/SVC-003/retirement/">See in portal</a>' in page
    assert "name=" not in page[page.index('id="content-main"') :], "there is nothing to fill in"
    assert client.post(change_url(row), {"state": "done", **WHY}).status_code == 403
    assert client.get(url(Retirement, "add")).status_code == 403


def test_somebody_else_than_who_asked_approves_it_in_the_admin(entry, people):
    row = ask(entry, people)
    address = change_url(row)
    assert f'href="{address}"' in text(signed_in(people["approver"]).get("/admin/")), "it waits on their first page"
    assert f'href="{address}"' not in text(signed_in(people["steward"]).get("/admin/"))
    assert "You asked for it" in text(signed_in(people["steward"]).get(address))
    for person in ("steward", "auditor"):
        assert act(people[person], row, "approve").status_code == 403
    assert Refusal.objects.filter(what=f"catalogue.retirement:{row.pk}").count() == 2
    page = text(signed_in(people["approver"]).get(url(Retirement, "act", row.pk, "approve")))
    assert "is judged as before until its day" in page and "Replaced by the new archive" in page
    assert signed_in(people["approver"]).post(url(Retirement, "act", row.pk, "approve"), {}).status_code == 200, "it asks why"
    assert act(people["approver"], row, "approve").status_code == 302
    row.refresh_from_db()
    assert (row.state, row.decided_by, row.answer) == ("planned", people["approver"], "Agreed with Radiology")
    assert Service.objects.get().lifecycle == "pending_retirement"
    assert "no longer in a state that allows this" in text(act(people["approver"], row, "refuse"))


def test_it_is_refused_or_called_off_with_a_reason(entry, people):
    row = ask(entry, people)
    assert act(people["approver"], row, "refuse").status_code == 302
    row.refresh_from_db()
    assert (row.state, row.answer) == ("refused", "Agreed with Radiology")
    planned = ask(entry, people)
    act(people["approver"], planned, "approve")
    assert act(people["auditor"], planned, "call-off").status_code == 403
    assert act(people["steward"], planned, "call-off").status_code == 302
    planned.refresh_from_db()
    assert planned.state == "called_off" and Service.objects.get().lifecycle == "catalogue"


def test_what_stands_in_the_way_of_one_that_is_to_be_at_once_refuses_it_by_name(entry, people, noon):
    consumer = make_service("SVC-011", at=noon - DAY, name="Radiology reporting")
    said = {"kind": "depends_on", "strength": "hard", "by": people["steward"], "at": noon, "reason": "Seen"}
    relating.relate(consumer=consumer, provider=entry, **said)
    at = now()
    row = ask(entry, people, ends_at=at, at=at)
    answer = act(people["approver"], row, "approve")
    assert answer.status_code == 200 and "Radiology reporting stops with it" in text(answer)
    row.refresh_from_db()
    assert row.state == "asked"


def test_a_limited_steward_sees_the_ways_out_of_their_entries_alone(entry, people, noon):
    other = make_service("SVC-011", at=noon - DAY, name="Radiology reporting")
    row, mine = ask(entry, people), ask(other, people)
    client = signed_in(make_person("steward", noon, services=[other]))
    assert list(client.get(url(Retirement, "changelist")).context["cl"].result_list) == [mine]
    assert client.get(change_url(row)).status_code == 302, "it does not exist for them"
