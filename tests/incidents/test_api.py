"""`/api/v1/incidents/`: seen by whoever may see one of its alerts, worked on by whoever may."""

from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from guardian.shortcuts import assign_perm

from incidents.models import Incident
from itsm_backup import journey
from itsm_backup.common.time import now
from monitoring import tokens
from tests.factories import make_admin, make_job, make_service, make_tool, make_user, push, run_record

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def incident():
    present = now()
    start = present - dt.timedelta(days=3)
    tool = make_tool("push", at=start)
    for code in ("SVC-001", "SVC-002"):
        job = make_job(tool, f"job-{code}", at=start, service=make_service(code, at=start, rpo_s=4 * 3600))
        push(tool, run_record(job.external_id, "success", present - 6 * HOUR), at=present - 5 * HOUR)
    journey.advance(at=present)
    return Incident.objects.get(service__code="SVC-001")


def client_of(user, scope="write") -> Client:
    token = tokens.issue(user=user, scope=scope, tool=None, at=now(), days=1)
    return Client(headers={"Authorization": f"Bearer {token}"})


def viewer_of(incident, *codenames):
    user = make_user()
    assign_perm("catalogue.view_service", user, incident.service)
    for codename in codenames:
        user.user_permissions.add(Permission.objects.get(content_type__app_label="incidents", codename=codename))
    return user


def act(client, incident, name, **body):
    return client.post(f"/api/v1/incidents/{incident.number}/{name}", body, content_type="application/json")


def test_it_lists_incidents_and_filters_them(incident):
    api = client_of(make_admin(), "read")
    assert api.get("/api/v1/incidents/").json()["count"] == 2
    assert [row["number"] for row in api.get("/api/v1/incidents/?service=SVC-001").json()["results"]] == [incident.number]
    assert api.get("/api/v1/incidents/?open=false").json()["count"] == 0
    assert api.get(f"/api/v1/incidents/?priority={incident.priority}&state=new&open=true").json()["count"] >= 1


def test_it_shows_alerts_and_timeline(incident):
    found = client_of(make_admin(), "read").get(f"/api/v1/incidents/{incident.number}/").json()
    assert found["service"] == "SVC-001"
    assert {alert["alert_class"] for alert in found["alerts"]} == {"rpo_breach"}
    assert found["alerts_open"] == found["alerts_total"] == 1
    assert found["timeline"][0]["kind"] == "opened"


def test_it_hides_incidents_of_services_that_one_may_not_see(incident):
    other = Incident.objects.get(service__code="SVC-002")
    api = client_of(viewer_of(incident), "read")
    assert [row["number"] for row in api.get("/api/v1/incidents/").json()["results"]] == [incident.number]
    assert api.get(f"/api/v1/incidents/{other.number}/").status_code == 404
    assert act(client_of(viewer_of(incident, "change_incident")), other, "acknowledge").status_code == 404


@pytest.mark.parametrize("number", ["INC-9999999", "nonsense", "INC-", "9" * 30, "%00"])
def test_it_knows_no_such_incident(incident, number):
    response = client_of(make_admin(), "read").get(f"/api/v1/incidents/{number}/")
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"


def test_it_takes_an_incident(incident):
    user = viewer_of(incident, "change_incident")
    found = act(client_of(user), incident, "acknowledge").json()
    assert (found["state"], found["assignee"]) == ("in_progress", user.username)
    assert found["alerts"][0]["state"] == "acknowledged"


def test_it_writes_a_note(incident):
    user = viewer_of(incident, "change_incident")
    found = act(client_of(user), incident, "note/", text="Disk ordered.").json()
    assert (found["timeline"][-1]["text"], found["timeline"][-1]["by"]) == ("Disk ordered.", user.username)


@pytest.mark.parametrize(
    ("name", "body", "field"),
    [
        ("note", {}, "text"),
        ("note", {"text": "  "}, "text"),
        ("note", {"text": "a\x00"}, "text"),
        ("note", {"text": 5}, "text"),
        ("note", {"text": "x" * 4_001}, "text"),
        ("resolve", {"reason": ["x"]}, "reason"),
        ("resolve", {"reason": "x", "resolution": "recovered", "cause": "storage"}, "resolution"),
        ("assign", {}, "assignee"),
        ("state", {"state": "resolved"}, "state"),
        ("split", {"alerts": [], "reason": "x"}, "alerts"),
    ],
)
def test_it_says_which_words_are_missing(incident, name, body, field):
    response = act(client_of(make_admin()), incident, name, **body)
    assert response.status_code == 400
    assert field in response.json()["fields"]
    assert field in response.json()["detail"]


@pytest.mark.parametrize("body", ["{", "[" * 100_000, '{"text": "\\ud800"}', '{"text": {}}', "[]", "null", '"x"'])
def test_it_refuses_nonsense(incident, body):
    response = client_of(make_admin()).post(f"/api/v1/incidents/{incident.number}/note", body, content_type="application/json")
    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"


def test_it_refuses_endless_bodies(incident):
    body = '{"text": "' + "x" * 2_000_000 + '"}'
    response = client_of(make_admin()).post(f"/api/v1/incidents/{incident.number}/note", body, content_type="application/json")
    assert response.status_code == 413


def test_it_resolves_with_a_reason_and_says_what_is_not_possible(incident):
    api = client_of(viewer_of(incident, "resolve_incident"))
    assert act(api, incident, "resolve", resolution="fixed", cause="storage", reason="Copied by hand.").json()["state"] == "resolved"
    response = act(api, incident, "resolve", resolution="fixed", cause="storage", reason="Again.")
    assert response.status_code == 409
    assert incident.number in response.json()["detail"]


def test_it_names_who_may_do_what_one_may_only_see(incident):
    operator = viewer_of(incident, "change_incident", "resolve_incident")
    operator.first_name, operator.last_name = "Olga", "Operator"
    operator.save()
    for name in ("acknowledge", "note", "resolve"):
        response = act(client_of(viewer_of(incident)), incident, name, text="x", reason="x", resolution="fixed", cause="storage")
        assert response.status_code == 403
        assert "Olga Operator" in response.json()["detail"]


def test_it_lets_no_reading_token_act(incident):
    response = act(client_of(make_admin(), "read"), incident, "acknowledge")
    assert response.status_code == 403
    assert "write" in response.json()["detail"]
    incident.refresh_from_db()
    assert incident.state == "new"
