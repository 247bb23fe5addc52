"""Only evidence ends an incident: all alerts over, a good copy newer than the opening, and none older than the promise."""

from __future__ import annotations

import datetime as dt

import pytest

from catalogue.models import Service
from incidents import working
from incidents.models import Incident
from itsm_backup import journey
from itsm_backup.common.models import Notice, because
from monitoring.models import Alert
from tests.catalogue.makers import take_out
from tests.factories import make_rule, make_service, make_user, push, run_record
from tests.incidents.makers import HOUR, fail, make_cause, make_estate, recover

pytestmark = pytest.mark.django_db


@pytest.fixture
def start(noon):
    return noon - dt.timedelta(days=2)


@pytest.fixture
def failing(start, noon):
    """Promise 4 h; two failures; the only copy is days old, so its recovery point is broken too."""
    tool = make_estate(start, "a", rpo_s=4 * 3600)
    fail(tool, "a", noon - 2 * HOUR, noon - HOUR)
    assert set(Alert.objects.values_list("alert_class", flat=True)) == {"job_failed", "rpo_breach"}
    return tool


def test_a_good_copy_inside_the_promise_ends_it(failing, noon):
    recover(failing, "a", noon)
    incident = Incident.objects.get()
    assert (incident.state, incident.resolved_at) == ("resolved", noon)
    assert incident.resolved_by_evaluation is not None
    assert "promise 4 h" in incident.entries.get(kind="state").text
    assert Notice.objects.order_by("-pk").first().body.count("Evidence")


def test_a_good_run_whose_point_is_too_old_does_not(failing, noon):
    push(failing, run_record("a", "success", noon - HOUR / 2, consistent_at=(noon - 9 * HOUR).isoformat()), at=noon)
    journey.advance(at=noon)
    assert Incident.objects.get().state == "new"


def test_a_copy_from_before_the_opening_does_not(start, noon):
    tool = make_estate(start, "a")
    fail(tool, "a", noon - 2 * HOUR, noon - HOUR)
    push(tool, run_record("a", "success", noon - 5 * HOUR, minutes=5), at=noon)
    journey.advance(at=noon)
    assert Incident.objects.get().state == "new"


def test_it_ends_when_its_entry_is_retired(failing, noon):
    take_out(Service.objects.get(code="SVC-a"), at=noon)
    journey.advance(at=noon + HOUR)
    incident = Incident.objects.get()
    assert incident.state == "resolved" and not Alert.objects.open().exists()
    assert "The entry was retired" in incident.entries.get(kind="state").text


def test_it_waits_for_all_its_alerts(start, noon):
    make_cause()
    tool = make_estate(start, "a", "b")
    for name in ("a", "b"):
        fail(tool, name, noon - 2 * HOUR, noon - HOUR, message="no space left")
    recover(tool, "a", noon)
    assert Incident.objects.get().state == "new"
    recover(tool, "b", noon + HOUR)
    assert (Incident.objects.get().state, Incident.objects.get().resolved_at) == ("resolved", noon + HOUR)


def test_it_ends_when_it_was_over_not_when_somebody_looked(failing, noon):
    push(failing, run_record("a", "success", noon, minutes=0), at=noon)
    journey.advance(at=noon + 2 * HOUR)
    incident = Incident.objects.get()
    assert incident.state == "resolved"
    assert noon <= incident.resolved_at <= noon + 2 * HOUR


def test_an_incident_goes_on_with_a_job_that_moved_and_ends_with_it(start, noon):
    tool = make_estate(start, "a")
    fail(tool, "a", noon - 2 * HOUR, noon - HOUR)
    old = Incident.objects.get()
    other = make_service("SVC-other", at=start, rpo_s=30 * 86_400)
    with because("moved"):
        rule = old.service.attribution_rules.get()
        rule.enabled = False
        rule.save()
    make_rule(other, tool, "a", at=start)
    journey.advance(at=noon)
    assert set(old.incident_alerts.values_list("alert__service__code", "alert__state")) == {("SVC-a", "resolved"), ("SVC-other", "firing")}
    recover(tool, "a", noon + HOUR)
    old.refresh_from_db()
    assert old.state == "resolved"
    assert "belongs to another service now" in old.entries.get(kind="state").text
    assert not Alert.objects.open().filter(service=other).exists()


def test_what_a_person_reopened_ends_on_a_copy_newer_than_that(failing, noon):
    recover(failing, "a", noon)
    incident = Incident.objects.get()
    working.move(incident=incident, to="in_progress", reason="The copy is not usable", by=make_user(), at=noon + HOUR / 2)
    journey.advance(at=noon + HOUR)
    incident.refresh_from_db()
    assert (incident.state, incident.reopened, incident.reopened_at) == ("in_progress", 1, noon + HOUR / 2)
    recover(failing, "a", noon + 2 * HOUR)
    incident.refresh_from_db()
    assert (incident.state, incident.resolved_at) == ("resolved", noon + 2 * HOUR)


def test_nothing_happens_twice(failing, noon):
    recover(failing, "a", noon)
    entries = Incident.objects.get().entries.count()
    for minutes in range(3):
        journey.advance(at=noon + dt.timedelta(minutes=minutes))
    assert (Incident.objects.get().entries.count(), Notice.objects.count()) == (entries, 2)
