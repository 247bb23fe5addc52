"""A restore test that fails opens one incident of its own, which only a test that passes ends."""

from __future__ import annotations

import datetime as dt

import pytest

from incidents.models import Incident, IncidentEntry
from itsm_backup import journey
from monitoring.models import Alert
from tests.factories import make_job, make_service, make_tool, push, restore_record, run_record

HOUR = dt.timedelta(hours=1)
pytestmark = pytest.mark.django_db


@pytest.fixture
def tool(noon):
    return make_tool(at=noon - 200 * 24 * HOUR)


@pytest.fixture
def backed_up(tool, noon):
    start = noon - 200 * 24 * HOUR
    service = make_service("SVC-1", at=start, rpo_s=26 * 3600, rto_s=8 * 3600, restore_test_days=90, name="Archive")
    make_job(tool, "nightly", at=start, service=service)
    make_job(tool, "restores", at=start, service=service)
    push(tool, run_record("nightly", "success", noon - HOUR), at=noon)
    return service


def carry(tool, *records, at) -> None:
    push(tool, *records, at=at)
    journey.advance(at=at)


def test_a_contradiction_is_told_as_one_incident_until_a_test_passes(tool, backed_up, noon):
    carry(tool, restore_record("restores", "failed", noon - 5 * HOUR, native_message="checksum differs"), at=noon)
    alert = Alert.objects.get()
    assert (alert.alert_class, alert.state, alert.title) == ("rto_test_failed", "firing", "Archive failed its restore test")
    incident = Incident.objects.get()
    assert (incident.service, incident.is_open, incident.title) == (backed_up, True, "Archive failed its restore test")
    carry(tool, restore_record("restores", "failed", noon + HOUR), run_record("nightly", "success", noon + 2 * HOUR), at=noon + 4 * HOUR)
    alert.refresh_from_db()
    assert (alert.occurrences, len(alert.run_ids), alert.opened_at) == (2, 2, noon)
    assert Incident.objects.open().count() == 1
    carry(tool, restore_record("restores", "success", noon + 5 * HOUR, minutes=30), at=noon + 6 * HOUR)
    assert not Alert.objects.open().exists()
    assert not Incident.objects.open().exists()
    assert "passed after 30 min; the promise is 8 h" in IncidentEntry.objects.filter(kind="state").latest("at").text


def test_a_good_copy_alone_does_not_end_it_nor_a_test_that_nobody_compared(tool, backed_up, noon):
    carry(tool, restore_record("restores", "failed", noon - 5 * HOUR), at=noon)
    carry(tool, run_record("nightly", "success", noon + HOUR), at=noon + 2 * HOUR)
    assert Alert.objects.open().exists()
    carry(tool, restore_record("restores", "success", noon + 3 * HOUR, verification_state="none"), at=noon + 5 * HOUR)
    assert not Alert.objects.open().exists()
    assert Incident.objects.open().exists()
    carry(tool, restore_record("restores", "success", noon + 6 * HOUR), at=noon + 8 * HOUR)
    assert not Incident.objects.open().exists()


def check_record(found: str, at):
    outcome = "success" if found == "passed" else "failed"
    said = {"operation": "verify", "external_id": f"check@{at}", "verification_state": found, "consistent_at": None}
    return run_record("nightly", outcome, at, minutes=0, **said)


def test_damage_is_not_answered_by_a_restore_test_and_a_copy_of_before_it(tool, backed_up, noon):
    carry(tool, restore_record("restores", "success", noon - 8 * 24 * HOUR), at=noon)
    carry(tool, check_record("failed", noon + HOUR), at=noon + HOUR)
    assert Incident.objects.get().title == "Archive has damaged copies, as a check found"
    carry(tool, check_record("passed", noon + 2 * HOUR), at=noon + 2 * HOUR)
    assert not Alert.objects.open().exists()
    assert Incident.objects.get().is_open  # nothing was saved since, and what the old test restored says nothing of today's copies
    carry(tool, run_record("nightly", "success", noon + 3 * HOUR, minutes=0), at=noon + 3 * HOUR)
    incident = Incident.objects.get()
    assert (incident.state, incident.resolved_at) == ("resolved", noon + 3 * HOUR)
    told = incident.entries.filter(kind="state").latest("at").text
    assert "found no damage. The newest copy was" in told
    assert "restore test" not in told


def test_a_new_copy_alone_does_not_answer_damage(tool, backed_up, noon):
    carry(tool, restore_record("restores", "success", noon - 8 * 24 * HOUR), at=noon)
    carry(tool, check_record("failed", noon + HOUR), at=noon + HOUR)
    carry(tool, run_record("nightly", "success", noon + 2 * HOUR, minutes=0), at=noon + 2 * HOUR)
    assert Incident.objects.get().is_open


def test_a_sample_that_failed_is_answered_by_a_later_one(tool, backed_up, noon):
    carry(tool, restore_record("restores", "success", noon - 8 * 24 * HOUR), at=noon)
    carry(tool, restore_record("restores", "failed", noon, level="unknown", minutes=30), at=noon + HOUR)
    carry(tool, run_record("nightly", "success", noon + 2 * HOUR, minutes=0), at=noon + 2 * HOUR)
    assert Incident.objects.get().is_open
    carry(tool, restore_record("restores", "success", noon + 3 * HOUR, level="unknown", minutes=30), at=noon + 4 * HOUR)
    assert "The restore of a sample passed on" in Incident.objects.get(state="resolved").entries.filter(kind="state").latest("at").text


def test_an_incident_about_copies_of_a_job_that_only_tests_them_ends(tool, backed_up, noon):
    journey.advance(at=noon)
    assert Incident.objects.get().is_open  # declared, and nothing is known of it yet: it could be a backup
    carry(tool, restore_record("restores", "success", noon - 5 * HOUR), at=noon + HOUR)
    assert not Incident.objects.open().exists()


@pytest.mark.req("5.1")
def test_damage_is_over_when_a_check_finds_none_and_there_is_a_newer_copy(tool, backed_up, noon):
    carry(tool, restore_record("restores", "success", noon - 30 * HOUR, minutes=30), at=noon - 28 * HOUR)
    carry(tool, check("nightly", "failed", noon + HOUR), at=noon + 2 * HOUR)
    assert Incident.objects.open().exists()
    carry(tool, check("nightly", "passed", noon + 3 * HOUR), at=noon + 4 * HOUR)
    assert Incident.objects.open().exists(), "the test that passed is older than the damage, and so is every copy"
    carry(tool, run_record("nightly", "success", noon + 5 * HOUR), at=noon + 6 * HOUR)
    assert not Incident.objects.open().exists()
    told = IncidentEntry.objects.filter(kind="state").latest("at").text
    assert "found no damage" in told and "The newest copy was" in told and "passed after" not in told


def check(job, found, ended_at):
    outcome = "success" if found == "passed" else "failed"
    return run_record(job, outcome, ended_at, operation="verify", verification_state=found, external_id=f"check@{ended_at.isoformat()}")
