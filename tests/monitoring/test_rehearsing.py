"""Thresholds tried on past days do what they would have done, and change nothing."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import IntegrityError, connection, transaction

from catalogue.models import Service, ServiceStatus
from catalogue.refusing import NotAllowed, NotReady
from itsm_backup import journey
from monitoring import rehearsing, workflow
from monitoring.models import Evaluation, StatusWorkflow
from tests.catalogue.makers import make_user
from tests.factories import make_job, make_schedule, make_service, make_tool, push, run_record

pytestmark = pytest.mark.django_db
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


@pytest.fixture
def flapping(noon):
    """Tier 1, nightly, 26 h: it failed the last two nights, and its copy grew too old."""
    start = noon - 5 * DAY
    service = make_service("PACS", at=start, rpo_s=26 * 3600, tier=1)
    tool = make_tool(at=start)
    job = make_job(tool, "nightly", at=start, service=service)
    make_schedule(job, local_times="10:00", grace_s=3600)
    for day, outcome in enumerate(("success", "success", "success", "failed", "failed")):
        begin = start + day * DAY - 2 * HOUR + DAY
        push(tool, run_record("nightly", outcome, begin), at=begin + HOUR / 2)
        for hours in range(1, 21) if day > 2 else (1, 2, 4, 12, 20):  # the last two days are watched, hour by hour
            journey.advance(at=begin + hours * HOUR)
    return service


def tried(noon, **changed):
    draft = workflow.drafted(changed)
    return rehearsing.rehearse(
        services=Service.objects.all(), thresholds=workflow.thresholds(draft), since=noon - 4 * DAY, until=noon + 20 * HOUR
    )  # fmt: skip


def test_the_thresholds_in_force_give_what_happened(flapping, noon):
    found = tried(noon)
    (course,) = found.courses
    assert found.evaluations > 5 and not course.differs
    assert course.before[-1][1] == ServiceStatus.objects.get().status != "operational"
    assert sum(course.seconds(course.before).values()) == (course.until - course.before[0][0]).total_seconds()


def test_a_later_outage_keeps_it_degraded_for_longer(flapping, noon):
    (course,) = tried(noon, outage_factor_tier_1="99").courses
    assert course.differs and "outage" in dict(map(reversed, course.before)) and "outage" not in dict(map(reversed, course.after))
    before, after = course.seconds(course.before), course.seconds(course.after)
    assert after["degraded"] == pytest.approx(before["degraded"] + before["outage"])


def test_time_alone_brings_a_step_that_no_judgement_of_that_time_saw(flapping, noon):
    (course,) = tried(noon, at_risk_fraction="0.5", fall_after="1").courses
    kept = set(Evaluation.objects.values_list("at", flat=True))
    assert course.differs and any(at not in kept for at, _ in course.after[1:])


def test_where_nobody_looked_the_last_status_stands(flapping, noon):
    found = tried(noon, at_risk_fraction="0.5", fall_after="1")
    assert found.unwatched > 0, "in the first days nobody looked when its time came"
    quiet = Evaluation.objects.filter(at__lt=noon - 2 * DAY).values_list("at", flat=True)
    steps = [at for at, _ in found.courses[0].after if noon - 4 * DAY < at < noon - 2 * DAY]
    assert set(steps) <= set(quiet)


def test_nothing_is_changed_by_it(flapping, noon):
    before = list(Evaluation.objects.order_by("pk").values()), StatusWorkflow.history.count()
    tried(noon, fall_after="1")
    assert (list(Evaluation.objects.order_by("pk").values()), StatusWorkflow.history.count()) == before
    assert workflow.current().fall_after == 2


def test_too_much_to_read_is_cut_at_its_old_end_and_said(flapping, noon, monkeypatch):
    monkeypatch.setattr(rehearsing, "MOST_EVALUATIONS", 3)
    found = tried(noon)
    assert found.evaluations == 3 and found.since > noon - 4 * DAY
    assert found.courses[0].before[0][0] == found.since and not found.courses[0].differs


def test_they_are_put_in_force_by_who_may_with_a_reason(flapping, noon):
    mona = make_user("mona", "monitoring.view_statusworkflow", "monitoring.change_statusworkflow")
    said = {"values": {"outage_factor_tier_1": "99"}, "at": noon + 20 * HOUR}
    with pytest.raises(NotAllowed, match="monitoring administrators do"):
        workflow.put_in_force(**said, by=make_user("reader", "monitoring.view_statusworkflow"), reason="x")
    with pytest.raises(NotReady, match="Say why"):
        workflow.put_in_force(**said, by=mona, reason="")
    workflow.put_in_force(**said, by=mona, reason="Radiology can wait")
    journey.advance(at=noon + 21 * HOUR)
    assert ServiceStatus.objects.get().status == "degraded"
    assert StatusWorkflow.history.latest("history_id").history_change_reason == "Radiology can wait"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"at_risk_fraction": "0"}, "at most 1"),
        ({"outage_factor_tier_2": "0.5"}, "every factor is 1 or more"),
        ({"rise_after": "0"}, "one occurrence at least"),
        ({"fall_after": "two"}, "Falls after: write a whole number, such as 3. “two” is none"),
        ({"at_risk_fraction": "50"}, "At risk from: write a share from 0 to 1 .* such as 0.9 for 90%. “50” is none"),
        ({"flap_stop_ratio": ""}, "It is empty"),
        ({"outage_factor_tier_1": "2.555"}, "write a number of times the recovery point"),
    ],
)
def test_thresholds_that_make_no_sense_are_refused(changed, told):
    with pytest.raises(NotReady, match=told):
        workflow.drafted(changed)


def test_the_database_refuses_an_outage_within_the_promise():
    workflow.current()
    with pytest.raises(IntegrityError, match="workflow_outage_beyond_promise"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE monitoring_statusworkflow SET outage_factor_tier_1 = 0.5")
