"""The ledger in the database: what was due and what came of it, whenever and in whatever order it became known."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from zoneinfo import ZoneInfo

import pytest

from catalogue.models import Window
from itsm_backup import journey
from itsm_backup.common.models import because
from monitoring.models import BackupRun, ExpectedRun, JobState
from tests.factories import make_admin, make_job, make_schedule, make_service, make_tool, push, run_record
from tests.readings import no_answer, poll_answer, snapshot, take_reading

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
pytestmark = pytest.mark.django_db


@pytest.fixture
def start(noon):
    return noon - 9 * DAY


@pytest.fixture
def tool(start):
    return make_tool(at=start)


@pytest.fixture
def job(tool, start):
    job = make_job(tool, "nightly", at=start, service=make_service("SVC-1", at=start, rpo_s=30 * 86_400))
    make_schedule(job, local_times="02:00", grace_s=3600)
    return job


def night(noon, days: int) -> dt.datetime:
    return noon.replace(hour=2) - days * DAY


def states(job) -> dict[int, str]:
    rows = ExpectedRun.objects.filter(job=job).order_by("due_at").values_list("due_at__day", "state")
    return dict(rows)


def run(tool, at, outcome="success", **more):
    return run_record("nightly", outcome, at, **{"minutes": 10, **more})


def test_it_finds_what_was_kept_late_missed_and_failed(tool, job, noon):
    push(tool, run(tool, night(noon, 4)), run(tool, night(noon, 3), minutes=180), run(tool, night(noon, 1), "failed"), at=noon)
    journey.advance(at=noon)
    assert states(job) == {
        6: "missed", 7: "missed", 8: "missed", 9: "missed", 10: "satisfied", 11: "satisfied_late", 12: "missed", 13: "missed",
        14: "missed", 15: "expected",
    }  # fmt: skip
    assert ExpectedRun.objects.get(job=job, due_at=night(noon, 1)).attempts == 1
    assert ExpectedRun.objects.get(job=job, due_at=night(noon, 2)).attempts == 0


def test_a_late_word_settles_the_past_anew(tool, job, noon):
    push(tool, run(tool, night(noon, 4)), at=noon)
    journey.advance(at=noon)
    assert states(job)[12] == "missed"
    push(tool, run(tool, night(noon, 2)), at=noon)
    journey.advance(at=noon)
    assert states(job)[12] == "satisfied"


def test_a_corrected_start_moves_the_run_to_another_night(tool, job, noon):
    record = run(tool, night(noon, 4), external_id="r1", created_at=noon.isoformat())
    push(tool, record, at=noon)
    journey.advance(at=noon)
    assert states(job)[10] == "satisfied"
    push(tool, {**record, **run(tool, night(noon, 2)), "external_id": "r1", "created_at": noon.isoformat()}, at=noon)
    journey.advance(at=noon)
    assert (states(job)[10], states(job)[12]) == ("missed", "satisfied")


def test_it_does_nothing_at_the_second_look(tool, job, noon):
    push(tool, run(tool, night(noon, 1)), at=noon)
    journey.advance(at=noon)
    before = list(ExpectedRun.objects.order_by("pk").values()), list(JobState.objects.values())
    for _ in range(2):
        journey.advance(at=noon)
    assert (list(ExpectedRun.objects.order_by("pk").values()), list(JobState.objects.values())) == before


def test_history_from_before_the_watch_is_counted_but_backfilled(tool, job, start, noon):
    push(tool, *[run(tool, night(noon, days)) for days in range(1, 30)], at=noon)
    journey.advance(at=noon)
    rows = ExpectedRun.objects.filter(job=job, state="satisfied")
    assert rows.count() == 29
    assert set(rows.filter(due_at__lt=start).values_list("backfilled", flat=True)) == {True}
    assert set(rows.filter(due_at__gte=start).values_list("backfilled", flat=True)) == {False}


def test_history_that_reaches_back_a_few_hours_is_due_too(noon):
    """The journey came by before what ran that morning was told."""
    tool = make_tool(at=noon)
    job = make_job(tool, "nightly", at=noon, service=make_service("SVC-2", at=noon, rpo_s=30 * 86_400))
    make_schedule(job, local_times="02:00,06:00,10:00,14:00", grace_s=3600)
    journey.advance(at=noon)
    assert not ExpectedRun.objects.filter(job=job, due_at__lt=noon).exists()
    push(tool, run(tool, noon - 2 * HOUR), at=noon + HOUR)
    journey.advance(at=noon + HOUR)
    told = list(ExpectedRun.objects.filter(job=job, due_at__lt=noon).values_list("due_at", "state", "backfilled"))
    assert told == [(noon - 2 * HOUR, "satisfied", True)]
    push(tool, run(tool, noon - 10 * HOUR), at=noon + HOUR)
    journey.advance(at=noon + HOUR)
    assert list(ExpectedRun.objects.filter(job=job, due_at__lt=noon).order_by("due_at").values_list("due_at", "state")) == [
        (noon - 10 * HOUR, "satisfied"), (noon - 6 * HOUR, "missed"), (noon - 2 * HOUR, "satisfied"),
    ]  # fmt: skip


def test_a_changed_schedule_does_not_owe_what_older_history_tells(tool, job, noon):
    journey.advance(at=noon)
    before = states(job)
    with because("moved to the morning"):
        job.schedule.local_times = "09:00"
        job.schedule.save()
    journey.advance(at=noon)
    journey.advance(at=noon + HOUR)
    past = ExpectedRun.objects.filter(job=job, due_at__lt=noon)
    assert {row.due_at.hour for row in past} == {2}
    assert len(before) - 1 == past.count()


def test_time_alone_brings_a_miss(tool, job, noon):
    push(tool, run(tool, night(noon, 0)), at=noon)
    journey.advance(at=noon)
    assert states(job)[15] == "expected"
    journey.advance(at=night(noon, -1) + 59 * dt.timedelta(minutes=1))
    assert states(job)[15] == "expected"
    journey.advance(at=night(noon, -1) + HOUR)
    assert states(job)[15] == "missed"


def test_a_run_that_is_still_running_is_late_and_no_bad_occurrence(tool, job, noon):
    began = {"external_id": "r1", "job_external_id": "nightly", "state": "running", "started_at": night(noon, 0).isoformat()}
    push(tool, run(tool, night(noon, 1)), began, at=noon)
    journey.advance(at=noon)
    assert states(job)[14] == "late"
    state = JobState.objects.get(job=job)
    assert (state.bad_streak, state.good_streak) == (0, 1)


def test_streaks_count_occurrences(tool, job, noon):
    push(tool, run(tool, night(noon, 4)), *[run(tool, night(noon, days), "failed") for days in (2, 1, 0)], at=noon)
    journey.advance(at=noon)
    assert JobState.objects.get(job=job).bad_streak == 4  # a missed night is one of them
    push(tool, run(tool, night(noon, 0) + HOUR / 2), at=noon)
    journey.advance(at=noon)
    assert (JobState.objects.get(job=job).bad_streak, JobState.objects.get(job=job).good_streak) == (0, 1)


def test_a_changed_schedule_changes_only_the_future(tool, job, noon):
    push(tool, run(tool, night(noon, 1)), run(tool, night(noon, 0)), at=noon)
    journey.advance(at=noon)
    past = {day: state for day, state in states(job).items() if day <= 14}
    with because("Later at night"):
        job.schedule.local_times = "04:00"
        job.schedule.save()
    journey.advance(at=noon)
    assert {day: state for day, state in states(job).items() if day <= 14} == past
    assert [row.due_at.hour for row in ExpectedRun.objects.filter(job=job, due_at__gt=noon)] == [4]
    assert JobState.objects.get(job=job).next_due_at == noon.replace(day=15, hour=4)


def test_a_job_that_lost_its_schedule_owes_nothing(tool, job, noon):
    push(tool, run(tool, night(noon, 1)), run(tool, night(noon, 0)), at=noon)
    journey.advance(at=noon)
    with because("On demand from now on"):
        job.schedule.delete()
    journey.advance(at=noon)
    assert not ExpectedRun.objects.filter(job=job, settled_at=None).exists()
    journey.advance(at=noon + 5 * DAY)
    assert not ExpectedRun.objects.filter(job=job, due_at__gt=noon).exists()


def test_a_job_without_schedule_keeps_its_streaks_by_runs(tool, start, noon):
    make_job(tool, "loose", at=start, service=make_service(at=start))
    outcomes = ["success", "failed", "failed"]
    push(tool, *[run_record("loose", outcome, noon - (9 - n) * HOUR) for n, outcome in enumerate(outcomes)], at=noon)
    journey.advance(at=noon)
    assert JobState.objects.get(job__external_id="loose").bad_streak == 2


def test_an_unusable_schedule_holds_no_other_job_up(tool, job, start, noon):
    other = make_job(tool, "other", at=start, service=make_service(at=start))
    make_schedule(other, local_times="02:00")
    type(job.schedule).objects.filter(pk=job.schedule.pk)._raw_delete(using="default")
    broken = make_schedule(job, local_times="02:00")
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("UPDATE monitoring_jobschedule SET zone = 'Nowhere/Land' WHERE id = %s", [broken.pk])
    push(tool, run_record("nightly", "success", noon), run_record("other", "success", noon), at=noon)
    journey.advance(at=noon)
    assert ExpectedRun.objects.filter(job=other).exists()
    assert JobState.objects.get(job=job).touched_at is not None


def test_local_nights_survive_the_clock_change(tool, start):
    zone = ZoneInfo("Europe/London")
    autumn = dt.datetime(2026, 10, 27, 12, tzinfo=dt.UTC)
    job = make_job(tool, "london", at=start, service=make_service(at=start))
    make_schedule(job, local_times="01:30", zone="Europe/London", grace_s=3600, starts_on=dt.date(2026, 10, 22))
    nights = [dt.datetime(2026, 10, day, 1, 30, tzinfo=zone) for day in range(22, 28)]
    push(tool, *[run_record("london", "success", one.astimezone(dt.UTC)) for one in nights], at=autumn)
    journey.advance(at=autumn)
    rows = ExpectedRun.objects.filter(job=job, due_at__lt=autumn)
    assert Counter(rows.values_list("state", flat=True)) == {"satisfied": 6}
    assert [row.due_at.hour for row in rows.order_by("due_at")] == [0, 0, 0, 0, 1, 1]
    assert [row.local_on.day for row in rows.order_by("due_at")] == [22, 23, 24, 25, 26, 27]


def window(service, starts_at, ends_at, decided_at):
    with because("work"):
        return Window.objects.create(
            service=service, starts_at=starts_at, ends_at=ends_at, purpose="work", decided_at=decided_at, decided_by=make_admin()
        )


def test_maintenance_excuses_what_opens_after_it_was_decided(tool, job, noon):
    journey.advance(at=noon - 5 * DAY)
    job.refresh_from_db()
    service = job.service
    window(service, night(noon, 3) - HOUR, night(noon, 1) + HOUR, night(noon, 2) - HOUR)
    journey.advance(at=noon)
    assert (states(job)[11], states(job)[12], states(job)[13], states(job)[14]) == ("missed", "excused", "excused", "missed")


def test_a_window_that_is_moved_or_taken_back_no_longer_excuses(tool, job, noon):
    journey.advance(at=noon - 5 * DAY)
    job.refresh_from_db()
    held = window(job.service, night(noon, 2) - HOUR, night(noon, 2) + HOUR, noon - 6 * DAY)
    journey.advance(at=noon)
    assert states(job)[12] == "excused"
    with because("moved"):
        held.starts_at, held.ends_at = night(noon, -3), night(noon, -3) + HOUR
        held.save()
    journey.advance(at=noon)
    assert states(job)[12] == "missed"
    with because("back"):
        held.starts_at, held.ends_at = night(noon, 1) - HOUR, night(noon, 1) + HOUR
        held.save()
    journey.advance(at=noon)
    assert states(job)[13] == "excused"
    with because("cancelled"):
        held.delete()
    journey.advance(at=noon)
    assert states(job)[13] == "missed"


def test_a_polled_miss_needs_a_complete_reading_after_the_deadline(start, noon):
    repository = make_tool("restic", at=start, settings={"repository": "/srv/repo"})
    first = snapshot(night(noon, 3))
    take_reading(repository, poll_answer(first), at=night(noon, 3) + 4 * HOUR)
    job = BackupRun.objects.get().job
    make_schedule(job, local_times="02:00", grace_s=3600)
    take_reading(repository, no_answer(), at=noon)
    journey.advance(at=noon)
    assert (states(job)[11], states(job)[12], states(job)[14]) == ("satisfied", "unconfirmed", "unconfirmed")
    take_reading(repository, poll_answer(first, snapshot(night(noon, 1))), at=noon + HOUR)
    journey.advance(at=noon + HOUR)
    assert (states(job)[12], states(job)[13], states(job)[14]) == ("missed", "satisfied", "missed")


def test_a_lost_mark_is_found_by_looking_at_everything(tool, job, noon):
    push(tool, run(tool, night(noon, 1)), at=noon)
    JobState.objects.update(touched_at=None, touched_from=None)
    journey.advance(at=noon)
    journey.look_at_everything(at=noon)
    journey.advance(at=noon)
    assert states(job)[13] == "satisfied"


def test_an_earlier_look_owes_nothing_from_before_the_watch(start, noon):
    tool = make_tool(at=noon)  # watched from noon on: people moved the start of watch on, or a replay looked earlier
    job = make_job(tool, "nightly", at=start, service=make_service("SVC-1", at=start, rpo_s=30 * 86_400))
    make_schedule(job, local_times="00:40,06:40,12:40,18:40", grace_s=3600)
    journey.advance(at=noon - 2 * DAY)
    push(tool, run(tool, noon + HOUR), at=noon + 2 * HOUR)
    journey.advance(at=noon + 2 * HOUR)
    first = ExpectedRun.objects.filter(job=job).earliest("due_at")
    assert (first.due_at, first.state) == (noon.replace(minute=40), "satisfied")
