"""A backup that fails degrades its service, opens one incident and writes one mail; a good one ends it."""

from __future__ import annotations

import datetime as dt

import pytest

from catalogue.models import ServiceStatus, StatusChange
from incidents.models import Incident
from itsm_backup import journey
from itsm_backup.common.models import Notice
from monitoring.models import Alert, BackupRun, Evaluation, ExpectedRun, ServiceDay, ServiceState
from tests.factories import make_job, make_schedule, make_service, make_tool, push, run_record

HOUR = dt.timedelta(hours=1)
pytestmark = [pytest.mark.django_db, pytest.mark.req("2.4", "5.1", "2.2")]


@pytest.fixture
def imaging(noon):
    """A tier 2 service that promises 4 h, with a two-hourly job whose last good copy is 5 h old."""
    start = noon - dt.timedelta(days=2)
    service = make_service("SVC-003", at=start, rpo_s=4 * 3600, tier=2, name="Imaging archive")
    tool = make_tool(at=start)
    job = make_job(tool, "pacs-2h", at=start, service=service)
    make_schedule(job, local_times=",".join(f"{hour:02}:00" for hour in range(1, 24, 2)), grace_s=3600)
    for hours in range(47, 4, -2):
        push(tool, run_record("pacs-2h", "success", noon - hours * HOUR), at=noon - hours * HOUR + dt.timedelta(minutes=11))
    return service, tool, job


def test_it_degrades_the_service_opens_one_incident_and_writes_one_mail(imaging, noon):
    service, tool, _ = imaging
    journey.advance(at=noon - 4.5 * HOUR)
    assert ServiceStatus.objects.get(service=service).status == "operational"
    for hours in (3, 2.5, 1, 0.5):
        push(tool, run_record("pacs-2h", "failed", noon - hours * HOUR, minutes=2, native_message="no space left on device"), at=noon)
    journey.advance(at=noon)
    status = ServiceStatus.objects.get(service=service)
    assert (status.status, StatusChange.objects.filter(service=service).count()) == ("degraded", 3)
    incident = Incident.objects.get()
    assert set(incident.incident_alerts.values_list("alert__alert_class", flat=True)) == {"job_failed", "rpo_breach"}
    assert Notice.objects.count() == 1
    assert Alert.objects.get(alert_class="job_failed").occurrences == 4


def test_it_resolves_on_a_good_copy_inside_the_promise(imaging, noon):
    service, tool, _ = imaging
    push(tool, run_record("pacs-2h", "failed", noon - HOUR, minutes=2), at=noon)
    journey.advance(at=noon)
    push(tool, run_record("pacs-2h", "success", noon + HOUR), at=noon + 2 * HOUR)
    journey.advance(at=noon + 2 * HOUR)
    assert Incident.objects.get().state == "resolved"
    assert ServiceStatus.objects.get(service=service).status == "operational"
    assert Notice.objects.count() == 2
    assert not Alert.objects.open().exists()


def test_it_changes_nothing_when_run_again(imaging, noon):
    _, tool, _ = imaging
    push(tool, run_record("pacs-2h", "failed", noon - HOUR, minutes=2), at=noon)
    journey.advance(at=noon)
    facts = (BackupRun, ExpectedRun, Evaluation, Alert, Incident, Notice, StatusChange)
    before = [model.objects.count() for model in facts]
    assert all(before)  # there is something of each that could change
    for _ in range(3):
        push(tool, run_record("pacs-2h", "failed", noon - HOUR, minutes=2), at=noon)
        journey.advance(at=noon)
    assert [model.objects.count() for model in facts] == before


def test_it_counts_the_day(imaging, noon):
    service, tool, _ = imaging
    push(tool, run_record("pacs-2h", "failed", noon - HOUR, minutes=2), at=noon)
    journey.advance(at=noon)
    yesterday = ServiceDay.objects.get(service=service, day=(noon - dt.timedelta(days=1)).date())
    today = ServiceDay.objects.get(service=service, day=noon.date())
    assert (yesterday.good, yesterday.worst) == (12, "")
    assert today.worst == "F"
    assert ServiceState.objects.get(service=service).verdict == "broken"
