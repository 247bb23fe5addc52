"""Unusual volumes and durations: found by weekday, told as unusual and nothing more, over when the next day is usual."""

from __future__ import annotations

import datetime as dt
import io
import json

import pytest
from django.core.management import call_command

from itsm_backup import journey
from itsm_backup.common.models import because
from monitoring import unusual
from monitoring.explaining import explain
from monitoring.models import Alert, Figure, JobDay
from monitoring.recalculating import recalculate
from tests.factories import make_job, make_schedule, make_service, make_tool, push, run_record

pytestmark = [pytest.mark.django_db, pytest.mark.req("3.1")]
DAY = dt.timedelta(days=1)
GB = 1_000_000_000
START = dt.datetime(2026, 6, 1, 1, 30, tzinfo=dt.UTC)  # a Monday


@pytest.fixture
def job(db):
    tool = make_tool(at=START - DAY)
    job = make_job(tool, "nightly", at=START - DAY, service=make_service(at=START - DAY, rpo_s=26 * 3600, success_rate="0.9"))
    make_schedule(job, local_times="01:30", grace_s=3600)
    journey.advance(at=START - DAY / 2)
    job.refresh_from_db()
    return job


def night(job, number, size, *, minutes=10.0):
    """The run of one night, read when it ended."""
    started_at = START + number * DAY
    at = started_at + dt.timedelta(hours=1)
    push(job.tool, run_record(job.external_id, "success", started_at, minutes=minutes, bytes_source=size), at=at)
    journey.advance(at=at)
    return at


def usual(number):
    """50 GB a night, 120 GB at weekends, never quite the same."""
    return round((120 if number % 7 in (5, 6) else 50) * GB * (1 + (number * 7 % 5 - 2) / 100))


def history(job, nights):
    started = [START + n * DAY for n in range(nights)]
    push(
        job.tool,
        *(run_record(job.external_id, "success", at, bytes_source=usual(n)) for n, at in enumerate(started)),
        at=started[-1] + DAY / 24,
    )
    journey.advance(at=started[-1] + DAY / 24)


def test_a_small_saturday_is_unusual_and_a_weekly_full_backup_is_not(job):
    history(job, 40)
    assert not Alert.objects.filter(alert_class="volume_anomaly").exists(), "weekends are as large as every weekend"
    night(job, 40, 52 * GB)  # a Saturday
    alert = Alert.objects.get(alert_class="volume_anomaly")
    assert alert.title == "nightly is unusual: 52.0 GB on a Saturday, usually 120 GB"
    assert (alert.state, alert.severity, alert.service_id) == ("firing", "warning", job.service_id)
    assert "ransom" not in alert.title.lower()
    row = JobDay.objects.get(job=job, day=(START + 40 * DAY).date())
    assert row.volume_unusual and not row.duration_unusual and alert.run_ids == [row.largest_run]
    night(job, 41, usual(41))
    alert.refresh_from_db()
    assert alert.state == "resolved"


def test_the_explanation_does_the_sum_and_the_figure_comes_out_again_years_later(job):
    history(job, 40)
    night(job, 40, 52 * GB)
    alert = Alert.objects.get(alert_class="volume_anomaly")
    told = explain(alert.evaluation, alert=alert)
    assert told.methods == ["BM-ANO-WD version 1"] and any("robust score -" in line for line in told.arithmetic)
    figure = Figure.objects.get(method_id="BM-ANO-WD")
    assert figure.service_id == job.service_id and figure.version_id and recalculate(figure)["agrees"]
    out = io.StringIO()
    call_command("explain", "figure", str(figure.pk), "--again", "--json", stdout=out)
    assert json.loads(out.getvalue())["again"]["agrees"]
    figure.inputs["value"] = 1.0
    assert not recalculate(figure)["agrees"], "inputs that were touched are found"


def test_a_backup_that_takes_much_longer_is_unusual(job):
    history(job, 40)
    night(job, 40, usual(40), minutes=45)
    assert [alert.alert_class for alert in Alert.objects.open()] == ["duration_anomaly"]
    assert Alert.objects.open().get().title == "nightly is unusual: took 45 min on a Saturday, usually 10 min"


def test_the_shrunken_days_of_a_laboratory_are_found_though_some_weekdays_are_hardly_known(job):
    """Thirty nights as the laboratories make them: 160 kB that grow to 180, then three days on which 8 kB are left."""
    for number in range(27):
        night(job, number, 160_000 + 5_000 * min(number + 1, 4))
    assert not Alert.objects.filter(alert_class="volume_anomaly").exists()
    for number in range(27, 30):
        night(job, number, 8_000)
    assert list(JobDay.objects.filter(volume_unusual=True).order_by("day").values_list("day", flat=True)) == [
        (START + n * DAY).date() for n in range(27, 30)
    ]
    alert = Alert.objects.get(alert_class="volume_anomaly")
    assert (alert.occurrences, len(alert.run_ids), alert.state) == (3, 3, "firing"), "one alert, three days"


def test_what_was_unusual_before_the_tool_was_watched_is_counted_and_not_alerted(job):
    with because("test"):
        job.tool.monitored_from = START + 60 * DAY
        job.tool.save()
    history(job, 40)
    night(job, 40, 1 * GB)
    assert JobDay.objects.filter(volume_unusual=True).count() == 1
    assert not Alert.objects.filter(alert_class="volume_anomaly").exists()


def test_a_day_is_compared_only_when_as_much_came_as_usual(job):
    """Of a day with several runs the largest counts, and in the morning it may be still to come."""
    for number in range(35):
        at = START + number * DAY
        push(
            job.tool,
            run_record(job.external_id, "success", at, bytes_source=GB),
            run_record(job.external_id, "success", at + DAY / 2, bytes_source=50 * GB),
            at=at + DAY * 0.6,
        )
    journey.advance(at=START + 34 * DAY + DAY * 0.6)
    night(job, 35, GB)
    row = JobDay.objects.get(job=job, day=(START + 35 * DAY).date())
    assert not row.judged and not Alert.objects.filter(alert_class="volume_anomaly").exists()
    night(job, 36, GB)
    row.refresh_from_db()
    assert row.judged and row.volume_unusual, "the day is over, and the large run never came"


def test_a_late_correction_counts_whole_days_again(job):
    history(job, 40)
    night(job, 40, 52 * GB)
    started_at = START + 40 * DAY
    push(job.tool, run_record(job.external_id, "failed", started_at, bytes_source=52 * GB, source_revision="2"), at=started_at + DAY / 12)
    journey.advance(at=started_at + DAY / 12)
    assert not JobDay.objects.filter(job=job, day=started_at.date()).exists()
    assert Alert.objects.get(alert_class="volume_anomaly").state == "resolved", "no unusual day is left to tell of"


def test_too_few_days_say_nothing(job):
    assert unusual.compare(on=START.date(), value=1.0, history=[(START.date() - n * DAY, 100.0) for n in range(1, 10)], effect=1.25) is None
    history(job, 10)
    night(job, 10, 1_000)
    assert not JobDay.objects.filter(volume_unusual=True).exists()
