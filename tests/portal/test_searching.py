"""Finding things one may see."""

import datetime as dt

import pytest

from incidents import nominating, reviewing
from incidents.models import Incident, KnownError, Problem
from itsm_backup.common.models import because
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.searching import search_page
from tests.catalogue.makers import take_out
from tests.portal.makers import make_person

pytestmark = pytest.mark.django_db


def found(estate, user, query):
    return {
        group.name: [hit.link.words for hit in group.found] for group in search_page(user=user, moment=estate.moment, query=query).groups
    }


def test_it_finds_services_incidents_jobs_and_tools(estate, root):
    number = Incident.objects.get().number
    assert found(estate, root, "imaging")["Services"] == ["Imaging archive"]
    assert found(estate, root, "svc-011") == {"Services": ["Radiology reporting"]}
    assert found(estate, root, number)["Incidents"][0].startswith(number)
    assert found(estate, root, "pacs")["Jobs and tools"] == ["pacs-2h"]
    assert found(estate, root, "bkp-ctl")["Jobs and tools"] == ["pacs-2h", "ris-4h"]


def test_a_day_leads_to_its_calendar_and_a_service_to_its_own(estate, root):
    (group,) = search_page(user=root, moment=estate.moment, query="2026-07-13").groups
    assert (group.found[0].link.words, group.found[0].link.href) == ("Monday 13 Jul 2026", "/calendar/?ending=2026-07-13")
    assert search_page(user=root, moment=estate.moment, query="2026-07-15").groups == (), "that day has not come"
    hit = search_page(user=root, moment=estate.moment, query="svc-011").groups[0].found[0]
    assert hit.also.href == "/services/SVC-011/calendar/"


def test_a_retired_entry_is_found_and_says_since_when(estate, root):
    take_out(estate.research, at=estate.at)
    (group,) = search_page(user=root, moment=estate.moment, query="research").groups
    (hit,) = group.found
    assert (group.name, hit.link.words, hit.link.href) == ("Retired", "Research file shares", "/services/SVC-033/versions/")
    assert hit.note == "SVC-033, retired on 14 Jul 2026"
    assert list(found(estate, root, "svc-033")) == ["Retired"]
    before = Moment(at=estate.at - dt.timedelta(hours=1), now=estate.at)
    (then,) = search_page(user=root, moment=before, query="svc-033").groups
    assert then.name == "Services", "in the past it stood in the catalogue"
    somebody = make_person("stakeholder", estate.at, services=[estate.imaging])
    assert found(estate, somebody, "svc-033") == {}


@pytest.mark.parametrize("query", ["", "   ", "\x00", "%", "zzz", "'; drop table--", "9" * 400])
def test_nothing_found_is_an_answer(estate, root, query):
    page = search_page(user=root, moment=estate.moment, query=query)
    assert page.groups == ()
    assert page.sentence


def test_it_finds_nothing_that_one_may_not_see(estate):
    somebody = make_person("stakeholder", estate.at, services=[estate.research])
    for query in ("imaging", "pacs", "bkp-ctl", Incident.objects.get().number):
        assert found(estate, somebody, query) == {}


@pytest.mark.req("5.4")
def test_it_finds_what_belongs_to_incidents_by_number_words_and_what_a_tool_said(estate, root):
    incident = Incident.objects.get()
    problem = Problem.objects.create(signature="x", title="Storage fills up", proposed_at=estate.at, updated_at=estate.at)
    with because("test"):
        known = KnownError.objects.create(signature="disk-full", title="Full disk", symptom="It stops", workaround="Make room")
    major = nominating.propose(incident=incident, reason="The clinic waits", by=root, at=estate.at)
    review = reviewing.start(incident=incident_over(incident), by=root, at=estate.at)
    assert found(estate, root, problem.number) == {"Problems": [f"{problem.number} Storage fills up"]}
    assert found(estate, root, "fills up")["Problems"] == [f"{problem.number} Storage fills up"]
    assert found(estate, root, known.number.lower()) == {"Known errors": [f"{known.number} Full disk"]}
    assert found(estate, root, "write failed: No space left on device")["Known errors"] == [f"{known.number} Full disk"]
    assert list(found(estate, root, major.number)) == ["Major incidents"]
    assert found(estate, root, review.number) == {"Reviews": [f"{review.number} of {incident.number}"]}
    assert found(estate, make_person("stakeholder", estate.at, services=[estate.research]), problem.number) == {}


def incident_over(incident: Incident) -> Incident:
    Incident.objects.filter(pk=incident.pk).update(state="resolved", resolved_at=incident.opened_at)
    return Incident.objects.get(pk=incident.pk)
