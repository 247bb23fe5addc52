"""What waits for a person stands on the first page that they see, each with the way to it."""

import datetime as dt

import pytest
from guardian.shortcuts import assign_perm

from catalogue import attesting, deviating, handing_over, publishing
from incidents import leading, nominating, updating
from incidents.models import Incident
from itsm_backup.common.time import now
from tests.factories import make_service
from tests.portal.makers import make_estate, make_person

pytestmark = [pytest.mark.django_db, pytest.mark.req("1.3")]
BACKEND = "django.contrib.auth.backends.ModelBackend"
DAY = dt.timedelta(days=1)


def home(client, person, query=""):
    client.force_login(person, backend=BACKEND)
    return client.get(f"/{query}").content.decode()


def test_duties_entries_versions_and_deviations_that_wait_for_somebody(client):
    noon = now()
    steward, approver, reader = (make_person(role, noon) for role in ("steward", "approver", "stakeholder"))
    service = make_service("SVC-003", at=noon - 9 * DAY, owner=reader)
    assert "Waiting for you" not in home(client, reader)
    assign_perm("change_service", reader, service)
    handing_over.ask(service=service, duty="steward", receiver=reader, by=steward, at=noon - DAY, reason="Moved")
    attesting.open_round(services=[service], title="Yearly check", due_on=(noon + DAY).date(), by=steward, at=noon - DAY)
    draft = publishing.draft_version(service=service, content={"summary": "New"}, commitment={}, by=steward, at=noon - DAY, reason="x")
    publishing.submit(version=draft, by=steward, at=noon - DAY)
    deviating.ask(
        service=service, code="SCHEDULE_EXCEEDS_RPO", owner=reader, expires_on=(noon + 9 * DAY).date(), by=steward, at=noon, reason="x"
    )
    told = home(client, reader)
    assert "1 duty is offered to you" in told and "1 entry waits for your word that it is right" in told and "approval" not in told
    told = home(client, approver)
    assert "1 version waits for your approval" in told and "1 deviation waits for your decision" in told and "offered" not in told
    assert "Waiting for you" not in home(client, steward), "their own work waits for others"
    assert "Waiting for you" not in home(client, approver, f"?as_of={noon - DAY / 2:%Y-%m-%dT%H:%MZ}"), "nothing waits in the past"


def test_who_may_grant_a_deviation_finds_the_way_where_it_is_listed(client):
    noon = now()
    steward, approver, reader = (make_person(role, noon) for role in ("steward", "approver", "stakeholder"))
    service = make_service("SVC-003", at=noon - 9 * DAY)
    deviating.ask(
        service=service, code="SCHEDULE_EXCEEDS_RPO", owner=reader, expires_on=(noon + 9 * DAY).date(), by=steward, at=noon, reason="x"
    )
    for address in ("/deviations/", "/services/SVC-003/commitment/"):
        shown = {}
        for person in (approver, steward, reader):
            client.force_login(person, backend=BACKEND)
            shown[person] = "/admin/catalogue/deviation/" in client.get(address).content.decode()
        assert shown == {approver: True, steward: False, reader: False}


def test_whoever_opens_a_service_reads_what_it_is_and_how_it_is_offered(client):
    noon = now()
    steward = make_person("steward", noon)
    service = make_service("SVC-003", at=noon - 9 * DAY, summary="Pictures for every ward")
    gold = {"name": "Gold", "price": "120 a month", "rpo_s": 30 * 3600, "rto_s": None, "retention_days": None, "success_rate": None}
    draft = publishing.draft_version(service=service, content={}, commitment={}, offerings=[gold], by=steward, at=noon - DAY, reason="x")
    publishing.submit(version=draft, by=steward, at=noon - DAY)
    publishing.approve(version=draft, by=make_person("approver", noon), at=noon - DAY)
    client.force_login(make_person("requester", noon), backend=BACKEND)
    told = client.get("/services/SVC-003/").content.decode()
    assert "Pictures for every ward" in told and "Gold: recovery point 30 h; price 120 a month" in told


@pytest.mark.req("5.6")
def test_candidates_and_updates_of_major_incidents_that_wait(client):
    noon = now()
    make_estate(noon)
    operator, manager = make_person("operator", noon), make_person("incident-manager", noon)
    made = nominating.propose(incident=Incident.objects.get(), reason="The clinic waits", by=operator, at=noon)
    assert "1 major incident is proposed: declare or reject" in home(client, manager)
    assert "declare or reject" not in home(client, operator)
    leading.declare(major=made, manager=manager, communications_lead=operator, interval_min=None, by=manager, at=noon)
    updating.draft(major=made, words="New disks are built in.", details="", audiences=["responders"], by=operator, at=noon)
    assert "1 update of a major incident to read and approve" in home(client, manager)
    assert "read and approve" not in home(client, operator), "an author never approves"
