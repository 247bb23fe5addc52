"""An incident shared by several services tells each reader only of those that they may see, in every door."""

from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from guardian.shortcuts import assign_perm

from catalogue.models import Service
from incidents.models import Incident
from itsm_backup import journey
from itsm_backup.common.time import now
from monitoring import tokens
from tests.factories import make_job, make_service, make_tool, make_user, push, run_record
from tests.incidents.makers import HOUR, make_cause

pytestmark = pytest.mark.django_db
SECRET, OWN = "Witness protection files", "Reading room"
FULL = "Fatal: no space left on device"


@pytest.fixture
def incident() -> Incident:
    """Opened for one service; another joins for the same full tool."""
    present = now()
    start = present - dt.timedelta(days=3)
    make_cause()
    tool = make_tool(at=start, name="shared-tool")
    for code, name, hours in (("SVC-001", SECRET, 3), ("SVC-002", OWN, 2)):
        job = make_job(
            tool, f"job-{code}", at=start, service=make_service(code, at=start, rpo_s=30 * 86_400, name=name), name=f"job of {name}"
        )
        push(tool, run_record(job.external_id, "success", present - 20 * HOUR), at=present - 19 * HOUR)
        journey.advance(at=present - 19 * HOUR)
        for earlier in (0.5, 0):
            failed = run_record(job.external_id, "failed", present - (hours + earlier) * HOUR, native_message=FULL)
            push(tool, failed, at=present - (hours - 0.5) * HOUR)
        journey.advance(at=present - (hours - 0.5) * HOUR)
    return Incident.objects.get()


@pytest.fixture
def reader(incident):
    """Staff who may read incidents, and of the services only the second."""
    user = make_user(is_staff=True)
    user.user_permissions.add(Permission.objects.get(content_type__app_label="incidents", codename="view_incident"))
    assign_perm("catalogue.view_service", user, Service.objects.get(code="SVC-002"))
    return user


@pytest.fixture
def pages(reader) -> Client:
    client = Client()
    client.force_login(reader)
    return client


def addresses(incident: Incident) -> list[str]:
    return [
        "/", "/incidents/", f"/incidents/{incident.number}/", "/services/SVC-002/", "/search?q=backup", f"/search?q={incident.number}",
        "/admin/incidents/incident/", f"/admin/incidents/incident/{incident.pk}/change/",
    ]  # fmt: skip


def test_it_is_one_incident_of_two_services(incident):
    assert incident.title == f"Backups of {SECRET} and 1 more service fail because the storage is full"
    assert incident.incident_alerts.count() == 2


def test_no_page_names_what_the_reader_may_not_see(incident, pages):
    for address in addresses(incident):
        response = pages.get(address)
        assert response.status_code == 200, address
        text = response.content.decode()
        assert SECRET not in text, address
        assert "SVC-001" not in text, address
        if incident.number in text:
            assert OWN in text, address


def test_the_api_neither(incident, reader):
    token = tokens.issue(user=reader, scope="read", tool=None, at=now(), days=1)
    api = Client(headers={"Authorization": f"Bearer {token}"})
    for address in ("/api/v1/incidents/", f"/api/v1/incidents/{incident.number}/"):
        response = api.get(address)
        assert response.status_code == 200
        assert SECRET not in response.content.decode()
        assert OWN in response.content.decode()


def test_nobody_finds_it_by_a_name_that_is_hidden_from_them(incident, pages):
    assert incident.number not in pages.get("/search", {"q": "Witness"}).content.decode()
    assert incident.number not in pages.get("/admin/incidents/incident/", {"q": "Witness"}).content.decode()
    assert incident.number in pages.get("/search", {"q": OWN}).content.decode()


def test_who_may_see_all_reads_the_whole_story(incident, reader, pages):
    assign_perm("catalogue.view_service", reader, Service.objects.get(code="SVC-001"))
    text = pages.get(f"/incidents/{incident.number}/").content.decode()
    assert text.count(SECRET) >= 2
    assert OWN in text
