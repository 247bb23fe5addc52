"""Judging in the database: what is remembered, when it is looked at again, and what follows at once."""

from __future__ import annotations

import datetime as dt

import pytest

from catalogue.models import ServiceStatus, StatusChange, Window
from itsm_backup import journey
from itsm_backup.common.models import because
from monitoring import judging
from monitoring.evaluation import hash_of, judge_services
from monitoring.models import Alert, Evaluation, Figure, RestorePoint, ServiceState
from tests.factories import make_admin, make_job, make_schedule, make_service, make_tool, push, run_record

HOUR, DAY, SECOND = dt.timedelta(hours=1), dt.timedelta(days=1), dt.timedelta(seconds=1)
pytestmark = pytest.mark.django_db


def estate(noon, *, tier: int = 2, rpo_h: float = 4, success_rate=None, scheduled: bool = False):
    start = noon - 5 * DAY
    service = make_service("SVC-1", at=start, rpo_s=int(rpo_h * 3600), tier=tier, success_rate=success_rate)
    tool = make_tool(at=start)
    job = make_job(tool, "nightly", at=start, service=service)
    if scheduled:
        make_schedule(job, rrule="FREQ=HOURLY", local_times="", grace_s=1800)
    return service, tool


def status(service) -> str:
    return ServiceStatus.objects.get(service=service).status


def state(service) -> ServiceState:
    return ServiceState.objects.get(service=service)


def test_it_remembers_inputs_result_and_figures_once(noon):
    service, tool = estate(noon)
    push(tool, run_record("nightly", "success", noon - HOUR), at=noon)
    journey.advance(at=noon)
    count = Evaluation.objects.count()
    evaluation = state(service).evaluation
    assert judging.judge_service(evaluation.inputs) == evaluation.result
    assert bytes(evaluation.inputs_hash) == hash_of(evaluation.inputs)
    assert evaluation.mapping and evaluation.version.number == 1
    assert [figure.method_id for figure in Figure.objects.filter(evaluation=evaluation)] == ["BM-RPO-EXP"]
    for minutes in range(1, 5):
        ServiceState.objects.update(next_judgement_at=noon)
        journey.advance(at=noon + minutes * dt.timedelta(minutes=1))
    assert Evaluation.objects.count() == count


@pytest.mark.parametrize(("rpo_h", "tier", "marks"), [
    (4, 2, [(3.5, "kept", "operational"), (3.7, "at_risk", "operational"), (4.1, "broken", "degraded"), (8.1, "broken", "outage")]),
    (4, 1, [(3.5, "kept", "operational"), (4.1, "broken", "degraded"), (8.1, "broken", "outage")]),
    (4, 3, [(4.1, "broken", "degraded"), (8.1, "broken", "degraded"), (16.1, "broken", "outage")]),
])  # fmt: skip
def test_time_alone_breaks_a_promise_at_its_own_instants(noon, rpo_h, tier, marks):
    service, tool = estate(noon, rpo_h=rpo_h, tier=tier)
    push(tool, run_record("nightly", "success", noon, minutes=1), at=noon + HOUR / 10)
    journey.advance(at=noon + HOUR / 10)
    for hours, verdict, expected in marks:
        journey.advance(at=noon + hours * HOUR)
        assert (state(service).verdict, status(service)) == (verdict, expected), hours


def test_it_is_judged_again_at_the_very_second_it_breaks(noon):
    service, tool = estate(noon)
    push(tool, run_record("nightly", "success", noon, minutes=1), at=noon + HOUR / 10)
    journey.advance(at=noon + HOUR / 10)
    journey.advance(at=state(service).next_judgement_at)
    assert (state(service).verdict, state(service).next_judgement_at) == ("at_risk", noon + 4 * HOUR + SECOND)
    assert judge_services(at=noon + 4 * HOUR) == 0
    journey.advance(at=noon + 4 * HOUR + SECOND)
    assert state(service).verdict == "broken"
    change = StatusChange.objects.filter(service=service).latest("pk")
    assert (change.from_status, change.to_status, change.at, change.evaluation) == (
        "operational", "degraded", noon + 4 * HOUR + SECOND, state(service).evaluation_id,
    )  # fmt: skip


def test_a_service_without_any_copy_counts_from_its_first_day(noon):
    service, _ = estate(noon)
    journey.advance(at=noon)
    assert (state(service).verdict, status(service)) == ("broken", "outage")
    assert state(service).evaluation.result["status_reason"] == "no_usable_point"


def test_a_service_that_nothing_is_mapped_to_is_unknown(noon):
    service = make_service("SVC-1", at=noon - DAY)
    journey.advance(at=noon)
    assert (state(service).verdict, status(service)) == ("no_data", "unknown")


@pytest.mark.parametrize(("tier", "after_one", "after_two"), [(2, "operational", "operational"), (1, "operational", "degraded")])
def test_only_the_second_bad_occurrence_lets_a_status_fall(noon, tier, after_one, after_two):
    """A promise of success that is at risk degrades tier 1 only, and only after two bad occurrences."""
    begin = noon.replace(day=1, hour=0)
    start = begin - DAY
    service = make_service("SVC-1", at=start, rpo_s=5 * 86_400, tier=tier, success_rate="0.99900")
    tool = make_tool(at=start)
    make_schedule(make_job(tool, "nightly", at=start, service=service), rrule="FREQ=HOURLY", local_times="", grace_s=1800)
    push(tool, *[run_record("nightly", "success", start + n * HOUR) for n in range(1, 30)], at=begin + 6 * HOUR)
    journey.advance(at=begin + 6 * HOUR)
    assert status(service) == "operational"
    push(tool, run_record("nightly", "failed", begin + 6 * HOUR), at=begin + 7 * HOUR)
    journey.advance(at=begin + 7 * HOUR)
    assert (state(service).verdict, status(service)) == ("at_risk", after_one)
    push(tool, run_record("nightly", "failed", begin + 7 * HOUR), at=begin + 8 * HOUR)
    journey.advance(at=begin + 8 * HOUR)
    assert (state(service).verdict, status(service)) == ("at_risk", after_two)
    for hours in (8, 9, 10):
        push(tool, run_record("nightly", "success", begin + hours * HOUR), at=begin + (hours + 0.8) * HOUR)
        journey.advance(at=begin + (hours + 0.8) * HOUR)
        assert state(service).verdict == "at_risk"
    assert status(service) == after_two  # still at risk: three good ones change nothing before the promise is safe again


def test_a_hold_makes_it_maintenance_and_its_end_is_noticed(noon):
    service, tool = estate(noon)
    with because("work"):
        Window.objects.create(
            service=service, starts_at=noon + HOUR, ends_at=noon + 2 * HOUR, purpose="w", decided_at=noon - HOUR, decided_by=make_admin()
        )
    push(tool, run_record("nightly", "success", noon - HOUR / 2), at=noon)
    journey.advance(at=noon)
    assert status(service) == "operational"
    journey.advance(at=noon + HOUR)
    assert (state(service).verdict, status(service)) == ("held", "maintenance")
    journey.advance(at=noon + 2 * HOUR)
    assert status(service) == "operational"


def test_a_breach_is_not_over_because_maintenance_began(noon):
    service, _ = estate(noon)
    with because("work"):
        Window.objects.create(
            service=service, starts_at=noon + HOUR, ends_at=noon + 2 * HOUR, purpose="w", decided_at=noon - HOUR, decided_by=make_admin()
        )
    for at in (noon, noon + HOUR, noon + 2 * HOUR):
        journey.advance(at=at)
    assert list(Alert.objects.values_list("alert_class", "state", "occurrences")) == [("rpo_breach", "firing", 1)]


def test_points_dated_ahead_hide_no_present_one(noon):
    service, tool = estate(noon)
    push(tool, *[run_record("nightly", "success", noon + n * HOUR) for n in (-1, 1, 2, 3, 4, 5)], at=noon)
    journey.advance(at=noon)
    assert (state(service).verdict, state(service).captured_at) == ("kept", noon - HOUR)
    journey.advance(at=noon + 2 * HOUR)
    assert state(service).captured_at == noon + HOUR


def test_a_point_that_is_gone_counts_no_more(noon):
    service, tool = estate(noon)
    push(tool, run_record("nightly", "success", noon - HOUR), at=noon)
    journey.advance(at=noon)
    RestorePoint.objects.update(gone_at=noon)
    ServiceState.objects.update(next_judgement_at=noon + HOUR)
    journey.advance(at=noon + HOUR)
    assert state(service).verdict == "broken"


def test_one_service_that_cannot_be_judged_holds_no_other_up(noon):
    broken, _ = estate(noon)
    other = make_service("SVC-2", at=noon - DAY)
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("UPDATE catalogue_serviceversion SET zone = 'Nowhere/Land' WHERE service_id = %s", [broken.pk])
        cursor.execute("SET session_replication_role = origin")
    journey.advance(at=noon)
    assert state(other).evaluation is not None
