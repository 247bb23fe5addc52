"""A job that keeps failing and recovering is told by one alert (method BM-FLAP), whatever came in which order."""

from __future__ import annotations

import datetime as dt
import random

import pytest

from catalogue.models import Service, Window
from incidents.models import Incident
from itsm_backup import journey
from itsm_backup.common.models import because
from monitoring import rehearsing_alerts, workflow
from monitoring.explaining import explain
from monitoring.models import Alert, Figure
from monitoring.recalculating import recalculate
from tests.factories import make_admin, make_job, make_schedule, make_service, make_tool, push, run_record

HOUR = dt.timedelta(hours=1)
pytestmark = pytest.mark.django_db
FLAPS = "GBGBG" + "BGB" + "G" * 9  # begins with the fifth, ends when fewer than two changes are among ten


@pytest.fixture
def start(noon):
    return noon - dt.timedelta(days=4)


@pytest.fixture
def tool(start):
    return make_tool(at=start)


@pytest.fixture
def job(tool, start):
    return make_job(tool, "nightly", at=start, service=make_service("SVC-1", at=start, rpo_s=30 * 86_400))


def at_of(place, start):
    return start + (place + 1) * 3 * HOUR


def records(outcomes, start):
    told = {"G": "success", "B": "failed"}
    return [run_record("nightly", told[one], at_of(place, start), minutes=0) for place, one in enumerate(outcomes)]


def alerts():
    rows = Alert.objects.order_by("opened_at", "pk")
    return [(row.alert_class, row.occurrences, row.opened_at, row.resolved_at) for row in rows]


def in_order(start):
    return [
        ("job_failed", 1, at_of(1, start), at_of(2, start)),
        ("job_failed", 1, at_of(3, start), at_of(4, start)),
        ("job_flapping", 4, at_of(4, start), at_of(16, start)),
    ]


@pytest.mark.req("2.4")
def test_one_alert_takes_the_place_of_one_for_each_failure(tool, job, start, noon):
    for place, record in enumerate(records(FLAPS, start)):
        push(tool, record, at=at_of(place, start))
        journey.advance(at=at_of(place, start))
    assert alerts() == in_order(start)
    digest = Alert.objects.get(alert_class="job_flapping")
    assert digest.title == "nightly keeps failing and recovering" and digest.severity == "error" and len(digest.run_ids) == 4
    assert Incident.objects.count() == 1


@pytest.mark.parametrize("seed", range(6))
def test_it_is_the_same_whatever_the_order_of_arrival(tool, job, start, noon, seed):
    some = records(FLAPS, start)
    random.Random(seed).shuffle(some)
    for record in some:
        push(tool, record, at=noon)
        journey.advance(at=noon)
    wanted = in_order(start)
    assert [row for row in alerts() if row in wanted] == wanted
    assert all(row[3] for row in alerts())


def test_it_is_the_same_when_somebody_came_by_only_once(tool, job, start, noon):
    push(tool, *records(FLAPS, start), at=noon)
    journey.advance(at=noon)
    assert alerts() == in_order(start)


def test_one_that_fails_for_good_is_told_as_failing_once_it_flaps_no_more(tool, job, start, noon):
    push(tool, *records("GBGB" + "B" * 12, start), at=noon)
    journey.advance(at=noon)
    assert [kind for kind, *_ in alerts()] == ["job_failed", "job_failed"], "three changes are not enough"
    push(tool, *records("GBGBG" + "B" * 12, start)[4:], at=noon)
    journey.advance(at=noon)
    open_ones = Alert.objects.open()
    assert [alert.alert_class for alert in open_ones] == ["job_failed"]
    ended = Alert.objects.get(alert_class="job_flapping")
    assert ended.resolved_at == open_ones[0].opened_at


def test_the_count_is_kept_as_a_figure_and_told_where_it_is_explained(tool, job, start, noon):
    push(tool, *records(FLAPS[:7], start), at=noon)
    journey.advance(at=noon)
    digest = Alert.objects.select_related("figure", "evaluation").get(alert_class="job_flapping")
    assert digest.figure.method_id == "BM-FLAP" and digest.figure.value[-1]["flapping"] is True
    assert recalculate(digest.figure)["agrees"]
    told = explain(digest.evaluation, alert=digest)
    assert told.methods == ["BM-FLAP version 1"]
    assert "4 changes / (10 − 1) = 0.444; flapping begins at 0.4 and ends below 0.2" in told.arithmetic
    assert "good bad good bad good" in told.arithmetic[0]
    assert told.rule.text.startswith("A job flaps from a share of 0.4") and told.rule.text.endswith("below 0.2.")
    push(tool, *records(FLAPS, start)[7:], at=noon)
    journey.advance(at=noon)
    digest.refresh_from_db()
    assert digest.figure.value[-1]["flapping"] is False and Figure.objects.filter(method_id="BM-FLAP").count() >= 2


def test_other_thresholds_are_tried_on_past_days_and_change_nothing(tool, job, start, noon):
    push(tool, *records(FLAPS, start), at=noon)
    journey.advance(at=noon)
    before = list(Alert.objects.order_by("pk").values())
    stricter = workflow.flapping(workflow.drafted({"flap_start_ratio": "0.9"}))
    tried = rehearsing_alerts.rehearse(
        services=Service.objects.all(), thresholds=workflow.flapping(workflow.current()), others=stricter, since=start, until=noon
    )
    assert (tried.flapping("before"), tried.flapping("after")) == (1, 0)
    assert (tried.alerts("before"), tried.alerts("after")) == (3, 4)
    assert tried.before[0].flapped == [(at_of(4, start), at_of(16, start))]
    assert list(Alert.objects.order_by("pk").values()) == before


def test_what_failed_in_maintenance_and_was_well_at_its_end_is_no_change(tool, job, start, noon):
    with because("work"):
        Window.objects.create(
            service=Service.objects.get(), starts_at=start + 2 * HOUR, ends_at=start + 16 * HOUR, purpose="work", decided_at=start,
            decided_by=make_admin(),
        )  # fmt: skip
    push(tool, *records("GBGBG", start), at=noon)
    journey.advance(at=noon)
    assert alerts() == []


def test_an_occurrence_that_was_made_good_late_is_good(tool, start, noon):
    """Two late nights and a failure in ten are no flapping: each night counts once."""
    job = make_job(tool, "nightly", at=start, service=make_service("SVC-2", at=start, rpo_s=30 * 86_400))
    make_schedule(job, local_times="00:00,06:00,12:00,18:00", zone="UTC", grace_s=3600)
    late = {2: 2, 5: 2}
    for place in range(9):
        due = start + (place + 1) * 6 * HOUR
        begun = due + late.get(place, 0) * HOUR
        if place in late:
            journey.advance(at=due + HOUR * 3 / 2)
        push(tool, run_record("nightly", "failed" if place == 7 else "success", begun, minutes=0), at=begun)
        journey.advance(at=begun)
    assert Alert.objects.filter(alert_class="job_missed").count() == 1 + len(late), "nobody came to the first of all"
    assert not Alert.objects.filter(alert_class="job_flapping").exists()
