"""A restore in earnest that fails makes what is open urgent, until a later one is good or a day has passed (BM-PRIO)."""

from __future__ import annotations

import datetime as dt

import pytest

from incidents import reckoning
from incidents.models import Incident
from itsm_backup import journey
from monitoring.models import Alert, ServiceState
from monitoring.repeating import repeat
from tests.factories import make_admin, make_job, make_service, make_tool, push, restore_record, run_record

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
pytestmark = [pytest.mark.django_db, pytest.mark.req("3.3")]


@pytest.fixture
def tool(noon):
    """One that told of a good copy, and of two backups that failed after it: an incident that is not urgent."""
    start = noon - 40 * DAY
    tool = make_tool(at=start)
    make_job(tool, "nightly", at=start, service=make_service("SVC-1", at=start, tier=1, rpo_s=26 * 3600))
    push(tool, run_record("nightly", "success", noon - 3 * HOUR), at=noon - 2 * HOUR)
    journey.advance(at=noon - 2 * HOUR)
    push(tool, *(run_record("nightly", "failed", noon - minutes * HOUR / 60, minutes=5) for minutes in (90, 30)), at=noon)
    journey.advance(at=noon)
    assert weighed() == ("low", "P3")
    return tool


def weighed():
    incident = Incident.objects.get()
    return incident.urgency, incident.priority


def restore(tool, outcome, at):
    push(tool, restore_record("nightly", outcome, at - HOUR, minutes=30, operation="restore", verification_state="none"), at=at)
    journey.advance(at=at)


def test_it_is_urgent_while_the_newest_restore_failed(tool, noon):
    restore(tool, "failed", noon + 2 * HOUR)
    assert weighed() == ("high", "P1")
    assert set(Alert.objects.open().values_list("priority", flat=True)) == {"P1"}
    incident = Incident.objects.get()
    assert "urgency high (a restore failed, newest copy" in incident.priority_reason
    steps = reckoning.steps_of(incident, user=make_admin())
    assert "A restore failed on 14 Jul 2026, 13:30 UTC, and no later one was good: urgency high" in steps
    assert repeat(ServiceState.objects.get().evaluation).agrees
    restore(tool, "success", noon + 4 * HOUR)
    assert weighed() == ("low", "P3")


def test_it_is_felt_for_a_day_and_no_longer(tool, noon):
    restore(tool, "partial", noon + HOUR)
    assert weighed() == ("high", "P1")
    until = noon + HOUR / 2 + DAY
    assert ServiceState.objects.get().next_judgement_at <= until
    push(tool, run_record("nightly", "failed", until - HOUR, minutes=5), at=until)
    journey.advance(at=until)
    assert "failed_restore" not in ServiceState.objects.get().evaluation.inputs
    assert "a restore failed" not in Incident.objects.get().priority_reason
