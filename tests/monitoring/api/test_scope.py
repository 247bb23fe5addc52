"""The scope register through the API: read as of an instant, decided on, and never over what somebody else has decided."""

import datetime as dt
import json

import pytest
from django.test import Client

from catalogue.models import ScopeDecision
from itsm_backup import journey
from itsm_backup.common.time import now
from tests.factories import make_admin, make_job, make_service, make_tool, make_user, push, run_record

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture
def root():
    return make_admin("root")


@pytest.fixture
def estate():
    tool = make_tool(name="vault")
    service = make_service("pacs", name="Imaging archive")
    make_job(tool, "pacs", service=service)
    push(tool, run_record("pacs", "success", now() - DAY, repository_name="pool"), at=now())
    journey.advance(at=now())
    return service


def call(user, method, address, body=None):
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client.generic(method.upper(), f"/api/v1/{address}", json.dumps(body or {}), content_type="application/json")


def wish(**other):
    review = (now() + 90 * DAY).date().isoformat()
    answers = dict.fromkeys(("customers", "agreement", "commitments", "consumers"), "no")
    return {"name": "Pool", "outcome": "referenced", "entry": "pacs", "hosting": "cloud", "answers": answers, "review_on": review,
            "reason": "Looked at", **other}  # fmt: skip


def test_what_was_discovered_is_decided_on_and_then_stands_in_the_register(root, estate):
    (found,) = call(root, "get", "scope/discovered/").json()["results"]
    assert (found["repository"], found["proposal"], found["answers"]["consumers"]) == ("pool", "referenced", "no")
    assert found["evidence"][0] == "1 service uses it: Imaging archive."
    made = call(root, "post", "scope/", wish(job=found["job"]))
    assert made.status_code == 201, made.content
    assert made.json()["decision"]["answers"]["regulated"] == "unknown", "what is left out is not known"
    assert call(root, "get", "scope/discovered/").json()["count"] == 0
    assert call(root, "post", "scope/", wish(name="Other", job=found["job"])).status_code == 404
    (line,) = call(root, "get", "scope/?outcome=referenced").json()["results"]
    assert (line["name"], line["decision"]["entry"], line["decision"]["decided_by"]) == ("Pool", "pacs", "root")
    assert call(root, "get", f"scope/?as_of={now() - DAY:%Y-%m-%dT%H:%MZ}").json()["count"] == 0, "not known then"
    assert call(root, "get", "scope/?outcome=maybe").status_code == 400


def test_deciding_again_names_what_it_replaces(root, estate):
    made = call(root, "post", "scope/", wish()).json()
    address, first = f"scope/{made['id']}/decisions/", made["decision"]["id"]
    left_out = {key: value for key, value in wish(outcome="excluded", entry=None).items() if key != "name"}
    assert call(root, "post", address, left_out).status_code == 400, "it says which decision it replaces"
    again = call(root, "post", address, {**left_out, "replaces": first})
    assert (again.status_code, again.json()["outcome"]) == (201, "excluded")
    late = call(root, "post", address, {**left_out, "replaces": first})
    assert late.json()["title"] == "Its present state does not allow this."
    assert late.status_code == 409 and "root decided on Pool meanwhile" in late.json()["detail"]
    assert [row["outcome"] for row in call(root, "get", address).json()["results"]] == ["excluded", "referenced"]
    assert ScopeDecision.objects.count() == 2


def test_who_may_not_decide_is_told_who_can(root, estate):
    reader = make_user("reader")
    assert call(reader, "get", "scope/").json()["count"] == 0
    assert call(reader, "post", "scope/", wish()).status_code == 404, "the entry is not theirs to see"
    refused = call(reader, "post", "scope/", wish(outcome="excluded", entry=None))
    assert refused.status_code == 403 and "You may not decide on the scope of the catalogue" in refused.json()["detail"]
    bad = call(root, "post", "scope/", wish(entry=None))
    assert bad.status_code == 409 and "Name the entry" in bad.json()["detail"]
