"""GET /metrics: the state of the estate for Prometheus, of what the token's owner may see."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client
from guardian.shortcuts import assign_perm
from prometheus_client.parser import text_string_to_metric_families

from catalogue import propagating
from catalogue.models import Relation
from itsm_backup import journey
from itsm_backup.common.models import because
from itsm_backup.common.time import now
from monitoring import tokens
from monitoring.models import BackupJob, ExpectedRun
from tests.factories import make_admin, make_job, make_schedule, make_service, make_tool, make_user, push, run_record

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def estate():
    present = now()
    start = present - dt.timedelta(days=3)
    tool = make_tool("push", at=start)
    services = {}
    for code, age in (("SVC-001", 1), ("SVC-002", 6)):
        services[code] = make_service(code, at=start, rpo_s=4 * 3600)
        make_job(tool, f"job-{code}", at=start, service=services[code])
        push(tool, run_record(f"job-{code}", "success", present - age * HOUR), at=present - HOUR / 2)
    journey.advance(at=present)
    return services


def scrape(user, scope="read"):
    token = tokens.issue(user=user, scope=scope, tool=None, at=now(), days=1)
    return Client().get("/metrics", headers={"Authorization": f"Bearer {token}"})


def samples(response):
    assert response.status_code == 200
    families = text_string_to_metric_families(response.content.decode())
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


def test_it_counts_verdicts_and_open_work(estate):
    found = samples(scrape(make_admin()))
    assert found["itsm_backup_services", "kept"] == found["itsm_backup_services", "broken"] == 1
    assert found["itsm_backup_services", "held"] == 0
    assert found["itsm_backup_services_by_status", "degraded"] == 1
    assert found["itsm_backup_alerts_open", "rpo_breach"] == 1
    assert sum(value for name, value in found.items() if name[0] == "itsm_backup_incidents_open") == 1
    assert found["itsm_backup_notices_waiting",] + found["itsm_backup_notices_given_up",] >= 0
    assert found["itsm_backup_tools",] == 1
    assert found["itsm_backup_tools_silent",] == 0


def test_it_tells_exposure_and_promise_of_each_service(estate):
    found = samples(scrape(make_admin()))
    assert 6 * 3600 <= found["itsm_backup_service_exposure_seconds", "SVC-002"] < 6 * 3600 + 300
    assert found["itsm_backup_service_rpo_seconds", "SVC-002"] == 4 * 3600


def test_it_tells_status_promise_and_what_is_due_of_each_service(estate):
    job = BackupJob.objects.get(name="job-SVC-002")
    make_schedule(job, local_times=f"{now() - 2 * HOUR:%H:%M}", zone="UTC", starts_on=(now() - dt.timedelta(days=1)).date(), grace_s=600)
    journey.advance()
    found = samples(scrape(make_admin()))
    assert found["itsm_backup_service_status", "SVC-001"] == 0 and found["itsm_backup_service_status", "SVC-002"] == 1
    assert (found["itsm_backup_service_promise_kept", "SVC-001"], found["itsm_backup_service_promise_kept", "SVC-002"]) == (1, 0)
    good = found["itsm_backup_service_last_good_timestamp_seconds", "SVC-001"]
    assert 0.9 * 3600 < now().timestamp() - good < 1.2 * 3600
    due = ExpectedRun.objects.filter(job=job, state="missed").count()
    assert found["itsm_backup_service_expected_runs_missed", "SVC-002"] == due > 0
    assert ("itsm_backup_service_expected_runs_missed", "SVC-001") not in found, "nothing is expected of it"
    ExpectedRun.objects.filter(job=job).update(counts=False)
    assert samples(scrape(make_admin("again")))["itsm_backup_service_expected_runs_missed", "SVC-002"] == 0, "none on a day that counts"
    assert found["itsm_backup_service_next_due_timestamp_seconds", "SVC-002"] > now().timestamp()


def test_it_tells_what_a_provider_does_to_a_service_beside_its_own_status(estate):
    with because("test"):
        Relation.objects.create(
            consumer=estate["SVC-001"], provider=estate["SVC-002"], kind="depends_on", strength="hard", valid_from=now() - HOUR
        )
    propagating.look_again([estate["SVC-002"].pk], now())
    propagating.propagate(at=now())
    found = samples(scrape(make_admin()))
    assert (found["itsm_backup_service_status", "SVC-001"], found["itsm_backup_service_affected", "SVC-001"]) == (0, 1)
    assert found["itsm_backup_service_affected", "SVC-002"] == 0


def test_series_of_services_have_an_end(estate, monkeypatch):
    monkeypatch.setattr("itsm_backup.metrics.MOST_SERVICES", 1)
    found = samples(scrape(make_admin()))
    assert ("itsm_backup_service_status", "SVC-001") in found and ("itsm_backup_service_status", "SVC-002") not in found
    assert found["itsm_backup_services_left_out",] == 1 and found["itsm_backup_services", "broken"] == 1


def test_it_tells_how_long_facts_have_been_waiting(estate):
    assert samples(scrape(make_admin()))["itsm_backup_journey_lag_seconds",] == 0
    push(make_tool("push"), run_record("new", "failed", now() - HOUR), at=now() - dt.timedelta(minutes=5))
    assert 300 <= samples(scrape(make_admin()))["itsm_backup_journey_lag_seconds",] < 400


def test_it_tells_only_what_the_owner_of_the_token_may_see(estate):
    viewer = make_user()
    assign_perm("catalogue.view_service", viewer, estate["SVC-001"])
    found = samples(scrape(viewer))
    assert ("itsm_backup_service_exposure_seconds", "SVC-002") not in found
    assert found["itsm_backup_services", "broken"] == 0
    assert found["itsm_backup_alerts_open", "rpo_breach"] == 0


def test_it_needs_a_token_that_may_read(estate):
    assert Client().get("/metrics").status_code == 401
    assert Client().get("/metrics", headers={"Authorization": "Bearer itsmb_x"}).status_code == 401
    assert scrape(make_admin(), "ingest").status_code == 403


def test_it_asks_the_same_number_of_queries_for_any_number_of_services(estate, django_assert_max_num_queries):
    admin = make_admin()
    with django_assert_max_num_queries(20) as before:
        scrape(admin)
    for number in range(3, 8):
        make_service(f"SVC-{number:03}")
    journey.advance(at=now())
    with django_assert_max_num_queries(len(before.captured_queries)):
        scrape(admin)
