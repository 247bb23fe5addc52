"""The read API: paged, filtered, the same number of queries for any number of rows, and only what one may see."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client
from guardian.shortcuts import assign_perm
from rest_framework.exceptions import MethodNotAllowed, UnsupportedMediaType

from itsm_backup import journey
from itsm_backup.api import problem_response
from itsm_backup.common.time import iso, now
from monitoring import tokens
from monitoring.models import Alert, BackupJob, BackupRun, Evaluation
from reporting import compiling
from reporting.scoping import Month, Scope, month_named
from tests.factories import (
    make_admin,
    make_job,
    make_rule,
    make_schedule,
    make_service,
    make_tool,
    make_user,
    push,
    restore_record,
    run_record,
)

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def present():
    return now().replace(microsecond=0)


@pytest.fixture
def estate(present):
    """Two services: one whose copy is fresh, one whose copy is older than promised and whose latest run failed."""
    start = present - dt.timedelta(days=3)
    tool = make_tool("push", name="scripts", at=start, secrets={"password": "correct horse"}, ping_key="key-0123456789")
    made = {}
    for code, age in (("SVC-001", 1), ("SVC-002", 6)):
        service = make_service(code, at=start, rpo_s=4 * 3600, tier=2, name=f"Service {code}", department="Radiology")
        job = make_job(tool, f"job-{code}", at=start, service=service)
        make_schedule(job, local_times=f"{present - 12 * HOUR:%H:%M}", grace_s=3600)
        push(tool, run_record(f"job-{code}", "success", present - age * HOUR), at=present - age * HOUR + HOUR / 2)
        made[code] = service
    push(tool, run_record("job-SVC-002", "failed", present - 2 * HOUR, native_message="no space left on device"), at=present - HOUR)
    push(tool, {"external_id": "bad", "job_external_id": "x"}, at=present - HOUR)
    journey.advance(at=present)
    return made


def bearer(user, scope="read") -> Client:
    token = tokens.issue(user=user, scope=scope, tool=None, at=now(), days=1)
    return Client(headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
def api(estate):
    return bearer(make_admin())


def test_it_says_where_services_stand_and_what_they_promise(api, present):
    page = api.get("/api/v1/services/").json()
    assert page["count"] == 2
    fresh, old = page["results"]
    assert (fresh["code"], fresh["verdict"], fresh["status"]) == ("SVC-001", "kept", "operational")
    assert (old["code"], old["verdict"], old["status"], old["tier"]) == ("SVC-002", "broken", "degraded", 2)
    assert old["commitment"]["rpo_s"] == 4 * 3600
    assert 6 * 3600 <= old["exposure_s"] < 6 * 3600 + 300
    assert old["captured_at"] == iso(present - 6 * HOUR)


@pytest.mark.parametrize(
    ("query", "codes"),
    [
        ("verdict=broken", ["SVC-002"]),
        ("verdict=broken,kept", ["SVC-001", "SVC-002"]),
        ("status=operational", ["SVC-001"]),
        ("tier=2", ["SVC-001", "SVC-002"]),
        ("tier=1,3", []),
        ("department=Radiology", ["SVC-001", "SVC-002"]),
        ("department=Finance", []),
        ("q=svc-002", ["SVC-002"]),
        ("q=service", ["SVC-001", "SVC-002"]),
        ("page_size=1&page=2", ["SVC-002"]),
    ],
)
def test_it_filters_services(api, query, codes):
    assert [row["code"] for row in api.get(f"/api/v1/services/?{query}").json()["results"]] == codes


@pytest.mark.parametrize(
    "query",
    ["verdict=fine", "status=x", "tier=5", "as_of=soon", "as_of=2999-01-01T00:00Z", "as_of=2026-01-01T00:00", "as_of=0001-01-01T00:00Z"],
)
def test_it_refuses_filters_that_mean_nothing(api, query):
    response = api.get(f"/api/v1/services/?{query}")
    assert response.status_code == 400
    assert query.split("=")[0] in response.json()["detail"]


def test_it_shows_a_service_as_it_was_known(api, present):
    then = present - 30 * dt.timedelta(minutes=1)
    assert api.get(f"/api/v1/services/SVC-002/?as_of={iso(then)}").json()["verdict"] == "no_data"
    detail = api.get("/api/v1/services/SVC-002/").json()
    assert {claim["claim"] for claim in detail["claims"]} == {"rpo"}
    journey.advance(at=now() + HOUR)
    known = api.get(f"/api/v1/services/?as_of={iso(now())}&verdict=broken").json()
    assert [row["code"] for row in known["results"]] == ["SVC-002"]
    assert api.get(f"/api/v1/services/?as_of={iso(present - dt.timedelta(days=9))}").json()["count"] == 0


def test_it_lists_jobs_with_schedule_and_latest_run(api):
    rows = api.get("/api/v1/jobs/?service=SVC-002").json()["results"]
    assert rows[0]["latest_run"]["outcome"] == "failed"
    assert rows[0]["schedule"]["grace_s"] == 3600
    assert api.get("/api/v1/jobs/?unclaimed=true").json()["count"] == 0


def test_it_shows_the_ping_address_of_a_job_only_to_whom_it_may(estate):
    job = BackupJob.objects.get(external_id="job-SVC-001")
    viewer = make_user()
    assign_perm("catalogue.view_service", viewer, estate["SVC-001"])
    assert bearer(make_admin()).get(f"/api/v1/jobs/{job.pk}/").json()["ping_address"].endswith(str(job.ping_uuid))
    assert bearer(viewer).get(f"/api/v1/jobs/{job.pk}/").json()["ping_address"] is None


def test_it_lists_runs_newest_first_and_within_bounds(api, present):
    rows = api.get("/api/v1/runs/").json()["results"]
    assert [row["occurred_at"] for row in rows] == sorted((row["occurred_at"] for row in rows), reverse=True)
    assert len(rows) == 3
    assert [row["outcome"] for row in api.get("/api/v1/runs/?service=SVC-002").json()["results"]] == ["failed", "success"]
    assert len(api.get("/api/v1/runs/?outcome=failed,partial").json()["results"]) == 1
    assert len(api.get(f"/api/v1/runs/?from={iso(present - 3 * HOUR)}&to={iso(present)}").json()["results"]) == 2
    assert api.get("/api/v1/runs/?from=2020-01-01T00:00Z&to=2020-02-01T00:00Z").json()["results"] == []
    assert rows[0] == api.get(f"/api/v1/runs/{rows[0]['id']}/").json()


def test_it_pages_runs_by_position(api):
    first = api.get("/api/v1/runs/?page_size=2").json()
    second = api.get(first["next"]).json()
    assert len(first["results"]) == 2
    assert len(second["results"]) == 1
    assert second["next"] is None


@pytest.mark.parametrize("cursor", ["nonsense", "cD14", "cD0yMDI2LTAx", "bz0tMQ=="])
def test_it_refuses_cursors_that_are_not_ours(api, cursor):
    assert api.get(f"/api/v1/runs/?cursor={cursor}").status_code == 404


def test_it_lists_the_ledger(api, estate):
    rows = api.get("/api/v1/expected-runs/?service=SVC-002").json()["results"]
    assert rows
    assert {row["service"] for row in rows} == {"SVC-002"}
    assert api.get("/api/v1/expected-runs/?state=satisfied,missed,expected,satisfied_late,late").status_code == 200


def test_a_word_that_is_none_of_the_list_is_refused(api):
    response = api.get("/api/v1/alerts/?state=firing,nope")
    assert response.status_code == 400
    assert response.json()["detail"] == "state: “nope” is none of pending, firing, acknowledged, suppressed, resolved."


@pytest.mark.parametrize(
    ("error", "title", "detail"),
    [
        (MethodNotAllowed("DELETE"), "This address does not take that method.", 'Method "DELETE" not allowed.'),
        (UnsupportedMediaType("text/xml"), "This media type is not read here.", 'Unsupported media type "text/xml" in request.'),
    ],
)
def test_titles_say_what_is_refused_and_leave_the_rest_to_the_detail(error, title, detail):
    found = problem_response(error, {}).data
    assert (found["title"], found["detail"]) == (title, detail)


def test_it_lists_alerts_and_says_why(api):
    rows = api.get("/api/v1/alerts/?open=true").json()["results"]
    assert {row["alert_class"] for row in rows} == {"job_failed", "rpo_breach"}
    assert api.get("/api/v1/alerts/?alert_class=rpo_breach&service=SVC-002").json()["count"] == 1
    breach = Alert.objects.get(alert_class="rpo_breach")
    assert api.get(f"/api/v1/alerts/{breach.pk}/").json()["evaluation"] == breach.evaluation_id


def test_it_explains_an_evaluation_and_repeats_it(api):
    evaluation = Evaluation.objects.filter(service__code="SVC-002").latest("at", "pk")
    found = api.get(f"/api/v1/evaluations/{evaluation.pk}/?again=true").json()
    assert found["verdict"] == "broken"
    assert found["arithmetic"]
    assert len(found["runs"]) == 2
    assert found["again"]["agrees"] is True
    assert "again" not in api.get(f"/api/v1/evaluations/{evaluation.pk}/").json()


def test_it_lists_tools_without_any_secret(api):
    response = api.get("/api/v1/tools/?kind=push&enabled=true")
    assert response.json()["results"][0]["state"]["latest_answer_at"]
    for secret in ("correct horse", "key-0123456789", "ping_key", "secrets"):
        assert secret not in response.content.decode()
    assert api.get("/api/v1/tools/scripts/").json()["name"] == "scripts"


def test_it_shows_only_the_settings_that_the_connector_knows_and_masks_passwords_in_addresses(estate):
    make_tool("restic", name="nas", settings={"repository": "rest:https://u:hunter22@nas/r", "password": "hunter22", "host": "db01"})
    shown = bearer(make_admin()).get("/api/v1/tools/nas/").json()["settings"]
    assert "hunter22" not in str(shown)
    assert shown["host"] == "db01"


def test_it_lists_what_could_not_be_read(api):
    rows = api.get("/api/v1/quarantine/?tool=scripts&open=true").json()["results"]
    assert len(rows) == 1
    assert "outcome" in rows[0]["reason"] or "time" in rows[0]["reason"].lower()


# ---- who may see what


LISTS = ["services", "jobs", "runs", "expected-runs", "alerts", "incidents", "tools", "quarantine", "reports"]


@pytest.mark.parametrize("name", LISTS)
def test_it_needs_a_sign_in(estate, name):
    response = Client().get(f"/api/v1/{name}/")
    assert response.status_code == 401
    assert response["Content-Type"] == "application/problem+json"
    assert "Bearer" in response.json()["detail"]


@pytest.mark.parametrize("name", LISTS)
def test_it_shows_nothing_to_whom_nothing_was_granted(estate, name):
    assert bearer(make_user()).get(f"/api/v1/{name}/").json()["results"] == []


def test_it_shows_what_belongs_to_the_services_that_one_may_see(estate):
    viewer = make_user()
    assign_perm("catalogue.view_service", viewer, estate["SVC-001"])
    api = bearer(viewer)
    assert [row["code"] for row in api.get("/api/v1/services/").json()["results"]] == ["SVC-001"]
    assert {row["service"] for row in api.get("/api/v1/runs/").json()["results"]} == {"SVC-001"}
    assert {row["service"] for row in api.get("/api/v1/jobs/").json()["results"]} == {"SVC-001"}
    assert {row["service"] for row in api.get("/api/v1/alerts/").json()["results"]} <= {"SVC-001"}
    hidden = Evaluation.objects.filter(service__code="SVC-002").first()
    for path in (
        "services/SVC-002/",
        "tools/scripts/",
        f"evaluations/{hidden.pk}/",
        f"runs/{BackupRun.objects.filter(outcome='failed').get().pk}/",
        f"jobs/{BackupJob.objects.get(external_id='job-SVC-002').pk}/",
        f"alerts/{Alert.objects.filter(service__code='SVC-002').first().pk}/",
        "incidents/INC-0001/",
        f"runs/{10**30}/",
        "services/%00/",
    ):
        response = api.get(f"/api/v1/{path}")
        assert response.status_code == 404, path
        assert response["Content-Type"] == "application/problem+json", path
        assert response.json()["detail"], path


def test_it_answers_an_address_that_does_not_exist_with_a_problem(api):
    response = api.get("/api/v1/nothing/")
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"


def test_it_refuses_inactive_people(estate):
    user = make_admin()
    api = bearer(user)
    user.is_active = False
    user.save()
    assert api.get("/api/v1/services/").status_code == 401


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("limited", [False, True], ids=["superuser", "by grants"])
def test_it_asks_the_same_number_of_queries_for_any_number_of_rows(
    estate, present, name, limited, django_assert_max_num_queries, django_assert_num_queries
):
    user = make_user() if limited else make_admin()
    client = Client()
    client.force_login(user)

    def grant() -> None:
        from catalogue.models import Service
        from monitoring.models import Tool

        for row in (*Service.objects.all(), *Tool.objects.all()) if limited else ():
            assign_perm(f"{row._meta.app_label}.view_{row._meta.model_name}", user, row)

    def report_on(month: str) -> None:
        if name == "reports":
            compiling.compile_month(month=Month(first=month_named(month), zone="UTC"), scope=Scope(), at=present)

    grant()
    report_on("2026-01")
    path = f"/api/v1/{name}/"
    client.get(path)
    some = not (limited and name == "reports")  # these reports tell of no service, so they are for those who see everything
    with django_assert_max_num_queries(16) as before:
        assert bool(client.get(path).json()["results"]) is some
    for number in range(3, 6):
        code, start = f"SVC-{number:03}", present - dt.timedelta(days=3)
        service = make_service(code, at=start, rpo_s=4 * 3600, tier=2)
        tool = make_tool("push", at=start)
        job = make_job(tool, f"job-{code}", at=start)
        make_rule(service, tool, f"job-{code}", at=start)
        make_schedule(job, local_times=f"{present - 12 * HOUR:%H:%M}", grace_s=3600)
        push(tool, run_record(f"job-{code}", "failed", present - 2 * HOUR), {"external_id": "bad"}, at=present)
        report_on(f"2026-0{number}")
    journey.advance(at=present + dt.timedelta(minutes=1))
    grant()
    with django_assert_num_queries(len(before.captured_queries)):
        assert bool(client.get(path).json()["results"]) is some


def test_restore_tests_are_listed_for_those_who_see_their_service(estate, api, present, django_assert_max_num_queries):
    tool = BackupJob.objects.get(name="job-SVC-001").tool
    for number, code in enumerate(("SVC-001", "SVC-002", "SVC-002")):
        push(tool, restore_record(f"job-{code}", "failed" if number else "success", present - (9 + number) * HOUR), at=present)
    journey.advance(at=present)
    with django_assert_max_num_queries(8):
        page = api.get("/api/v1/restore-tests/").json()
    assert [(one["service"], one["outcome"]) for one in page["results"]] == [
        ("SVC-001", "passed"), ("SVC-002", "failed"), ("SVC-002", "failed"),
    ]  # fmt: skip
    first = page["results"][0]
    assert (first["scope"], first["verified"], first["duration_s"]) == ("full", True, 3600)
    assert api.get(f"/api/v1/runs/{first['run']}/").json()["operation"] == "restore_test"
    assert len(api.get("/api/v1/restore-tests/?outcome=failed").json()["results"]) == 2
    assert len(api.get("/api/v1/restore-tests/?service=SVC-001").json()["results"]) == 1
    limited = make_user()
    assign_perm("catalogue.view_service", limited, estate["SVC-001"])
    seen = bearer(limited).get("/api/v1/restore-tests/").json()["results"]
    assert {one["service"] for one in seen} == {"SVC-001"}
