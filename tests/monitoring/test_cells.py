"""Day cells say what the ledger says, however often and in whatever order it became known."""

from __future__ import annotations

import datetime as dt
import random

import pytest

from itsm_backup import journey
from itsm_backup.common.models import because
from monitoring import cells
from monitoring.models import ServiceDay
from tests.factories import make_job, make_rule, make_schedule, make_service, make_tool, push, restore_record, run_record

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
pytestmark = pytest.mark.django_db


@pytest.fixture
def start(noon):
    return noon - 9 * DAY


@pytest.fixture
def tool(start):
    return make_tool(at=start)


def worst(service) -> dict[int, str]:
    return dict(ServiceDay.objects.filter(service=service).order_by("day").values_list("day__day", "worst"))


def counts(service, day: int) -> dict[str, int]:
    row = ServiceDay.objects.filter(service=service, day__day=day).first()
    return {name: getattr(row, name) for name in cells.COUNTS if getattr(row, name)} if row else {}


def recounted(service) -> bool:
    """Whether a recount of every day changes nothing."""
    before = list(ServiceDay.objects.filter(service=service).order_by("day").values())
    cells.recount(days={service.pk: cells.all_days(service.pk)}, zones={service.pk: "UTC"})
    after = list(ServiceDay.objects.filter(service=service).order_by("day").values())
    return [{**row, "id": 0} for row in before] == [{**row, "id": 0} for row in after]


@pytest.fixture
def nightly(tool, start):
    job = make_job(tool, "nightly", at=start, service=make_service("SVC-1", at=start, rpo_s=30 * 86_400))
    make_schedule(job, local_times="02:00", grace_s=3600)
    return job


def night(noon, days: int) -> dt.datetime:
    return noon.replace(hour=2) - days * DAY


def records(noon):
    return [
        run_record("nightly", "success", night(noon, 6)),
        run_record("nightly", "warning", night(noon, 5)),
        run_record("nightly", "success", night(noon, 4), minutes=120),
        run_record("nightly", "failed", night(noon, 3)),
        run_record("nightly", "failed", night(noon, 2)),
        run_record("nightly", "success", night(noon, 2) + HOUR / 2),
    ]


EXPECTED = {8: "", 9: "W", 10: "L", 11: "F", 12: "", 13: "M", 14: "M", 15: ""}


def test_they_show_the_worst_of_each_day(tool, nightly, noon):
    push(tool, *records(noon), at=noon)
    journey.advance(at=noon)
    nightly.refresh_from_db()
    assert {day: letter for day, letter in worst(nightly.service).items() if day >= 8} == EXPECTED
    assert counts(nightly.service, 12) == {"good": 1}
    assert counts(nightly.service, 15) == {"pending": 1}


def test_they_end_the_same_in_every_order(tool, nightly, noon):
    told = records(noon)
    random.Random(5).shuffle(told)
    for record in told:
        push(tool, record, at=noon)
        journey.advance(at=noon)
    nightly.refresh_from_db()
    assert {day: letter for day, letter in worst(nightly.service).items() if day >= 8} == EXPECTED
    assert recounted(nightly.service)


def test_a_correction_comes_through(tool, nightly, noon):
    push(tool, *records(noon), at=noon)
    journey.advance(at=noon)
    push(tool, run_record("nightly", "success", night(noon, 3)), at=noon)
    journey.advance(at=noon)
    nightly.refresh_from_db()
    assert worst(nightly.service)[11] == ""
    assert recounted(nightly.service)


@pytest.mark.parametrize("scheduled", [True, False])
def test_they_move_with_a_job_to_another_service(tool, start, noon, scheduled):
    old = make_service("SVC-1", at=start, rpo_s=30 * 86_400)
    new = make_service("SVC-2", at=start, rpo_s=30 * 86_400, zone="Asia/Tokyo")
    job = make_job(tool, "nightly", at=start, service=old)
    if scheduled:
        make_schedule(job, local_times="02:00", grace_s=3600)
    push(tool, *records(noon), at=noon)
    journey.advance(at=noon)
    before = worst(old)
    assert before
    with because("moved"):
        rule = old.attribution_rules.get()
        rule.enabled = False
        rule.save()
    make_rule(new, tool, "nightly", at=start)
    journey.advance(at=noon)
    assert worst(old) == {}
    assert worst(new) == before


def test_they_come_with_a_job_that_is_mapped_only_later(tool, start, noon):
    job = make_job(tool, "nightly", at=start)
    make_schedule(job, local_times="02:00", grace_s=3600)
    push(tool, *records(noon), at=noon)
    journey.advance(at=noon)
    service = make_service("SVC-1", at=start, rpo_s=30 * 86_400)
    make_rule(service, tool, "nightly", at=start)
    journey.advance(at=noon)
    assert {day: letter for day, letter in worst(service).items() if day >= 8} == EXPECTED


def test_runs_without_schedule_fall_on_the_days_of_their_service(tool, start, noon):
    service = make_service("SVC-1", at=start, zone="America/New_York", rpo_s=30 * 86_400)
    make_job(tool, "loose", at=start, service=service)
    push(tool, run_record("loose", "success", night(noon, 1)), run_record("loose", "failed", night(noon, 1) + 12 * HOUR), at=noon)
    journey.advance(at=noon)
    assert worst(service) == {12: "", 13: "F"}


def test_a_run_that_moved_leaves_its_old_day(tool, start, noon):
    service = make_service("SVC-1", at=start, rpo_s=30 * 86_400)
    make_job(tool, "loose", at=start, service=service)
    same = {"external_id": "r1", "created_at": noon.isoformat()}
    push(tool, run_record("loose", "success", night(noon, 5), **same), at=noon)
    journey.advance(at=noon)
    push(tool, run_record("loose", "success", night(noon, 2), **same), at=noon)
    journey.advance(at=noon)
    assert worst(service) == {12: ""}


@pytest.mark.parametrize(
    ("state", "outcome", "attempts", "kinds"),
    [
        ("expected", None, 0, ["pending"]),
        ("late", None, 1, ["pending"]),
        ("late", "failed", 1, ["failed"]),
        ("satisfied", "success", 1, ["good"]),
        ("satisfied", "warning", 1, ["good", "warned"]),
        ("satisfied_late", "success", 1, ["good", "late"]),
        ("missed", None, 0, ["missed"]),
        ("missed", "failed", 2, ["failed"]),
        ("unconfirmed", None, 0, ["unknown"]),
        ("excused", None, 0, ["held"]),
    ],
)
def test_what_an_occurrence_adds_to_its_day(state, outcome, attempts, kinds):
    assert cells.kinds_of(state, outcome, attempts) == kinds


def test_a_run_that_failed_outside_the_schedule_is_seen_but_no_rate_counts_it(tool, start, noon):
    job = make_job(tool, "weekly", at=start, service=make_service("SVC-1", at=start, rpo_s=30 * 86_400))
    make_schedule(job, rrule="FREQ=WEEKLY;BYDAY=TU", local_times="02:00", grace_s=3600)  # 7 and 14 July
    push(tool, run_record("weekly", "success", night(noon, 7)), at=noon)
    push(tool, run_record("weekly", "failed", night(noon, 9) + 5 * HOUR), run_record("weekly", "failed", night(noon, 4)), at=noon)
    journey.advance(at=noon)
    job.refresh_from_db()
    assert counts(job.service, 5) == {"besides": 1} and worst(job.service)[5] == "F", "before the first that was due"
    assert counts(job.service, 10) == {"besides": 1} and worst(job.service)[10] == "F", "after what was due on Tuesday had its copy"
    assert worst(job.service)[7] == ""
    assert recounted(job.service)


def test_a_restore_test_that_refutes_makes_its_day_a_failed_one(tool, nightly, noon):
    push(tool, *records(noon), restore_record("nightly", "success", night(noon, 6) + 8 * HOUR, verification_state="failed"), at=noon)
    journey.advance(at=noon)
    nightly.refresh_from_db()
    assert counts(nightly.service, 8) == {"good": 1, "refuted": 1}
    assert worst(nightly.service)[8] == "F"
    assert recounted(nightly.service)
