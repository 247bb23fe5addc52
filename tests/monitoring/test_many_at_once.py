"""What waits is carried on together: as many questions for fifty jobs and services as for five, and what fails stands alone."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import OperationalError

from itsm_backup import journey
from monitoring import carrying
from monitoring.evaluation import judge_services
from monitoring.models import ExpectedRun, JobState, ServiceState
from monitoring.settling import settle_jobs
from tests.factories import make_job, make_schedule, make_service, make_tool, push, restore_record, run_record

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
FEW, MANY, MORE = 5, 50, 4  # savepoints and what only many have together


@pytest.mark.django_db
def test_fifty_jobs_and_services_need_as_many_questions_as_five(noon, django_assert_max_num_queries):
    tool = make_tool(at=noon - 5 * DAY)
    names = [f"job-{n}" for n in range(MANY)]
    for n, name in enumerate(names):
        job = make_job(tool, name, at=noon - 5 * DAY, service=make_service(f"SVC-{name}", at=noon - 5 * DAY, rpo_s=7_200, rto_s=36_000))
        if n % 5:
            make_schedule(job, rrule="FREQ=HOURLY", local_times="", grace_s=1_800)
    push(tool, *[run_record(name, "success", noon - HOUR) for name in names], at=noon)
    journey.advance(at=noon)
    seen = []
    for hours, some in ((3, names[:FEW]), (6, names)):
        at = noon + hours * HOUR
        push(tool, *[run_record(name, "success", noon + n * HOUR) for name in some for n in range(hours)], at=at)
        push(tool, *[restore_record(name, "success", at - 2 * HOUR, level="full", verified=True) for name in some], at=at)
        limit = seen or [100, 100]
        JobState.objects.update(next_settlement_at=None)  # only what is touched
        ServiceState.objects.update(next_judgement_at=None)
        with django_assert_max_num_queries(limit[0] + MORE) as settling:
            assert settle_jobs(at=at) == len(some)
        with django_assert_max_num_queries(limit[1] + MORE) as judging:
            assert judge_services(at=at) == len(some)
        seen = [len(settling.captured_queries), len(judging.captured_queries)]
    assert ExpectedRun.objects.filter(state="satisfied").count() > MANY
    assert ServiceState.objects.filter(verdict="kept", pk__in=tool.jobs.values("service")).count() == MANY


def test_what_fails_is_found_by_halves_and_keeps_nobody_else_waiting():
    done: list[int] = []

    def act(ids) -> int:
        if 7 in ids or 13 in ids:
            raise ValueError("cannot be done")
        done.extend(ids)
        return len(ids)

    assert carrying.together(range(200), act, "doing") == 198
    assert sorted(done) == [pk for pk in range(200) if pk not in (7, 13)]


def test_a_lost_database_is_no_failure_of_one():
    def act(ids) -> int:
        raise OperationalError("the server went away")

    with pytest.raises(OperationalError):
        carrying.together([1, 2], act, "doing")
