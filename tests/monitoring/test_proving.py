"""Restore tests come right from runs that are late, corrected, moved or deleted; what they prove is judged, told and repeated."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection

from itsm_backup import journey
from itsm_backup.common.models import because
from monitoring.explaining import explain
from monitoring.models import Alert, BackupRun, Evaluation, Figure, ProtectedItem, RestorePoint, RestoreTest, ServiceDay, ServiceState
from monitoring.repeating import repeat
from tests.factories import make_job, make_rule, make_service, make_tool, push, restore_record, run_record

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
pytestmark = pytest.mark.django_db


@pytest.fixture
def start(noon):
    return noon - 300 * DAY


@pytest.fixture
def tool(start):
    return make_tool(at=start)


@pytest.fixture
def service(tool, start):
    service = make_service("SVC-1", at=start, rpo_s=26 * 3600, rto_s=8 * 3600, restore_test_days=90, name="Archive")
    make_job(tool, "nightly", at=start, service=service)
    make_job(tool, "restores", at=start, service=service)
    return service


@pytest.fixture
def backed_up(tool, service, noon):
    push(tool, run_record("nightly", "success", noon - HOUR), at=noon)
    return service


def restore(service) -> dict:
    evaluation = ServiceState.objects.get(service=service).evaluation
    return next(claim for claim in evaluation.result["claims"] if claim["claim"] == "restore")


def corners(service) -> dict[dt.date, int]:
    return dict(ServiceDay.objects.filter(service=service, restores__gt=0).values_list("day", "restores"))


def carry(tool, *records, at) -> None:
    push(tool, *records, at=at)
    journey.advance(at=at)


def test_a_test_is_a_fact_with_what_came_back(tool, backed_up, noon):
    point = RestorePoint.objects.get()
    RestorePoint.objects.update(external_id="1f2e3d4c5b6a")
    measured = {
        "rows_total": 12_345,
        "files_total": 3,
        "bytes_source": 99_000,
        "native_message": "14 tables equal",
        "artefact_id": "1f2e3d4c",
    }
    carry(tool, restore_record("restores", "success", noon - 10 * HOUR, minutes=320, **measured), at=noon)
    test = RestoreTest.objects.get()
    assert (test.scope, test.outcome, test.verified, test.duration_s) == ("full", "passed", True, 320 * 60)
    assert (test.rows, test.files, test.size_bytes, test.message) == (12_345, 3, 99_000, "14 tables equal")
    assert (test.started_at, test.usable_at, test.point) == (noon - 10 * HOUR, noon - 280 * dt.timedelta(minutes=1), point)
    assert test.run.operation == "restore_test"
    assert BackupRun.objects.count() == 2  # naming the copy it read did not make it that copy's run
    assert restore(backed_up)["detail"] == "proven"


@pytest.mark.parametrize(
    ("changes", "scope", "outcome"),
    [
        ({"level": "unknown"}, "sample", "passed"),
        ({"level": "incremental"}, "sample", "passed"),
        ({"outcome": "warning"}, "full", "passed"),
        ({"outcome": "partial"}, "full", "failed"),
        ({"outcome": "failed"}, "full", "failed"),
        ({"outcome": "cancelled"}, "full", "inconclusive"),
        ({"outcome": "unknown"}, "full", "inconclusive"),
        ({"verification_state": "failed"}, "full", "failed"),
    ],
)
def test_what_a_run_says_as_a_test(tool, backed_up, noon, changes, scope, outcome):
    carry(tool, {**restore_record("restores", "success", noon - 5 * HOUR), **changes}, at=noon)
    test = RestoreTest.objects.get()
    assert (test.scope, test.outcome) == (scope, outcome)
    assert (test.usable_at is None) == (outcome != "passed")


def test_a_plain_restore_is_no_test(tool, backed_up, noon):
    carry(tool, restore_record("restores", "success", noon - 5 * HOUR, operation="restore"), at=noon)
    assert not RestoreTest.objects.exists()


def test_a_job_that_only_tests_copies_protects_nothing_and_is_missed_nowhere(tool, backed_up, noon):
    carry(tool, restore_record("restores", "success", noon - 5 * HOUR), at=noon)
    assert ProtectedItem.objects.get(job__name="restores").service is None
    assert ProtectedItem.objects.get(job__name="nightly").service == backed_up
    assert ServiceState.objects.get().verdict == "kept"


def test_a_late_older_test_changes_no_newer_verdict(tool, backed_up, noon):
    carry(tool, restore_record("restores", "success", noon - 2 * DAY), at=noon)
    carry(tool, restore_record("restores", "failed", noon - 9 * DAY), at=noon + HOUR)
    assert restore(backed_up)["detail"] == "proven"
    assert RestoreTest.objects.count() == 2
    carry(tool, restore_record("restores", "failed", noon - DAY), at=noon + 2 * HOUR)
    assert restore(backed_up)["detail"] == "test_failed"


def test_a_corrected_test_comes_right_everywhere(tool, backed_up, noon):
    begin = noon - 5 * HOUR
    carry(tool, restore_record("restores", "success", begin), at=noon)
    assert corners(backed_up) == {begin.date(): 1}
    carry(tool, restore_record("restores", "success", begin, verification_state="failed"), at=noon + HOUR)
    assert RestoreTest.objects.get().outcome == "failed"
    assert corners(backed_up) == {}
    assert restore(backed_up)["detail"] == "test_failed"


def test_a_test_that_moved_leaves_its_old_day(tool, backed_up, noon):
    same = {"created_at": noon.isoformat(), "identity": ["t", "1"]}
    carry(tool, {**restore_record("restores", "success", noon - 5 * DAY), **same}, at=noon)
    carry(tool, {**restore_record("restores", "success", noon - 2 * DAY), **same}, at=noon + HOUR)
    assert corners(backed_up) == {(noon - 2 * DAY).date(): 1}
    assert RestoreTest.objects.count() == 1


def test_a_test_counts_on_the_local_day_of_its_service(tool, start, noon):
    service = make_service("SVC-9", at=start, zone="Asia/Tokyo", rto_s=3600)
    make_job(tool, "away", at=start, service=service)
    carry(tool, restore_record("away", "success", noon.replace(hour=20)), at=noon + 10 * HOUR)
    assert corners(service) == {noon.date() + DAY: 1}


def test_tests_move_with_their_job(tool, backed_up, start, noon):
    carry(tool, restore_record("restores", "success", noon - 5 * HOUR), at=noon)
    other = make_service("SVC-2", at=start, rpo_s=None, rto_s=8 * 3600)
    with because("moved"):
        backed_up.attribution_rules.get(conditions__value="restores").delete()
    make_rule(other, tool, "restores", at=start)
    journey.advance(at=noon + HOUR)
    assert corners(backed_up) == {} and len(corners(other)) == 1
    assert restore(backed_up)["detail"] == "never_tested"
    assert restore(other)["detail"] == "proven"


def test_a_deleted_run_takes_its_test_along(tool, backed_up, noon):
    carry(tool, restore_record("restores", "success", noon - 5 * HOUR), at=noon)
    BackupRun.objects.filter(operation="restore_test").delete()
    assert not RestoreTest.objects.exists()
    journey.look_at_everything(at=noon + HOUR)
    journey.advance(at=noon + HOUR)
    assert restore(backed_up)["detail"] == "never_tested"


def test_in_every_order_the_same_tests(tool, backed_up, noon):
    import random

    records = [restore_record("restores", outcome, noon - days * DAY) for days, outcome in ((9, "success"), (5, "failed"), (2, "success"))]
    random.Random(3).shuffle(records)
    for record in records:
        carry(tool, record, at=noon)
    assert list(RestoreTest.objects.order_by("started_at").values_list("outcome", flat=True)) == ["passed", "failed", "passed"]
    assert sorted(corners(backed_up)) == [(noon - 9 * DAY).date(), (noon - 2 * DAY).date()]


def test_time_alone_makes_a_proof_too_old(tool, backed_up, noon):
    carry(tool, restore_record("restores", "success", noon - 90 * DAY, minutes=60), at=noon - 80 * DAY)
    push(tool, run_record("nightly", "success", noon - HOUR), at=noon)
    journey.advance(at=noon + HOUR)
    assert restore(backed_up)["detail"] == "proven"
    journey.advance(at=noon + HOUR + dt.timedelta(seconds=1))
    assert restore(backed_up)["detail"] == "too_old"
    assert ServiceState.objects.get().verdict == "kept"


def test_damage_that_a_check_found_contradicts_until_a_check_is_good(tool, backed_up, noon):
    carry(tool, restore_record("restores", "success", noon - 5 * DAY), at=noon)
    check = {"operation": "verify", "external_id": "check-1", "verification_state": "failed"}
    carry(tool, run_record("nightly", "failed", noon - HOUR / 2, **check), at=noon)
    assert restore(backed_up)["detail"] == "damage_found"
    assert Alert.objects.get(alert_class="rto_test_failed").title == "Archive has damaged copies, as a check found"
    assert ServiceState.objects.get().captured_at == noon - HOUR  # which copies are damaged is not known: no point is taken back
    good = {"operation": "verify", "external_id": "check-2", "verification_state": "passed"}
    carry(tool, run_record("nightly", "success", noon + HOUR, **good), at=noon + 2 * HOUR)
    assert restore(backed_up)["detail"] == "proven"


def test_a_check_that_could_not_run_says_nothing_of_the_copies(tool, backed_up, noon):
    carry(tool, restore_record("restores", "success", noon - 5 * DAY), at=noon)
    carry(tool, run_record("nightly", "failed", noon - HOUR / 2, operation="verify", external_id="check-1"), at=noon)
    assert restore(backed_up)["detail"] == "proven"


def test_every_judgement_repeats_through_corrections(tool, backed_up, noon):
    begin = noon - 5 * HOUR
    carry(tool, restore_record("restores", "success", noon - 60 * DAY), restore_record("restores", "success", begin), at=noon)
    carry(tool, restore_record("restores", "failed", begin), at=noon + HOUR)
    carry(tool, restore_record("restores", "success", noon + HOUR, level="unknown"), at=noon + 3 * HOUR)
    carry(tool, restore_record("restores", "success", noon + 4 * HOUR), at=noon + 6 * HOUR)
    check = {"operation": "verify", "external_id": "check-1", "verification_state": "failed"}
    carry(tool, run_record("nightly", "failed", noon + 7 * HOUR, **check), at=noon + 8 * HOUR)
    assert {one.result["claims"][-1]["detail"] for one in Evaluation.objects.all()} >= {"proven", "test_failed", "damage_found"}
    for evaluation in Evaluation.objects.all():
        assert repeat(evaluation).agrees, (evaluation.at, repeat(evaluation).differences, repeat(evaluation).altered)


@pytest.mark.parametrize("change", ["verified = NULL", "level = 'full'", "outcome = 'failed'"])
def test_a_test_altered_in_the_database_is_named(tool, backed_up, noon, change):
    carry(tool, restore_record("restores", "success", noon - 5 * HOUR, level="unknown"), at=noon)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE monitoring_backuprun SET {change} WHERE operation = 'restore_test'")
    assert repeat(ServiceState.objects.get().evaluation).altered


def test_a_judgement_of_version_1_still_repeats(tool, backed_up, noon):
    """As it was written before restores were judged: without the input, and without the claim."""
    carry(tool, restore_record("restores", "success", noon - 5 * HOUR), at=noon)
    evaluation = ServiceState.objects.get().evaluation
    inputs = {name: value for name, value in evaluation.inputs.items() if name != "restore"}
    claims = [claim for claim in evaluation.result["claims"] if claim["claim"] != "restore"]
    old = Evaluation.objects.create(
        service=backed_up, at=evaluation.at, version=evaluation.version, workflow=evaluation.workflow, mapping=evaluation.mapping,
        method_version="judging-1", inputs=inputs, inputs_hash=b"", result={**evaluation.result, "claims": claims,
        "next_change_at": repeat_next(inputs)}, verdict=evaluation.verdict, status=evaluation.status,
    )  # fmt: skip
    assert repeat(old).agrees, repeat(old).differences


def repeat_next(inputs) -> str:
    from monitoring.judging import judge_service

    return judge_service(inputs)["next_change_at"]


def test_it_is_explained_down_to_the_run_and_published_as_a_figure(tool, backed_up, noon):
    carry(tool, restore_record("restores", "success", noon - 8 * HOUR, minutes=320), at=noon)
    evaluation = ServiceState.objects.get().evaluation
    told = explain(evaluation)
    assert RestoreTest.objects.get().run_id in [run.run for run in told.runs]
    assert "BM-RTO version 1" in told.methods
    assert any("8 h − 5 h 20 min = 2 h 40 min left" in line for line in told.arithmetic)
    figure = Figure.objects.get(evaluation=evaluation, method_id="BM-RTO")
    assert (figure.value["measured_s"], figure.value["verdict"]) == (320 * 60, "kept")
