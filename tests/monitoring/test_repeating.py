"""A judgement repeats from its inputs and from the runs; what was changed behind the product's back is named."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection

from catalogue.models import Window
from itsm_backup import journey
from itsm_backup.common.models import because
from monitoring.models import BackupRun, Evaluation, RawAnswer, RestorePoint, RunRevision, ServiceState
from monitoring.repeating import repeat
from tests.factories import make_admin, make_job, make_rule, make_schedule, make_service, make_tool, push, run_record
from tests.readings import no_answer, poll_answer, snapshot, take_reading

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
pytestmark = pytest.mark.django_db


@pytest.fixture
def service(noon):
    """Hourly backups with a few failures, a promise of 4 h and of 99 %."""
    start = noon - 3 * DAY
    service = make_service("SVC-1", at=start, rpo_s=4 * 3600, success_rate="0.99000")
    tool = make_tool(at=start)
    make_schedule(make_job(tool, "nightly", at=start, service=service), rrule="FREQ=HOURLY", local_times="", grace_s=1800)
    records = [run_record("nightly", "failed" if n % 7 == 0 else "success", noon - n * HOUR) for n in range(1, 60)]
    push(tool, *records, at=noon)
    journey.advance(at=noon)
    return service


def latest(service) -> Evaluation:
    return ServiceState.objects.get(service=service).evaluation


def sql(text: str, *values) -> None:
    with connection.cursor() as cursor:
        cursor.execute(text, values)


def test_every_evaluation_repeats(service):
    for evaluation in Evaluation.objects.all():
        again = repeat(evaluation)
        assert again.agrees, (evaluation.pk, again.differences, again.altered)


def test_it_repeats_after_everything_went_on(service, noon):
    first = latest(service)
    tool = BackupRun.objects.first().tool
    for hours in range(30):
        push(tool, run_record("nightly", "success" if hours % 5 else "failed", noon + hours * HOUR), at=noon + (hours + 0.8) * HOUR)
        journey.advance(at=noon + (hours + 0.8) * HOUR)
    assert repeat(first).agrees, repeat(first).differences
    for evaluation in Evaluation.objects.all():
        assert repeat(evaluation).agrees, (evaluation.at, repeat(evaluation).differences)


def test_a_run_altered_in_the_database_is_named_with_what_its_tool_had_said(service):
    evaluation = latest(service)
    run = RestorePoint.objects.order_by("-captured_at").first().run
    sql("UPDATE monitoring_backuprun SET outcome = 'failed' WHERE id = %s", run.pk)
    again = repeat(evaluation)
    assert not again.agrees
    assert again.from_inputs
    assert len(again.altered) == 1
    assert f"Run {run.pk} of nightly was changed outside the product" in again.altered[0]
    assert "had said: success" in again.altered[0]


@pytest.mark.parametrize("column", ["occurred_at", "started_at", "ended_at", "captured_at"])
def test_every_judged_field_is_guarded(service, column):
    run = RestorePoint.objects.order_by("-captured_at").first().run
    sql(f"UPDATE monitoring_backuprun SET {column} = {column} - interval '9 hours' WHERE id = %s", run.pk)
    assert repeat(latest(service)).altered


def test_a_run_that_was_deleted_is_missed(service):
    newest = RestorePoint.objects.order_by("-captured_at").first()
    sql("UPDATE monitoring_jobstate SET latest_run_id = NULL, good_run_id = NULL")
    sql("UPDATE monitoring_expectedrun SET run_id = NULL WHERE run_id = %s", newest.run_id)
    sql("UPDATE monitoring_alert SET latest_run_id = NULL")
    sql("DELETE FROM monitoring_restorepoint WHERE id = %s", newest.pk)
    sql("DELETE FROM monitoring_backuprun WHERE id = %s", newest.run_id)
    assert not repeat(latest(service)).agrees


def test_it_repeats_after_its_raw_answers_were_destroyed(service):
    evaluation = latest(service)
    sql("DELETE FROM monitoring_rawanswer")
    assert not RawAnswer.objects.exists()
    assert repeat(evaluation).agrees
    run = BackupRun.objects.latest("occurred_at")
    sql("UPDATE monitoring_backuprun SET outcome = 'failed', captured_at = NULL WHERE id = %s", run.pk)
    assert "no longer kept" in " ".join(repeat(evaluation).altered)


def test_it_repeats_what_was_known_then_when_a_run_was_corrected_since(service, noon):
    before = latest(service)
    tool = BackupRun.objects.first().tool
    push(tool, run_record("nightly", "failed", noon - HOUR), at=noon + HOUR / 2)
    journey.advance(at=noon + HOUR / 2)
    assert RunRevision.objects.exists()
    after = latest(service)
    assert after.result != before.result
    assert repeat(before).agrees, repeat(before).differences
    assert repeat(after).agrees, repeat(after).differences


def test_it_repeats_with_maintenance_and_misses(noon):
    start = noon - 3 * DAY
    service = make_service("SVC-1", at=start, rpo_s=40 * 3600, success_rate="0.90000")
    tool = make_tool(at=start)
    make_schedule(make_job(tool, "nightly", at=start, service=service), rrule="FREQ=HOURLY", local_times="", grace_s=1800)
    with because("work"):
        Window.objects.create(
            service=service, starts_at=noon - 9 * HOUR, ends_at=noon - 5 * HOUR, purpose="w", decided_at=noon - DAY, decided_by=make_admin()
        )
    push(tool, *[run_record("nightly", "success", noon - n * HOUR) for n in range(12, 40)], at=noon - 11 * HOUR)
    for hours in (7, 3, 0):
        journey.advance(at=noon - hours * HOUR)
    assert latest(service).inputs["occurrences"]["excused"] == 4
    for evaluation in Evaluation.objects.all():
        assert repeat(evaluation).agrees, repeat(evaluation).differences


def test_it_repeats_for_a_polled_tool_with_unconfirmed_nights(noon):
    start = noon - 9 * DAY
    tool = make_tool("restic", at=start, settings={"repository": "/srv/repo"})
    two = noon.replace(hour=2)
    take_reading(tool, poll_answer(*[snapshot(two - days * DAY) for days in (8, 7, 5)]), at=two - 4 * DAY)
    job = BackupRun.objects.first().job
    service = make_service("SVC-1", at=start, rpo_s=26 * 3600, success_rate="0.90000")
    make_rule(service, tool, job.external_id, at=start)
    make_schedule(job, local_times="02:00", grace_s=3600)
    journey.advance(at=two - 4 * DAY + HOUR)
    take_reading(tool, no_answer(), at=noon - DAY)
    journey.advance(at=noon - DAY)
    take_reading(tool, poll_answer(*[snapshot(two - days * DAY) for days in (8, 7, 5, 2, 0)]), at=noon)
    journey.advance(at=noon)
    assert {one.status for one in Evaluation.objects.filter(service=service)} >= {"unknown"}
    for evaluation in Evaluation.objects.all():
        assert repeat(evaluation).agrees, (evaluation.at, evaluation.tool, repeat(evaluation).differences)
