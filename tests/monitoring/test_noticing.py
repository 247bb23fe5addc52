"""What people change is worked out again at the next turn, whoever was slow to commit."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection

from catalogue import publishing
from catalogue.models import ServiceVersion, Window
from itsm_backup import journey
from itsm_backup.common.models import because
from monitoring import workflow
from monitoring.models import JobState, ServiceState, ToolState, Watermark
from monitoring.noticing import notice_changes
from tests.factories import make_admin, make_job, make_schedule, make_service, make_tool, make_user, push, run_record

HOUR = dt.timedelta(hours=1)
pytestmark = pytest.mark.django_db


@pytest.fixture
def service(noon):
    return make_service("SVC-1", at=noon - 48 * HOUR, rpo_s=4 * 3600)


@pytest.fixture
def job(service, noon):
    tool = make_tool(at=noon - 48 * HOUR)
    job = make_job(tool, "nightly", at=noon - 48 * HOUR, service=service)
    push(tool, run_record("nightly", "success", noon - 2 * HOUR), at=noon)
    journey.advance(at=noon)
    return job


def due() -> list[str]:
    return list(
        ServiceState.objects.filter(next_judgement_at__lte=dt.datetime(2026, 7, 14, 12, tzinfo=dt.UTC)).values_list(
            "service__code", flat=True
        )
    )


def test_nothing_changed_is_one_query(job, noon, django_assert_num_queries):
    with django_assert_num_queries(2):  # the marks, and the newest entries
        assert notice_changes(at=noon) == 0


def test_a_tighter_promise_is_judged_at_once(service, job, noon):
    assert ServiceState.objects.get(service=service).verdict == "kept"
    author, approver = make_user(), make_admin()
    version = publishing.draft_version(service=service, content={}, commitment={"rpo_s": 3600}, by=author, at=noon, reason="Tighter")
    publishing.submit(version=version, by=author, at=noon, reason="test")
    publishing.approve(version=version, by=approver, at=noon, reason="test")
    journey.advance(at=noon)
    state = ServiceState.objects.get(service=service)
    assert (state.verdict, state.version.number, state.rpo_s) == ("broken", 2, 3600)


def test_a_promise_that_takes_effect_later_is_judged_then(service, job, noon):
    author, approver = make_user(), make_admin()
    version = publishing.draft_version(service=service, content={}, commitment={"rpo_s": 2 * 3600}, by=author, at=noon, reason="Tighter")
    publishing.submit(version=version, by=author, at=noon, reason="test")
    publishing.approve(version=version, by=approver, at=noon, reason="test", effective_from=noon + HOUR)
    journey.advance(at=noon)
    assert ServiceState.objects.get(service=service).version.number == 1
    assert ServiceState.objects.get(service=service).next_judgement_at <= noon + HOUR
    journey.advance(at=noon + HOUR)
    assert ServiceState.objects.get(service=service).version.number == 2


def test_a_window_makes_its_jobs_look_again(service, job, noon):
    with because("work"):
        Window.objects.create(
            service=service, starts_at=noon - HOUR, ends_at=noon + HOUR, purpose="work", decided_at=noon - 9 * HOUR, decided_by=make_admin()
        )
    assert notice_changes(at=noon) == 1
    assert (JobState.objects.get().touched_at, JobState.objects.get().touched_from) == (noon, noon - HOUR)
    assert due() == ["SVC-1"]


def test_a_schedule_makes_its_job_look_again(job, noon):
    make_schedule(job)
    assert notice_changes(at=noon) == 1
    assert JobState.objects.get().touched_at == noon


def test_new_thresholds_concern_every_service(service, job, noon):
    other = make_service("SVC-2", at=noon - HOUR)
    journey.advance(at=noon)
    with because("stricter"):
        row = workflow.current()
        row.at_risk_fraction = "0.3"
        row.save()
    journey.advance(at=noon)
    assert ServiceState.objects.get(service=service).verdict == "at_risk"
    assert ServiceState.objects.get(service=other).evaluation is not None


def test_a_tool_that_is_switched_off_is_no_longer_silent(noon):
    tool = make_tool("restic", at=noon - 9 * HOUR, settings={"repository": "/r"})
    journey.advance(at=noon)
    assert ToolState.objects.get().silent_since is not None
    with because("Taken out of service"):
        tool.enabled = False
        tool.save()
    journey.advance(at=noon)
    assert ToolState.objects.get().silent_since is None


def test_a_change_that_took_its_time_is_noticed_all_the_same(service, job, noon):
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('catalogue_historicalwindow', 'history_id'))")
        early_id = cursor.fetchone()[0]
    person = make_admin()
    with because("work"):
        for number in range(2):
            Window.objects.create(
                service=make_service(at=noon - HOUR),
                starts_at=noon,
                ends_at=noon + HOUR,
                purpose=str(number),
                decided_at=noon,
                decided_by=person,
            )
    journey.advance(at=noon)
    assert due() == []
    columns = "starts_at, ends_at, purpose, decided_at, decided_by_id, service_id, history_date, history_type, history_change_reason, id"
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO catalogue_historicalwindow (history_id, {columns}) "
            "VALUES (%s, %s, %s, 'late', %s, %s, %s, %s, '+', 'work', 99999)",
            [early_id, noon - HOUR, noon + HOUR, noon, person.pk, service.pk, noon],
        )
    assert notice_changes(at=noon) == 1
    assert "SVC-1" in due()
    assert notice_changes(at=noon) == 0


def test_it_makes_a_state_for_every_approved_service(noon):
    service = make_service("SVC-1", at=noon - HOUR)
    notice_changes(at=noon)
    assert ServiceState.objects.get().service == service
    assert Watermark.objects.get(name=ServiceVersion.__name__).history_id > 0
