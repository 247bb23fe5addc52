"""Agreements written through the API: one person writes, another approves, nobody overwrites what they did not read."""

import json

import pytest
from django.test import Client

from catalogue.models import Agreement, AgreementVersion
from tests.catalogue.makers import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.req("1.4")]
WRITES = ("add_agreement", "add_agreementversion", "change_agreementversion", "view_agreement", "view_agreementversion")
FIRST = {"from_on": "2027-01-01", "rpo_s": 14_400, "success_rate": "0.98", "text": "Signed", "reason": "As signed"}


def call(user, method, address, body=None, *, etag=""):
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    sent, headers = json.dumps(body) if body is not None else "", {"If-Match": etag} if etag else {}
    return client.generic(method.upper(), f"/api/v1/{address}", sent, content_type="application/json", headers=headers)


@pytest.fixture
def steward():
    return make_user("steward", *(f"catalogue.{right}" for right in WRITES))


@pytest.fixture
def approver():
    return make_user("approver", "catalogue.view_agreement", "catalogue.view_agreementversion", "catalogue.approve_service")


@pytest.fixture
def versions(steward):
    """The address of the versions of an agreement that the steward made."""
    made = call(steward, "post", "agreements/", {"kind": "sla", "name": "Radiology SLA", "party": "Radiology", "reason": "New"})
    assert (made.status_code, made.json()["versions"]) == (201, [])
    assert Agreement.objects.get().history.get().history_change_reason == "New"
    return f"agreements/{made.json()['id']}/versions/"


def test_one_writes_and_another_approves_what_was_read(steward, approver, versions):
    made = call(steward, "post", versions, FIRST)
    told = made.json()
    assert (made.status_code, told["number"], told["state"], told["author"]) == (201, 1, "draft", "steward")
    assert made["ETag"] == f'"{told["etag"]}"' and (told["rpo_s"], told["success_rate"], told["rto_s"]) == (14_400, 0.98, None)
    again = call(steward, "post", versions, FIRST)
    assert again.status_code == 409 and "version 1 is a draft already" in again.json()["detail"]
    one = f"{versions}1/"
    assert call(steward, "get", one)["ETag"] == made["ETag"]
    assert call(steward, "patch", one, {"rpo_s": 7_200, "reason": "Slip"}).status_code == 428
    kept = call(steward, "patch", one, {"rpo_s": 7_200, "reason": "Slip"}, etag=made["ETag"])
    assert (kept.status_code, kept.json()["rpo_s"], kept.json()["text"]) == (200, 7_200, "Signed"), "what is left out stays"
    late = call(steward, "patch", one, {"rpo_s": 3_600, "reason": "Slip"}, etag=made["ETag"])
    assert late.status_code == 412 and "steward changed it: Recovery point (RPO) 4 h → 2 h." in late.json()["detail"]
    assert call(approver, "post", f"{one}approve", {}).status_code == 428
    assert call(approver, "post", f"{one}approve", {}, etag=made["ETag"]).status_code == 412
    own = call(steward, "post", f"{one}approve", {}, etag=kept["ETag"])
    assert own.status_code == 403 and "somebody else must approve it. approver can." in own.json()["detail"]
    done = call(approver, "post", f"{one}approve", {"reason": "Agreed"}, etag=kept["ETag"])
    assert (done.status_code, done.json()["state"], done.json()["approver"]) == (200, "approved", "approver")
    fixed = call(steward, "patch", one, {"rpo_s": 60, "reason": "Slip"}, etag=kept["ETag"])
    assert fixed.status_code == 409 and "write the next version" in fixed.json()["detail"]
    second = call(steward, "post", versions, {"from_on": "2028-01-01", "success_rate": None, "reason": "Tighter"}).json()
    assert (second["number"], second["rpo_s"], second["success_rate"], second["until_on"]) == (2, 7_200, None, None)


def test_a_draft_is_cancelled_with_a_reason_by_who_may_write(steward, approver, versions):
    etag = call(steward, "post", versions, FIRST)["ETag"]
    refused = call(approver, "post", f"{versions}1/cancel", {"reason": "No"}, etag=etag)
    assert refused.status_code == 403 and "You may not change agreement versions. steward can." in refused.json()["detail"]
    assert call(steward, "post", f"{versions}1/cancel", {}, etag=etag).status_code == 409
    assert call(steward, "post", f"{versions}1/cancel", {"reason": "Not signed"}, etag=etag).json()["state"] == "cancelled"
    assert call(steward, "post", f"{versions}1/forget", {}, etag=etag).status_code == 404


def test_a_reader_writes_nothing_and_a_stranger_sees_nothing(steward, approver, versions):
    for address, body in (("agreements/", {"kind": "sla", "name": "X", "party": "Y", "reason": "Z"}), (versions, FIRST)):
        assert call(approver, "post", address, body).status_code == 403, address
    stranger = make_user("stranger")
    assert call(stranger, "post", versions, FIRST).status_code == 404
    assert (Agreement.objects.count(), AgreementVersion.objects.count()) == (1, 0)


def test_each_problem_names_its_field(steward, versions):
    for body, told in (
        ({"rpo_s": 7_200, "reason": "New"}, "In force from: "),
        ({**FIRST, "until_on": "2026-01-01"}, "It cannot end before it starts."),
    ):
        answer = call(steward, "post", versions, body)
        assert answer.status_code == 409 and told in answer.json()["detail"], answer.json()
    for body, field in (({**FIRST, "rpo_s": 5}, "rpo_s"), ({**FIRST, "success_rate": "1.2"}, "success_rate"), ({"rpo_s": 60}, "reason")):
        answer = call(steward, "post", versions, body)
        assert answer.status_code == 400 and field in answer.json()["fields"], answer.json()
    twice = call(steward, "post", "agreements/", {"kind": "ola", "name": "Radiology SLA", "party": "Us", "reason": "New"})
    assert twice.status_code == 409 and "already exists" in twice.json()["detail"]
    assert not AgreementVersion.objects.exists()
