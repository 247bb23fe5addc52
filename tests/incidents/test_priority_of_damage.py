"""Copies that a check found damaged are none: the priority of the incident counts as if there were no copy, and says so."""

from __future__ import annotations

import datetime as dt

import pytest

from incidents.models import Incident, MajorIncident
from itsm_backup import journey
from monitoring import priority, standing_alerts
from monitoring.models import Alert
from tests.factories import make_job, make_service, make_tool, push, run_record

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
pytestmark = [pytest.mark.django_db, pytest.mark.req("5.2")]


def check(job, passed, at):
    state = ("success", "passed") if passed else ("failed", "failed")
    return run_record(job, state[0], at, operation="verify", verification_state=state[1], external_id=f"check@{at.isoformat()}", minutes=0)


def look(at):
    journey.advance(at=at)
    standing_alerts.follow_conditions(at=at)
    journey.advance(at=at)


@pytest.fixture
def tool(noon):
    return make_tool(at=noon - 40 * DAY)


def make_backed_up(tool, name, noon, **said):
    """A service of tier 1 whose newest copy is an hour old and good for a day."""
    repository = said.pop("repository_name", None)
    service = make_service(f"SVC-{name}", at=noon - 40 * DAY, tier=1, **{"rpo_s": 26 * 3600, **said})
    make_job(tool, name, at=noon - 40 * DAY, service=service, repository_name=repository)
    push(tool, run_record(name, "success", noon - HOUR), at=noon)
    return service


@pytest.mark.parametrize("promise", [{}, {"restore_test_days": 90}, {"rpo_s": None}])
def test_damage_makes_it_as_urgent_as_no_copy_until_a_later_check_is_good(tool, noon, promise):
    make_backed_up(tool, "nightly", noon, **promise)
    push(tool, check("nightly", False, noon), at=noon)
    look(noon)
    incident = Incident.objects.get()
    assert (incident.impact, incident.urgency, incident.priority) == ("high", "high", "P1")
    told = "promise 26 h" if promise.get("rpo_s", 1) else "no recovery point promised"
    assert f"a check found its copies damaged, so none counts and 40 d of data are exposed, {told}" in incident.priority_reason
    assert set(Alert.objects.open().values_list("priority", flat=True)) == {"P1"}
    assert MajorIncident.objects.filter(incident=incident, because__0__rule="damaged_copies").exists()
    push(tool, check("nightly", True, noon + HOUR), run_record("nightly", "success", noon + HOUR, minutes=0), at=noon + 2 * HOUR)
    look(noon + 2 * HOUR)
    incident.refresh_from_db()
    assert not incident.is_open


def test_damage_of_a_store_counts_for_those_whose_copies_lie_there(tool, noon):
    make_backed_up(tool, "here", noon, repository_name="NAS-1")
    make_backed_up(tool, "elsewhere", noon, repository_name="NAS-2")
    make_job(tool, "store-check", at=noon - 40 * DAY, repository_name="NAS-1")
    push(tool, check("store-check", False, noon), at=noon)
    look(noon)
    incident = Incident.objects.get()
    assert (incident.service.code, incident.priority) == ("SVC-here", "P1")


def test_a_failed_backup_without_damage_is_as_urgent_as_its_copies_are_old(tool, noon):
    make_backed_up(tool, "nightly", noon)
    failed = (run_record("nightly", "failed", noon + minutes * HOUR / 60, minutes=1) for minutes in (5, 10))
    push(tool, *failed, at=noon + HOUR)
    look(noon + HOUR)
    assert "damaged" not in Incident.objects.get().priority_reason and Incident.objects.get().priority == "P3"


def test_of_a_service_without_any_copy_no_age_of_one_is_told():
    claim = {"claim": "rpo", "measured_s": 89 * 86_400, "captured_at": None, "counted_from": "2026-04-16T12:00:00Z"}
    asked = {"inputs": {"rpo_s": 3600, "jobs": []}, "effective_tier": 1, "affected": 1}
    told = priority.prioritise(result={"claims": [claim]}, **asked)["reason"]
    assert "(no copy, 89 d of data exposed, promise 1 h)" in told
    told = priority.prioritise(result={"claims": [{**claim, "captured_at": claim["counted_from"]}]}, **asked)["reason"]
    assert "(newest copy 89 d old, promise 1 h)" in told
