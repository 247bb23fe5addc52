"""A status set by hand through the API, and the refused attempts that it leaves: who may, who may not, and in which words."""

from __future__ import annotations

import base64
import datetime as dt

import pytest
from django.test import Client

from catalogue.models import StatusOverride
from itsm_backup import journey
from itsm_backup.common.time import iso, now
from monitoring import tokens
from tests.factories import make_job, make_rule, make_service, make_tool, push, run_record
from tests.portal.makers import make_person

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)
STATUS = "/api/v1/services/PACS/status/"


@pytest.fixture
def api():
    def caller(role: str) -> Client:
        token = tokens.issue(user=make_person(role, now()), scope="write", tool=None, at=now(), days=1)
        return Client(headers={"Authorization": f"Bearer {token}"})

    return caller


@pytest.fixture
def service():
    at = now()
    tool = make_tool("push", name="scripts", at=at - 240 * HOUR)
    service = make_service("PACS", name="Imaging archive", at=at - 240 * HOUR, rpo_s=26 * 3600, tier=1)
    make_job(tool, "nightly", at=at - 240 * HOUR, service=service)
    make_rule(service, tool, "nightly", at=at - 240 * HOUR)
    push(tool, run_record("nightly", "success", at - HOUR), at=at)
    journey.advance(at=at)
    return service


def wish(**more):
    return {"status": "maintenance", "expires_at": iso(now() + 3 * HOUR), "reason": "The array is being replaced", **more}


def send(client: Client, path: str, body: dict):
    return client.post(path, body, content_type="application/json")


@pytest.mark.req("2.4")
def test_it_is_set_and_ended_and_what_is_computed_stands_beside_it(api, service):
    operator = api("operator")
    assert operator.get(STATUS).json()["status"] == "operational"
    made = send(operator, STATUS, wish())
    assert made.status_code == 201 and made.json()["owner"] == made.json()["made_by"]
    told = operator.get(STATUS).json()
    assert (told["status"], told["computed"], told["by_hand"]["id"]) == ("maintenance", "operational", made.json()["id"])
    twice = send(operator, STATUS, wish(status="outage"))
    assert twice.status_code == 409 and "set by hand already. End that first." in twice.json()["detail"]
    end = f"{STATUS}{made.json()['id']}/end"
    assert send(operator, end, {"reason": "Done early"}).json()["ended_at"]
    assert "It is over already" in send(operator, end, {"reason": "Again"}).json()["detail"]
    told = operator.get(STATUS).json()
    assert (told["status"], told["by_hand"], len(told["overrides"])) == ("operational", None, 1)
    assert [step["to_status"] for step in told["changes"]][:1] == ["operational"]


@pytest.mark.parametrize(
    "wrong",
    [{"status": "unknown"}, {"status": "splendid"}, {"reason": " "}, {"expires_at": "tomorrow"}, {"expires_at": "2020-01-01T00:00:00Z"}],
)
def test_what_cannot_be_is_refused_and_nothing_is_kept(api, service, wrong):
    answer = send(api("operator"), STATUS, wish(**wrong))
    assert answer.status_code in (400, 409) and answer.json()["detail"].endswith(".") and not StatusOverride.objects.exists()
    assert send(api("operator"), "/api/v1/services/PACS/status/77/end", {"reason": "x"}).status_code == 404


@pytest.mark.req("2.6")
def test_who_may_not_is_told_who_can_and_the_attempt_is_on_record(api, service):
    make_person("operator", now())
    steward = api("steward")
    refused = send(steward, STATUS, wish())
    assert refused.status_code == 403 and "Operator Person" in refused.json()["detail"] and not StatusOverride.objects.exists()
    for role in ("auditor", "monitoring-admin"):
        rows = api(role).get("/api/v1/refused-attempts/?path=/api/v1/services/&method=post").json()["results"]
        assert [(one["method"], one["path"]) for one in rows] == [("POST", STATUS)] and "Operator Person" in rows[0]["why"]
    for role in ("operator", "steward", "executive"):
        answer = api(role).get("/api/v1/refused-attempts/")
        assert answer.status_code == 403 and "auditors and monitoring administrators" in answer.json()["detail"]
    since = iso(now() + HOUR).replace("+", "%2B")
    assert api("auditor").get(f"/api/v1/refused-attempts/?since={since}").json()["results"] == []


def test_an_instant_that_cannot_be_is_refused_with_a_sentence_and_an_odd_zone_is_understood(api):
    auditor = api("auditor")
    for query in ("since=yesterday", "until=2026-11-23", "since=0001-01-01T00:00%2B10:00", "until=9999-12-31T23:59-21:30"):
        answer = auditor.get(f"/api/v1/refused-attempts/?{query}")
        assert answer.status_code == 400 and answer.json()["detail"].startswith(query[:5]), query
    there = dt.timezone(-dt.timedelta(hours=21, minutes=30))  # further off than PostgreSQL knows zones
    assert auditor.get("/api/v1/refused-attempts/", {"since": (now() - HOUR).astimezone(there).isoformat()}).status_code == 200
    position = base64.b64encode(b"p=2026-11-28T10%3A00%3A00-21%3A30").decode()
    assert auditor.get("/api/v1/refused-attempts/", {"cursor": position}).status_code == 200


def test_what_one_may_not_see_is_not_there(api, service):
    other = make_service("OTHER")
    token = tokens.issue(user=make_person("operator", now(), services=[other]), scope="write", tool=None, at=now(), days=1)
    mine = Client(headers={"Authorization": f"Bearer {token}"})
    assert mine.get(STATUS).status_code == send(mine, STATUS, wish()).status_code == 404
    assert send(mine, f"{STATUS}1/end", {"reason": "x"}).status_code == 404
