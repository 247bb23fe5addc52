"""Alerts follow facts by their own times: late, corrected, repeated and interrupted news end in the same alerts."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalogue.models import Window
from itsm_backup import journey
from itsm_backup.common.models import because
from monitoring import alerting, evaluation
from monitoring.models import Alert, BackupJob, CauseRule, ExpectedRun, JobState
from tests.factories import make_admin, make_job, make_rule, make_schedule, make_service, make_tool, push, run_record
from tests.incidents.many import make_many

HOUR, MINUTE = dt.timedelta(hours=1), dt.timedelta(minutes=1)
pytestmark = pytest.mark.django_db


@pytest.fixture
def start(noon):
    return noon - dt.timedelta(days=2)


@pytest.fixture
def service(start):
    return make_service("SVC-1", at=start, rpo_s=30 * 86_400)


@pytest.fixture
def tool(start):
    return make_tool(at=start)


@pytest.fixture
def job(tool, service, start):
    return make_job(tool, "nightly", at=start, service=service)


def told(**which) -> list[tuple]:
    rows = Alert.objects.filter(**which).order_by("opened_at", "alert_class")
    return [(row.alert_class, row.state, row.occurrences, row.reopened, row.opened_at, row.resolved_at) for row in rows]


def bad(at, **more):
    return run_record("nightly", "failed", at, minutes=0, **more)


def good(at, **more):
    return run_record("nightly", "success", at, minutes=0, **more)


def test_it_counts_failures_of_one_condition_in_one_alert(tool, job, noon):
    for hours in (6, 4, 2):
        push(tool, bad(noon - hours * HOUR), at=noon)
    journey.advance(at=noon)
    assert told() == [("job_failed", "firing", 3, 0, noon - 6 * HOUR, None)]
    assert Alert.objects.get().severity == "error"


def test_it_warns_at_the_first_failure_and_calls_the_second_an_error(tool, job, noon):
    push(tool, bad(noon - 4 * HOUR), at=noon)
    journey.advance(at=noon)
    assert Alert.objects.get().severity == "warning"
    push(tool, bad(noon - 2 * HOUR), at=noon)
    journey.advance(at=noon)
    assert Alert.objects.get().severity == "error"


def test_it_clears_at_the_end_of_the_good_run_not_when_the_journey_came_by(tool, job, noon):
    push(tool, bad(noon - 6 * HOUR), good(noon - 4 * HOUR), at=noon)
    journey.advance(at=noon)
    assert told() == [("job_failed", "resolved", 1, 0, noon - 6 * HOUR, noon - 4 * HOUR)]


def test_it_reopens_within_the_hour_and_opens_anew_later(tool, job, noon):
    push(tool, bad(noon - 300 * MINUTE), good(noon - 240 * MINUTE), bad(noon - 180 * MINUTE), at=noon)
    journey.advance(at=noon)
    assert [(count, again) for _, _, count, again, _, _ in told()] == [(2, 1)]
    push(tool, good(noon - 120 * MINUTE), bad(noon - 59 * MINUTE), at=noon)
    journey.advance(at=noon)
    assert [(kind, count, again) for kind, _, count, again, _, _ in told()] == [("job_failed", 2, 1), ("job_flapping", 3, 0)]


def test_it_opens_anew_after_the_hour(tool, job, noon):
    push(tool, bad(noon - 240 * MINUTE), good(noon - 120 * MINUTE), bad(noon - 59 * MINUTE), at=noon)
    journey.advance(at=noon)
    assert [(count, again) for _, _, count, again, _, _ in told()] == [(1, 0), (1, 0)]


RUNS = [("failed", 30), ("failed", 28), ("success", 26), ("failed", 20), ("success", 12), ("failed", 8), ("failed", 6)]


def _records(noon):
    return [run_record("nightly", outcome, noon - hours * HOUR, minutes=0) for outcome, hours in RUNS]


@pytest.mark.parametrize("order", [*itertools.islice(itertools.permutations(range(7)), 5, 5040, 631)])
def test_it_ends_the_same_whatever_the_order_of_arrival(tool, job, noon, order):
    records = _records(noon)
    for place in order:
        push(tool, records[place], at=noon)
        journey.advance(at=noon)
    in_order = [
        ("job_failed", "resolved", 2, 0, noon - 30 * HOUR, noon - 26 * HOUR),
        ("job_failed", "resolved", 1, 0, noon - 20 * HOUR, noon - 12 * HOUR),
        ("job_flapping", "firing", 5, 0, noon - 8 * HOUR, None),  # the fourth change among the latest ten
    ]
    assert [row for row in told() if row in in_order] == in_order
    assert all(row[1] == "resolved" for row in told() if row not in in_order)


def test_it_ends_the_same_when_the_journey_came_by_only_once(tool, job, noon):
    push(tool, *_records(noon), at=noon)
    journey.advance(at=noon)
    assert [(state, count) for _, state, count, _, _, _ in told()] == [("resolved", 2), ("resolved", 1), ("firing", 5)]


def test_it_clears_a_miss_when_the_run_was_only_told_late(tool, job, noon):
    make_schedule(job, local_times="02:00", grace_s=3600)
    two = noon.replace(hour=2)
    push(tool, good(two - dt.timedelta(days=1)), at=two - dt.timedelta(hours=20))
    journey.advance(at=noon)
    assert [row[:3] for row in told(state="firing")] == [("job_missed", "firing", 1)]
    push(tool, good(two), at=noon + MINUTE)
    journey.advance(at=noon + MINUTE)
    assert [row[:2] for row in told()] == [("job_missed", "resolved")]
    assert ExpectedRun.objects.get(job=job, due_at=two).state == "satisfied"


def test_it_tells_a_miss_even_when_somebody_came_after_the_deadline(tool, job, noon):
    """The same whether or not the journey came by between the deadline and the late run."""
    make_schedule(job, local_times="02:00", grace_s=3600)
    two = noon.replace(hour=2)
    push(tool, good(two - dt.timedelta(days=1)), good(two + 5 * HOUR), at=noon)
    journey.advance(at=noon)
    assert told() == [("job_missed", "resolved", 1, 0, two + HOUR, two + 5 * HOUR)]


def test_it_follows_a_correction_of_a_run_that_was_already_told(tool, job, noon):
    push(tool, bad(noon - 6 * HOUR, source_revision="1"), at=noon)
    journey.advance(at=noon)
    corrected = {**good(noon - 6 * HOUR), "source_revision": "2"}
    push(tool, corrected, at=noon)
    journey.advance(at=noon)
    assert [row[:2] for row in told()] == [("job_failed", "resolved")]
    push(tool, {**bad(noon - 6 * HOUR), "source_revision": "3"}, at=noon)
    journey.advance(at=noon)
    assert [row[1] for row in told()].count("firing") == 1


def test_it_tells_of_a_run_whose_clock_is_ahead_when_its_time_has_come(tool, job, noon):
    push(tool, bad(noon + 2 * MINUTE), at=noon)
    journey.advance(at=noon)
    assert told() == []
    journey.advance(at=noon + 3 * MINUTE)
    assert [row[:3] for row in told()] == [("job_failed", "firing", 1)]


def test_it_says_nothing_of_what_was_before_the_watch_began(service, noon):
    tool = make_tool(at=noon)
    job = make_job(tool, "nightly", at=noon, service=service)
    make_schedule(job, local_times="02:00")
    push(tool, *[bad(noon - days * dt.timedelta(days=1)) for days in range(1, 20)], at=noon)
    journey.advance(at=noon)
    assert told() == []


def test_it_keeps_what_a_person_acknowledged_while_it_goes_on(tool, job, noon):
    push(tool, bad(noon - 6 * HOUR), at=noon)
    journey.advance(at=noon)
    Alert.objects.update(state="acknowledged", acknowledged_at=noon)
    push(tool, bad(noon - 2 * HOUR), bad(noon - 8 * HOUR), at=noon)
    journey.advance(at=noon)
    assert told() == [("job_failed", "acknowledged", 3, 0, noon - 8 * HOUR, None)]


def test_it_moves_on_with_the_job_to_another_service(tool, job, service, start, noon):
    push(tool, good(noon - 8 * HOUR), bad(noon - 6 * HOUR), at=noon)
    journey.advance(at=noon)
    other = make_service("SVC-2", at=start, rpo_s=30 * 86_400)
    with because("moved"):
        for rule in service.attribution_rules.all():
            rule.enabled = False
            rule.save()
    make_rule(other, tool, "nightly", at=start)
    journey.advance(at=noon)
    assert [row[:2] for row in told(service=service)] == [("job_failed", "resolved")]
    assert told(service=other) == [("job_failed", "firing", 1, 0, noon - 6 * HOUR, None)]


def test_it_does_not_tell_the_new_service_what_was_over(tool, job, service, start, noon):
    push(tool, bad(noon - 9 * HOUR), bad(noon - 8 * HOUR), good(noon - 6 * HOUR), at=noon)
    journey.advance(at=noon)
    other = make_service("SVC-2", at=start, rpo_s=30 * 86_400)
    with because("moved"):
        for rule in service.attribution_rules.all():
            rule.enabled = False
            rule.save()
    make_rule(other, tool, "nightly", at=start)
    journey.advance(at=noon)
    push(tool, bad(noon - 7 * HOUR), at=noon)
    journey.advance(at=noon)
    assert told(service=other) == []


@pytest.fixture
def window(service, noon):
    with because("work"):
        return Window.objects.create(
            service=service, starts_at=noon - 4 * HOUR, ends_at=noon, purpose="work", decided_at=noon - 9 * HOUR, decided_by=make_admin()
        )


def test_it_is_silent_in_maintenance_and_speaks_at_its_end_if_it_still_fails(tool, job, window, noon):
    push(tool, bad(noon - 3 * HOUR), bad(noon - 2 * HOUR), at=noon - 2 * HOUR)
    journey.advance(at=noon - HOUR)
    assert told() == []
    journey.advance(at=noon + MINUTE)
    assert told() == [("job_failed", "firing", 1, 0, noon, None)]


def test_it_never_speaks_of_what_a_good_run_ended_in_maintenance(tool, job, window, noon):
    push(tool, bad(noon - 3 * HOUR), good(noon - HOUR), at=noon)
    journey.advance(at=noon + MINUTE)
    assert told() == []


def test_it_says_the_same_of_maintenance_when_the_journey_came_late(tool, job, window, noon):
    push(tool, bad(noon - 3 * HOUR), bad(noon + HOUR), good(noon + 3 * HOUR), at=noon + 3 * HOUR)
    journey.advance(at=noon + 3 * HOUR)
    assert told() == [("job_failed", "resolved", 2, 0, noon, noon + 3 * HOUR)]


def test_it_takes_the_cause_from_the_message_and_keeps_it(tool, job, noon):
    with because("test"):
        CauseRule.objects.create(name="full-disk", title="the storage is full", pattern="no space left", component="tool")
    push(tool, bad(noon - 6 * HOUR, native_message="write: No space left on device"), bad(noon - 4 * HOUR), at=noon)
    journey.advance(at=noon)
    alert = Alert.objects.get()
    assert (alert.cause, alert.cause_key, alert.cause_is_specific) == ("full-disk", f"tool:{tool.pk}", True)


def test_it_has_one_silence_for_a_tool_and_none_for_its_services(noon):
    tool = make_tool("restic", at=noon - 4 * HOUR, settings={"repository": "/r"}, poll_interval_s=900)
    for number in range(3):
        make_job(tool, f"job-{number}", at=noon, service=make_service(at=noon - 9 * HOUR))
    journey.advance(at=noon)
    assert [row[:3] for row in told()] == [("source_stale", "firing", 1)]


def test_it_gives_an_rpo_breach_its_priority_at_once(tool, job, start, noon):
    hurt = make_service("SVC-9", at=start, rpo_s=3600, tier=1)
    make_job(tool, "weekly", at=start, service=hurt)
    journey.advance(at=noon)
    assert Alert.objects.get(service=hurt, alert_class="rpo_breach").priority == "P1"


def test_it_clears_the_breach_of_one_item_while_another_is_still_broken(tool, start, noon):
    hurt = make_service("SVC-9", at=start, rpo_s=3600)
    for name in ("one", "two"):
        make_job(tool, name, at=start, service=hurt)
    journey.advance(at=noon)
    assert Alert.objects.open().filter(alert_class="rpo_breach").count() == 2
    push(tool, run_record("one", "success", noon - 20 * MINUTE), at=noon)
    journey.advance(at=noon)
    assert list(Alert.objects.open().filter(alert_class="rpo_breach").values_list("job__name", flat=True)) == ["two"]


def test_it_keeps_a_breach_that_it_can_no_longer_see(start, noon):
    hurt = make_service("SVC-9", at=start, rpo_s=3600)
    silent = make_tool("restic", at=start, settings={"repository": "/r"}, poll_interval_s=900)
    seen = make_tool(at=start)
    make_job(silent, "dark", at=start, service=hurt)
    make_job(seen, "lit", at=start, service=hurt)
    silent.state.latest_complete_at = start
    silent.state.save()
    journey.advance(at=start + 2 * HOUR)
    kept = Alert.objects.open().filter(alert_class="rpo_breach", job__name="dark").count()
    push(seen, run_record("lit", "success", noon - 20 * MINUTE), at=noon)
    journey.advance(at=noon)
    assert Alert.objects.open().filter(alert_class="rpo_breach", job__name="dark").count() == kept


def test_it_gives_every_alert_the_judgement_that_stands_behind_it(tool, job, noon):
    push(tool, bad(noon - 6 * HOUR), bad(noon - 5 * HOUR), good(noon - 4 * HOUR), at=noon)
    journey.advance(at=noon)
    assert Alert.objects.get().evaluation is not None


def test_it_writes_nothing_when_nothing_happened(tool, job, noon):
    push(tool, bad(noon - 6 * HOUR), at=noon)
    journey.advance(at=noon)
    before = list(Alert.objects.values())
    JobState.objects.update(touched_at=noon)
    journey.advance(at=noon)
    assert list(Alert.objects.values()) == before
    assert BackupJob.objects.count() == 1


def test_many_breaches_at_once_are_followed_in_as_many_questions_as_one(noon):
    """Forty services that break their recovery point in one moment."""
    make_many(noon - dt.timedelta(days=32), 40)
    assert evaluation.judge_services(at=noon) == 40
    with CaptureQueriesContext(connection) as asked:
        assert alerting.follow_services(at=noon) == 40
    breaches = Alert.objects.filter(alert_class="rpo_breach")
    assert breaches.count() == 40 and set(breaches.values_list("state", "occurrences", "priority")) == {("firing", 1, "P2")}
    assert len(set(breaches.values_list("cause_key", flat=True))) == 40 and breaches.filter(evaluation=None).count() == 0
    assert len(asked) < 40, "not one walk for each"
    assert alerting.follow_services(at=noon) == 0
