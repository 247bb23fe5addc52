"""Explanations, lists, the digest and the API tell people who only depend on a service nothing of tools, storage and hosts."""

from __future__ import annotations

import datetime as dt
import json
import re

import pytest
from django.test import Client

from incidents.models import Incident
from itsm_backup import digesting, journey
from itsm_backup.common.models import because
from monitoring import naming, tokens
from monitoring.models import Alert, BackupJob, BackupRun, Evaluation, Repository
from tests.factories import make_job, make_schedule, make_service, make_tool, push, restore_record, run_record
from tests.portal.makers import make_person

pytestmark = [pytest.mark.django_db, pytest.mark.req("3.2")]
HOUR = dt.timedelta(hours=1)
TOOL, LABEL, STORAGE, PATH, HOST = "tell-tool", "Telling Controller", "TELL-POOL-5", "/srv/telling", "telling.vault.local"
JOB, OTHER = "tell01:/srv/images", "tell-host-02"
TELLING = (TOOL, LABEL, STORAGE, PATH, HOST, JOB, "tell01", OTHER)
SAID = f"Fatal: unable to write to {PATH} on {HOST}: no space left on device"


@pytest.fixture
def at():
    return dt.datetime.now(dt.UTC).replace(second=0, microsecond=0)


@pytest.fixture
def service(at):
    """A service with a job that failed, one that did not run, and one whose restore test failed."""
    promise = {"copy_scheme": "3-2-1-1-0", "immutability_days": 14, "success_rate": "0.9"}
    service = make_service("SVC-007", name="Imaging archive", at=at - 60 * HOUR, promise=promise)
    tool = make_tool(at=at - 60 * HOUR, name=TOOL, label=LABEL)
    make_job(tool, JOB, at=at - 60 * HOUR, service=service, repository_name=STORAGE, target_name=HOST, name=JOB)
    missed = make_job(tool, OTHER, at=at - 60 * HOUR, service=service, repository_name=STORAGE, target_name=OTHER, name=OTHER)
    make_job(tool, "unclaimed", at=at - 60 * HOUR, repository_name=STORAGE, target_name=OTHER)
    make_schedule(missed, local_times=f"{at - 6 * HOUR:%H:%M}", grace_s=3600)
    with because("Seen on site"):
        Repository.objects.create(tool=tool, name=STORAGE, medium="disk", lock_days=0)
    push(tool, run_record(JOB, "success", at - 40 * HOUR), run_record(OTHER, "success", at - 54 * HOUR), at=at - 39 * HOUR)
    journey.advance(at=at - 30 * HOUR)
    push(tool, restore_record(JOB, "failed", at - 5 * HOUR, native_message=SAID), at=at - 4 * HOUR)
    push(tool, run_record(JOB, "failed", at - 3 * HOUR, native_message=SAID, exit_code=1), at=at - 2 * HOUR)
    push(tool, run_record("unclaimed", "failed", at - 3 * HOUR, native_message=SAID, exit_code=1), at=at - 2 * HOUR)
    journey.advance(at=at)
    return service


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def api_of(user) -> Client:
    return Client(
        headers={"Authorization": f"Bearer {tokens.issue(user=user, scope='read', tool=None, at=dt.datetime.now(dt.UTC), days=1)}"}
    )


def named(text: str) -> list[str]:
    return [one for one in TELLING if one.lower() in text.lower()]


def pages() -> list[str]:
    """Every page that tells of the service beside its own ones, which `tests/portal/test_leaving_out.py` reads."""
    explained = [f"/explain/{kind}/{pk}/" for kind, model in (("alert", Alert), ("evaluation", Evaluation), ("incident", Incident))
                 for pk in model.objects.values_list("pk", flat=True)]  # fmt: skip
    lists = ["/", "/services/", "/calendar/", "/services/SVC-007/calendar/", "/incidents/", "/digest/", "/incidents/muted/", "/reviews/"]
    found = [f"/search?q={word}" for word in ("imaging", "tell", "pool", "INC-1")]
    return [*lists, *found, *explained, "/explain/status/SVC-007/", "/services/SVC-007/history/", "/services/SVC-007/versions/"]


def addresses() -> list[str]:
    """Every answer of the API that tells of the service."""
    lists = ("alerts", "jobs", "runs", "expected-runs", "restore-tests", "restore-plans", "incidents", "muted", "rules", "agreement")
    lists += ("detected-changes", "services", "relations")
    of_service = ("", "objectives/", "status/", "history/", "checks/", "observed/", "versions/", "closure/", "cmdb-relations/")
    rows = (("alerts", Alert), ("jobs", BackupJob), ("runs", BackupRun), ("evaluations", Evaluation))
    one = [f"{name}/{pk}/" for name, model in rows for pk in model.objects.values_list("pk", flat=True)]
    one += [f"evaluations/{pk}/?again=true" for pk in Evaluation.objects.filter(service__isnull=False).values_list("pk", flat=True)]
    one += [f"incidents/{each.number}/{part}" for each in Incident.objects.all() for part in ("", "impact/")]
    return [f"/api/v1/{each}" for each in (*(f"{name}/" for name in lists), *(f"services/SVC-007/{part}" for part in of_service), *one)]


@pytest.mark.parametrize("role", ["stakeholder", "executive"])
def test_who_only_depends_on_it_reads_no_name_on_any_page(service, at, role):
    client = signed_in(make_person(role, at))
    for address in pages():
        response = client.get(address)
        assert response.status_code in (200, 404), address
        assert not named(re.sub(r'(href|value)="[^"]*"', "", response.content.decode())), address


def test_nor_in_any_answer_of_the_api(service, at):
    person = make_person("stakeholder", at)
    client, read = api_of(person), 0
    for address in addresses():
        response = client.get(address)
        assert response.status_code in (200, 404), (address, response.content)
        read += response.status_code == 200
        assert not named(response.content.decode()), address
    assert read > 30
    run = client.get("/api/v1/runs/?outcome=failed&service=SVC-007").json()["results"][0]
    assert (run["tool"], run["message"], run["job_external_id"], run["outcome"]) == (None, "", "", "failed")


def test_no_filter_finds_rows_by_a_name_that_is_not_told(service, at):
    """Finding something by a name would tell that the name is there."""
    by_name = (f"jobs/?tool={TOOL}", f"jobs/?q={OTHER}", "jobs/?q=tell", "jobs/?q=unclaimed", f"runs/?tool={TOOL}")
    stakeholder, operator = (api_of(make_person(role, at)) for role in ("stakeholder", "operator"))
    for address in by_name:
        assert stakeholder.get(f"/api/v1/{address}").json()["results"] == [], address
        assert operator.get(f"/api/v1/{address}").json()["results"], address
    assert stakeholder.get("/api/v1/jobs/?service=SVC-007&tool=&q=").json()["results"], "an empty filter is none"
    limited = api_of(make_person("operator", at, tools=[BackupJob.objects.get(name="unclaimed").tool]))
    assert limited.get("/api/v1/jobs/?q=unclaimed").json()["results"] and limited.get(f"/api/v1/jobs/?tool={TOOL}").json()["results"]


def test_no_order_tells_of_names(service, at):
    ids = [row["id"] for row in api_of(make_person("stakeholder", at)).get("/api/v1/jobs/").json()["results"]]
    assert ids == sorted(ids) and len(ids) == 2
    told = [row["name"] for row in api_of(make_person("operator", at)).get("/api/v1/jobs/").json()["results"]]
    assert told == [OTHER, JOB, "unclaimed"]


def test_a_search_finds_no_incident_by_what_its_title_leaves_out(service, at):
    incident = Incident.objects.latest("pk")
    Incident.objects.filter(pk=incident.pk).update(title=f"Backups of Imaging archive fail because {STORAGE} is full", service=service)
    stakeholder, operator = (signed_in(make_person(role, at)) for role in ("stakeholder", "operator"))
    assert incident.number not in stakeholder.get(f"/search?q={STORAGE}").content.decode()
    assert incident.number in operator.get(f"/search?q={STORAGE}").content.decode()
    assert "fail because … is full" in stakeholder.get("/search?q=is full").content.decode(), "by what is told it is found"


def test_incidents_are_not_found_by_a_service_that_one_may_not_see(service, at):
    incident, other = Incident.objects.latest("pk"), make_service("SVC-008", name="Another", at=at - 60 * HOUR)
    alert = Alert.objects.filter(incident_alert__incident=incident).first()
    Alert.objects.filter(pk=alert.pk).update(service=other)
    limited, operator = api_of(make_person("stakeholder", at, services=[service])), api_of(make_person("operator", at))
    assert limited.get("/api/v1/incidents/?service=SVC-008").json()["results"] == []
    assert [one["number"] for one in operator.get("/api/v1/incidents/?service=SVC-008").json()["results"]] == [incident.number]


def test_nor_in_the_mail_of_the_day(service, at):
    told = digesting.body_of(digesting.compose(person=make_person("stakeholder", at), at=at))
    assert "Imaging archive" in told and not named(told)


@pytest.mark.parametrize(("role", "limits"), [("operator", {}), ("steward", {}), ("steward", {"services": ["SVC-007"]})])
def test_who_runs_or_writes_it_reads_them(service, at, role, limits):
    person = make_person(role, at, **{name: list(type(service).objects.filter(code__in=codes)) for name, codes in limits.items()})
    client = api_of(person)
    run = client.get("/api/v1/runs/?outcome=failed&service=SVC-007").json()["results"][0]
    assert (run["tool"], run["job_external_id"], run["message"]) == (TOOL, JOB, SAID)
    judged = Evaluation.objects.filter(service=service).latest("pk")
    assert JOB in json.dumps(client.get(f"/api/v1/evaluations/{judged.pk}/").json())
    assert JOB in signed_in(person).get(f"/explain/evaluation/{judged.pk}/").content.decode()


def test_a_limited_operator_of_a_tool_reads_of_its_unclaimed_jobs(service, at):
    tool = BackupJob.objects.get(name="unclaimed").tool
    job = api_of(make_person("operator", at, tools=[tool])).get("/api/v1/jobs/?unclaimed=true").json()["results"][0]
    assert (job["tool"], job["repository_name"]) == (TOOL, STORAGE)


def test_a_page_of_rows_asks_as_often_as_one_row(service, at, django_assert_num_queries):
    person, tool = make_person("stakeholder", at), BackupJob.objects.get(name="unclaimed").tool_id
    assert naming.is_told_all(person) is False
    for owners in ([(service.pk, tool)], [(service.pk, tool), *((pk, tool) for pk in range(10_000, 10_050))]):
        with django_assert_num_queries(3):
            plain = naming.plains_for(person, owners)((service.pk, tool))
        assert plain and plain(f"{LABEL} on {OTHER} and /srv/x") == "… on … and …"


def test_the_longest_name_is_left_out_first():
    assert naming.leaving_out(["pool", "pool five"])("Pool five, pool, pooled") == "…, …, pooled"
