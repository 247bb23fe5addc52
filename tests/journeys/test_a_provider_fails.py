"""A provider's backups fail: what needs it is affected, everywhere told apart from its own status, explained, and free again with it."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from django.core.management import call_command

from catalogue.models import PropagatedStatus, Relation, ServiceStatus
from itsm_backup import journey
from itsm_backup.common.models import because
from itsm_backup.common.time import now
from monitoring import tokens
from tests.factories import make_admin, make_job, make_service, make_tool, push, run_record
from tests.portal.makers import make_person

pytestmark = [pytest.mark.django_db, pytest.mark.req("2.4")]
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def present():
    return now().replace(second=0, microsecond=0)


@pytest.fixture
def estate(present):
    """A storage pool whose copy is long too old, and an archive and its viewer that need it; their own copies are fresh."""
    tool, began = make_tool(at=present - 300 * HOUR), present - 300 * HOUR
    services = [make_service(code, at=began, tier=2, rpo_s=24 * 3600) for code in ("POOL", "ARCHIVE", "VIEWER")]
    for service, age in zip(services, (100, 2, 3), strict=True):
        make_job(tool, service.code, at=began, service=service)
        push(tool, run_record(service.code, "success", present - age * HOUR), at=present - HOUR)
    with because("The archive lives on the pool"):
        Relation.objects.create(consumer=services[1], provider=services[0], kind="hosted_on")
        Relation.objects.create(consumer=services[2], provider=services[1])
    journey.advance(at=present)
    return tool, services


def explained(capsys, *given):
    call_command("explain", *given, "--again", "--json")
    return json.loads(capsys.readouterr().out)


def test_it_is_told_apart_explained_and_repeated(estate, present, client, capsys):
    tool, (_pool, _archive, viewer) = estate
    statuses = dict(ServiceStatus.objects.values_list("service__code", "status"))
    assert statuses == {"POOL": "outage", "ARCHIVE": "operational", "VIEWER": "operational"}
    reached = {row.service.code: (row.status, row.cause.code) for row in PropagatedStatus.objects.select_related("service", "cause")}
    assert reached == {"ARCHIVE": ("outage", "POOL"), "VIEWER": ("outage", "POOL")}

    found = explained(capsys, "propagation", "VIEWER")
    told = found["explanation"]
    assert told["answer"] == "By itself it is operational; it is affected by POOL, which is out, through ARCHIVE."
    assert [one["text"].partition(",")[0] for one in told["mapping"]] == [
        "VIEWER depends on ARCHIVE (hard)", "ARCHIVE is hosted on POOL (hard)",
    ]  # fmt: skip
    assert all(one["version"] for one in told["mapping"]) and told["runs"] and told["promise"]["title"] == "POOL version 1"
    assert found["again"]["from_inputs"] and found["again"]["from_runs"]

    client.force_login(make_admin())
    for address in ("/services/VIEWER/", "/services/VIEWER/status/", "/services/"):
        page = " ".join(client.get(address).content.decode().split())
        assert "Operational itself, affected by" in page and 'href="/services/POOL/"' in page, address
    assert "2 services are affected by a provider" in client.get("/").content.decode()
    assert "2 services affected by a provider" in client.get("/services/?affected=yes").content.decode()
    assert "Affected by a provider: outage" in client.get("/services/VIEWER/").content.decode()
    step = PropagatedStatus.objects.get(service=viewer).step_id
    page = client.post(f"/explain/propagation/{step}/again").content.decode()
    assert "Why is it affected?" in page and "Both agree" in page and "VIEWER depends on ARCHIVE" in page

    api = client.get("/api/v1/services/VIEWER/").json()
    assert (api["status"], api["propagated_status"], api["affected_by"]) == ("operational", "outage", "POOL")
    assert client.get(f"/api/v1/propagations/{api['propagation']}/?again=true").json()["again"]["agrees"]
    assert client.get("/api/v1/services/POOL/").json()["propagated_status"] is None
    token = tokens.issue(user=make_admin(), scope="read", tool=None, at=now(), days=1)
    metrics = client.get("/metrics", headers={"Authorization": f"Bearer {token}"}).content.decode()
    assert 'itsm_backup_services_affected{status="outage"} 2.0' in metrics

    push(tool, run_record("POOL", "success", present + HOUR), at=present + 2 * HOUR)
    journey.advance(at=present + 2 * HOUR)
    assert not PropagatedStatus.objects.exists()
    told = explained(capsys, "propagation", "VIEWER")
    assert told["explanation"]["answer"] == "No provider affects it any more: POOL is operational."
    assert told["again"]["from_inputs"] and told["again"]["from_runs"]


def test_a_relation_that_ends_frees_its_consumer_and_the_past_stays(estate, present, client):
    _, (_pool, archive, _viewer) = estate
    with because("Moved to another pool"):
        relation = Relation.objects.get(consumer=archive)
        relation.valid_until = present + HOUR
        relation.save()
    journey.advance(at=present + dt.timedelta(minutes=1))
    assert PropagatedStatus.objects.count() == 2
    journey.advance(at=present + HOUR)
    assert not PropagatedStatus.objects.exists()


def test_whoever_may_not_see_the_cause_learns_no_name(estate, present, client):
    _, (_pool, _archive, viewer) = estate
    client.force_login(make_person("stakeholder", present, services=[viewer]))
    for address in ("/services/VIEWER/", "/services/"):
        page = " ".join(client.get(address).content.decode().split())
        assert "affected by a service that you may not see" in page and "POOL" not in page, address
    assert client.get("/api/v1/services/VIEWER/").json()["affected_by"] is None
    step = PropagatedStatus.objects.get(service=viewer).step_id
    assert client.get(f"/api/v1/propagations/{step}/").status_code == 404
    answer = client.get(f"/explain/propagation/{step}/")
    assert answer.status_code == 404 and "may not see" in answer.content.decode() and "POOL" not in answer.content.decode()


def test_what_only_stores_there_goes_on_and_lacks_a_place_for_its_backup(estate, present, client, capsys):
    """Its own relation is read as one of the backup; whoever needs it is not affected at all."""
    _, (pool, archive, viewer) = estate
    with because("The archive only stores there"):
        Relation.objects.filter(consumer=archive).delete()
        Relation.objects.create(consumer=archive, provider=pool, kind="stores_to")
    journey.advance(at=present + dt.timedelta(minutes=1))
    reached = {row.service.code: (row.status, row.cause.code) for row in PropagatedStatus.objects.select_related("service", "cause")}
    assert reached == {"ARCHIVE": ("degraded", "POOL")}
    found = explained(capsys, "propagation", "ARCHIVE")
    assert found["explanation"]["answer"] == "By itself it is operational; its backup has nowhere to go, because POOL is out."
    assert found["again"]["from_inputs"] and found["again"]["from_runs"]
    client.force_login(make_admin())
    for address in ("/services/ARCHIVE/", "/services/ARCHIVE/status/", "/services/"):
        page = " ".join(client.get(address).content.decode().split())
        assert "Operational itself, but its backup has nowhere to go:" in page and "is out." in page, address
    client.force_login(make_person("stakeholder", present, services=[archive, viewer]))
    page = " ".join(client.get("/services/ARCHIVE/").content.decode().split())
    assert "its backup has nowhere to go: a service that you may not see is out" in page
    assert "nowhere to go" not in client.get("/services/VIEWER/").content.decode()
