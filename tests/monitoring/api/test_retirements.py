"""Ways out of the catalogue through the API: the same acts and rules as in the portal."""

import datetime as dt

import pytest
from guardian.shortcuts import assign_perm

from catalogue.models import Service
from itsm_backup.common.time import iso, now
from tests.factories import make_service, make_user
from tests.monitoring.api.test_duties import call

pytestmark = [pytest.mark.django_db, pytest.mark.req("1.5")]


@pytest.fixture
def people():
    service = make_service("erp")
    found = {}
    for name, rights in (("steward", "change"), ("approver", "approve"), ("reader", "view")):
        found[name] = make_user(name)
        for right in {"view", rights}:
            assign_perm(f"catalogue.{right}_service", found[name], service)
    return found


def test_one_asks_another_agrees_and_everybody_reads(people):
    refused = call(people["reader"], "post", "retirements/", service="erp", reason="No need")
    assert refused.status_code == 403 and "steward can" in refused.json()["detail"]
    assert call(people["steward"], "post", "retirements/", service="erp", successor="none", reason="x").status_code == 400
    made = call(people["steward"], "post", "retirements/", service="erp", reason="Replaced")
    assert (made.status_code, made.json()["state"], made.json()["obstacles"]) == (201, "asked", [])
    address = f"retirements/{made.json()['id']}"
    assert call(people["steward"], "post", f"{address}/approve", reason="Mine").status_code == 403
    assert call(people["approver"], "post", f"{address}/approve", reason="Agreed").json()["state"] == "done"
    assert Service.objects.get().lifecycle == "retired"
    again = call(people["approver"], "post", f"{address}/refuse", reason="After all")
    assert again.status_code == 409 and "is done already" in again.json()["detail"]
    assert call(people["reader"], "get", "retirements/?state=done&service=erp").json()["count"] == 1
    assert call(people["reader"], "get", "retirements/?state=over").status_code == 400
    assert call(people["reader"], "get", "services/").json()["count"] == 0
    assert call(make_user("stranger"), "get", f"{address}/").status_code == 404


def test_of_the_past_it_says_where_the_entry_stood_then(people):
    before = now()
    made = call(people["steward"], "post", "retirements/", service="erp", reason="Replaced").json()
    call(people["approver"], "post", f"retirements/{made['id']}/approve", reason="Agreed")
    then = f"as_of={iso(before)}"
    assert call(people["reader"], "get", "services/erp/").json()["lifecycle"] == "retired"
    assert call(people["reader"], "get", f"services/erp/?{then}").json()["lifecycle"] == "catalogue"
    assert [row["lifecycle"] for row in call(people["reader"], "get", f"services/?{then}").json()["results"]] == ["catalogue"]


def test_it_is_refused_or_called_off_with_a_reason(people):
    for act, by in (("refuse", "approver"), ("call-off", "steward")):
        pk = call(people["steward"], "post", "retirements/", service="erp", reason="Replaced").json()["id"]
        assert call(people[by], "post", f"retirements/{pk}/{act}").status_code == 400
        done = call(people[by], "post", f"retirements/{pk}/{act}", reason="Still used").json()
        assert done["answer"] == "Still used"
        assert done["called_off_by"] == (people[by].username if act == "call-off" else None)
    assert call(people["reader"], "get", f"retirements/{pk}/").json()["called_off_because"] == "Still used"
    assert Service.objects.get().lifecycle == "catalogue"


def test_of_the_past_it_is_told_as_it_was_known_then(people):
    made = call(
        people["steward"], "post", "retirements/", service="erp", reason="Replaced", ends_at=iso(now() + dt.timedelta(days=300))
    ).json()
    at = [now()]
    for who, act, reason in (("approver", "approve", "Agreed"), ("steward", "call-off", "Stays")):
        assert call(people[who], "post", f"retirements/{made['id']}/{act}", reason=reason).status_code == 200
        at.append(now())
    told = []
    for moment in at:
        query = f"?as_of={moment.isoformat().replace('+00:00', 'Z')}"
        (row,) = call(people["reader"], "get", f"retirements/{query}").json()["results"]
        assert call(people["reader"], "get", f"retirements/{query}&state={row['state']}").json()["count"] == 1
        told.append([row[name] for name in ("state", "answer", "decided_by", "called_off_because")])
        assert call(people["reader"], "get", f"retirements/{made['id']}/{query}").json()["state"] == row["state"]
    approver = people["approver"].username
    assert told == [["asked", "", None, ""], ["planned", "Agreed", approver, ""], ["called_off", "Agreed", approver, "Stays"]]
    assert call(people["reader"], "get", "retirements/?as_of=2026-01-01").json()["count"] == 0


def test_a_hold_of_the_past_is_told_as_it_was_known_then(people):
    placed = call(people["approver"], "post", "legal-holds/", service="erp", owner=people["steward"].username, reason="File 7").json()
    then = now()
    assert call(people["approver"], "post", f"legal-holds/{placed['id']}/release", reason="Over").status_code == 200
    query = f"legal-holds/?as_of={then.isoformat().replace('+00:00', 'Z')}"
    (row,) = call(people["approver"], "get", f"{query}&in_force=true").json()["results"]
    assert row["released_at"] is None and call(people["approver"], "get", "legal-holds/?in_force=true").json()["count"] == 0
    assert call(people["approver"], "get", "legal-holds/?as_of=2026-01-01").json()["count"] == 0
