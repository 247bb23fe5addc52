"""Legal holds and exceptions from duties through the API: the same acts and rules as in the admin."""

import datetime as dt
import json

import pytest
from django.test import Client
from guardian.shortcuts import assign_perm

from catalogue.models import DutyException, LegalHold
from itsm_backup.common.time import iso, now
from tests.factories import make_admin, make_service, make_user

pytestmark = pytest.mark.django_db
BACKEND = "django.contrib.auth.backends.ModelBackend"


def call(user, method, address, **body):
    client = Client()
    client.force_login(user, backend=BACKEND)
    return client.generic(method.upper(), f"/api/v1/{address}", json.dumps(body) if body else "", content_type="application/json")


@pytest.fixture
def service():
    return make_service("erp")


@pytest.fixture
def approver(service):
    user = make_user("approver")
    for action in ("view", "approve"):
        assign_perm(f"catalogue.{action}_service", user, service)
    return user


@pytest.fixture
def reader(service):
    user = make_user("reader")
    assign_perm("catalogue.view_service", user, service)
    return user


def test_an_approver_places_and_releases_a_hold_and_a_reader_reads_it(service, approver, reader):
    made = call(approver, "post", "legal-holds/", service="erp", owner="reader", reason="Proceedings 4 O 12/26")
    assert (made.status_code, made.json()["service"], made.json()["owner"]) == (201, "erp", "reader")
    pk = made.json()["id"]
    assert call(reader, "get", "legal-holds/?in_force=true&service=erp").json()["count"] == 1
    refused = call(reader, "post", f"legal-holds/{pk}/release", reason="No need")
    assert refused.status_code == 403 and "approver can" in refused.json()["detail"]
    assert call(approver, "post", f"legal-holds/{pk}/release").status_code == 400, "a reason is asked for"
    assert call(approver, "post", f"legal-holds/{pk}/release", reason="Settled").json()["released_by"] == "approver"
    again = call(approver, "post", f"legal-holds/{pk}/release", reason="Settled")
    assert again.status_code == 409 and "released by approver already" in again.json()["detail"]
    assert call(reader, "get", "legal-holds/?in_force=true").json()["count"] == 0


def test_what_one_may_not_see_is_not_there(service, approver):
    stranger = make_user("stranger")
    made = call(approver, "post", "legal-holds/", service="erp", owner="approver", reason="Matter").json()
    assert call(stranger, "get", f"legal-holds/{made['id']}/").status_code == 404
    assert call(stranger, "get", "legal-holds/").json()["count"] == 0
    assert call(stranger, "post", "legal-holds/", service="erp", owner="approver", reason="Matter").status_code == 404
    assert call(stranger, "post", f"legal-holds/{made['id']}/release", reason="Matter").status_code == 404


def test_a_reader_places_none_and_an_unknown_owner_is_told(service, approver, reader):
    assert call(reader, "post", "legal-holds/", service="erp", owner="reader", reason="Matter").status_code == 403
    told = call(approver, "post", "legal-holds/", service="erp", owner="nobody", reason="Matter")
    assert told.status_code == 400 and "no active account nobody" in told.json()["detail"]
    assert not LegalHold.objects.exists()


def test_an_administrator_excepts_somebody_else_and_ends_it(service):
    root, person, owner = make_admin("root"), make_user("person"), make_user("owner")
    asked = {"person": "person", "one": "steward", "other": "monitoring-admin", "owner": "owner", "reason": "Cover"}
    until = iso(now() + dt.timedelta(days=30))
    refused = call(person, "post", "duty-exceptions/", **asked, valid_until=until)
    assert refused.status_code == 403 and "administrators" in refused.json()["detail"]
    own = call(root, "post", "duty-exceptions/", **{**asked, "person": "root"}, valid_until=until)
    assert own.status_code == 409 and "Nobody approves an exception for themselves" in own.json()["detail"]
    made = call(root, "post", "duty-exceptions/", **asked, valid_until=until)
    assert (made.status_code, made.json()["approver"]) == (201, "root")
    assert call(person, "get", "duty-exceptions/?in_force=true").json()["count"] == 1, "one's own is seen"
    assert call(owner, "get", "duty-exceptions/").json()["count"] == 0
    assert call(person, "post", f"duty-exceptions/{made.json()['id']}/end", reason="Over").status_code == 404
    ended = call(root, "post", f"duty-exceptions/{made.json()['id']}/end", reason="Over")
    assert ended.status_code == 200 and DutyException.objects.get().valid_until < now()
    assert call(root, "post", f"duty-exceptions/{made.json()['id']}/end", reason="Over").status_code == 409
