"""Copies over time, runs, days and jobs of one service."""

import datetime as dt
import re

import pytest

from catalogue.models import ServiceVersion
from itsm_backup.portal import proof
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.proof import age_steps
from monitoring import wording
from monitoring.keeping import Wanted, kept_of
from monitoring.models import JobSchedule, RestorePoint, ServiceDay
from monitoring.restorable import Copy
from monitoring.trending import months_of
from tests.factories import push, run_record
from tests.portal.makers import HOUR

NOON = dt.datetime(2026, 7, 14, 12, 0, tzinfo=dt.UTC)


def at(hours_ago: float) -> dt.datetime:
    return NOON - hours_ago * HOUR


def steps(copies: dict[int, list[Copy]]) -> list[tuple[float, float | None]]:
    """(hours ago, hours ago of the capture)."""
    found = age_steps(copies, start=at(48), end=NOON)
    return [((NOON - step.at) / HOUR, (NOON - step.captured_at) / HOUR if step.captured_at else None) for step in found]


def test_a_copy_counts_from_when_it_could_be_restored():
    assert steps({1: [Copy(at(60), at(59), None), Copy(at(10), at(9), None)]}) == [(48, 60), (9, 10)]


def test_a_copy_that_ends_gives_way_to_the_one_before():
    assert steps({1: [Copy(at(60), at(59), None), Copy(at(10), at(9), at(5))]}) == [(48, 60), (9, 10), (5, 60)]


def test_the_worst_item_decides():
    two = {1: [Copy(at(20), at(20), None), Copy(at(2), at(2), None)], 2: [Copy(at(60), at(60), None), Copy(at(6), at(6), None)]}
    assert steps(two) == [(48, None), (20, 60), (6, 20), (2, 6)]


def test_an_item_without_any_copy_leaves_a_gap():
    assert steps({1: [Copy(at(60), at(60), None)], 2: []}) == [(48, None)]
    assert steps({}) == [(48, None)]


def saws(estate, runs=(), moment=None):
    """As the page of the service draws them."""
    moment = moment or estate.moment
    version = ServiceVersion.objects.in_force(moment.at).get(service=estate.imaging)
    kept = kept_of(version=version, wanted=Wanted(), start=proof.begins_at(moment), at=moment.at, known_at=moment.at)
    return proof.saws(copies=kept.copies, promised_s=4 * 3600, runs=runs, moment=moment)


@pytest.mark.django_db
def test_the_saw_tells_how_far_the_copy_is_over(estate):
    runs = proof.runs_of(service_id=estate.imaging.pk, moment=estate.moment)
    wide, narrow = saws(estate, runs)
    assert wide.sentence.startswith("The newest restorable copy is 5 h old, 1 h over the promise of 4 h")
    assert [row[1] for row in wide.rows][-2:] == ["failed", "failed"]
    assert len(narrow.rows) < len(wide.rows)


@pytest.mark.django_db
def test_a_point_found_invalid_does_not_rewrite_what_was(estate):
    newest = RestorePoint.objects.filter(item__service=estate.imaging).order_by("-captured_at").first()
    newest.invalid_from = estate.at - HOUR
    newest.save()
    wide, _ = saws(estate)
    assert wide.sentence.startswith("The newest restorable copy is 7 h old")
    then = Moment(at=estate.at - 2 * HOUR, now=estate.at)
    wide, _ = saws(estate, moment=then)
    assert wide.sentence.startswith("The newest restorable copy is 3 h old")


@pytest.mark.django_db
def test_a_corrected_run_shows_in_the_past_what_was_known_then(estate):
    corrected = run_record("pacs-2h", "success", estate.at - HOUR, minutes=2, source_revision="2")
    push(estate.tool, corrected | {"consistent_at": (estate.at - HOUR).isoformat()}, at=estate.at + HOUR)
    later = Moment(at=estate.at + 2 * HOUR, now=estate.at + 2 * HOUR)
    assert proof.runs_of(service_id=estate.imaging.pk, moment=later)[0].outcome == "success"
    then = Moment(at=estate.at, now=estate.at + 2 * HOUR)
    assert proof.runs_of(service_id=estate.imaging.pk, moment=then)[0].outcome == "failed"


@pytest.mark.django_db
def test_the_newest_runs_and_those_of_the_chart_are_read_and_no_more(estate):
    def found(newest, moment=estate.moment):
        return [run.occurred_at for run in proof.runs_of(service_id=estate.imaging.pk, moment=moment, newest=newest)]

    here = found(None)
    old = [estate.at - days * 24 * HOUR for days in range(4, 30)]
    push(estate.tool, *(run_record("pacs-2h", "success", began, minutes=1) for began in old), at=estate.at)
    assert len(here) > 16 and found(16) == [*here, old[0], old[1]]  # of two days, and three more in which a long one may have begun
    assert found(len(here) + 10) == [*here, *old[:10]]
    assert found(1_000) == [*here, *old]
    then = Moment(at=estate.at - 20 * 24 * HOUR, now=estate.at)
    assert found(3, then) == []  # none was known by then


@pytest.mark.django_db
def test_a_run_learned_of_later_is_not_in_the_past(estate):
    late = Moment(at=estate.at - HOUR, now=estate.at)
    assert all(run.first_seen_at <= late.at for run in proof.runs_of(service_id=estate.imaging.pk, moment=late))
    assert proof.runs_of(service_id=estate.imaging.pk, moment=late)[0].occurred_at == estate.at - 3 * HOUR


@pytest.mark.django_db
def test_the_strip_marks_today_failed_leads_to_each_day_and_counts_the_good_ones(estate):
    version = ServiceVersion.objects.approved().get(service=estate.imaging)
    strip, note, months = proof.strip(version=version, moment=estate.moment)
    links = re.findall(r'<li><a class="day day--(\w+)" href="([^"]*)" aria-label="([^"]*)">', strip)
    assert len(links) == 31
    assert links[-1][:2] == ("failed", "/services/SVC-003/days/2026-07-14/") and links[-1][2].startswith("Tue 14 Jul: failed, ")
    assert links[0] == ("not_scheduled", "/services/SVC-003/days/2026-06-14/", "Sun 14 Jun: not scheduled")
    assert note == "One cell a day, the worst run counts. 2 of 3 counted days without a failed or missed run."
    assert months == months_of(version, estate.at) and len(months) == 13, "the months that came along are those of the objectives"
    until_today = ServiceDay.objects.filter(service=estate.imaging, day__lt=estate.at.date())
    assert months[-1].total == sum(row.good + row.failed + row.missed for row in until_today) > 0
    assert months[-1].good == sum(row.good for row in until_today)


@pytest.mark.django_db
def test_jobs_tell_when_they_are_due_and_how_the_latest_went(estate):
    (job,) = proof.job_rows(service_id=estate.imaging.pk, moment=estate.moment)
    assert (job.name, job.tool, job.verdict, job.latest) == ("pacs-2h", "Backup control", "broken", "Failed")
    assert job.schedule.startswith("Daily 12 times from ")


@pytest.mark.parametrize(
    ("rule", "times", "words"),
    [
        ("FREQ=DAILY", "01:30", "Daily 01:30 UTC, grace 1 h"),
        ("FREQ=WEEKLY", "01:30, 13:30", "Weekly 01:30, 13:30 UTC, grace 1 h"),
        ("FREQ=DAILY", "13:30,01:30", "Daily 01:30, 13:30 UTC, grace 1 h"),
        ("FREQ=DAILY", "15:00,09:00,03:00,21:00", "Daily 4 times from 03:00 UTC, grace 1 h"),
        ("FREQ=WEEKLY;BYDAY=SU", "02:00", "Weekly on Sun 02:00 UTC, grace 1 h"),
    ],
)
def test_a_schedule_in_words(rule, times, words):
    assert wording.schedule_words(JobSchedule(rrule=rule, local_times=times, zone="UTC", grace_s=3600)) == words
