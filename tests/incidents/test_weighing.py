"""An incident is as heavy as the heaviest service that its cause hits, and says what is true when it happens again."""

from __future__ import annotations

import datetime as dt

import pytest

from incidents.models import Incident
from itsm_backup import journey
from itsm_backup.common.models import Notice
from monitoring.models import Alert
from tests.factories import make_job, make_service, make_tool, push, run_record
from tests.incidents.makers import HOUR, MINUTE, fail, make_cause, recover

pytestmark = pytest.mark.django_db


@pytest.fixture
def start(noon):
    return noon - dt.timedelta(days=2)


@pytest.fixture
def tool(start):
    """SVC-low of tier 3 and SVC-high of tier 1, each promising six hours, on one storage; both have a first good copy."""
    make_cause()
    tool = make_tool(at=start)
    for name, tier in (("low", 3), ("high", 1)):
        make_job(tool, name, at=start, service=make_service(f"SVC-{name}", at=start, rpo_s=6 * 3600, tier=tier))
    push(tool, *[run_record(name, "success", start + HOUR, minutes=0) for name in ("low", "high")], at=start + 2 * HOUR)
    journey.advance(at=start + 2 * HOUR)
    return tool


def subjects() -> list[str]:
    return list(Notice.objects.order_by("pk").values_list("subject", flat=True))


def test_a_heavier_service_that_joins_makes_it_heavier_and_is_named(tool, start):
    fail(tool, "low", start + 5 * HOUR, start + 6 * HOUR, message="no space left")
    incident = Incident.objects.get()
    before = incident.priority
    assert incident.title == "Backups of SVC-low fail because the storage is full"
    fail(tool, "high", start + 6 * HOUR + MINUTE, start + 6 * HOUR + 2 * MINUTE, message="no space left")
    incident.refresh_from_db()
    assert incident.priority < before
    assert incident.service.code == "SVC-high" and "tier 1" in incident.priority_reason
    assert incident.title == "Backups of SVC-high and 1 more service fail because the storage is full"
    assert incident.entries.filter(kind="priority").count() == 1
    assert [entry["code"] for entry in incident.impact_at_opening["services"]] == ["SVC-low"]  # the copy of then stays
    assert subjects()[1] == f"[{incident.number}] {incident.priority}, was {before}: {incident.title}"


def test_a_lighter_service_that_joins_leaves_it_as_heavy_and_tells_nobody(tool, start):
    fail(tool, "high", start + 5 * HOUR, start + 6 * HOUR, message="no space left")
    incident = Incident.objects.get()
    before, told = incident.priority, len(subjects())
    fail(tool, "low", start + 6 * HOUR + MINUTE, start + 6 * HOUR + 2 * MINUTE, message="no space left")
    incident.refresh_from_db()
    assert (incident.priority, incident.service.code, len(subjects())) == (before, "SVC-high", told)
    assert incident.title == "Backups of SVC-high and 1 more service fail because the storage is full"


def test_what_happens_again_is_told_as_it_is_now(tool, start):
    fail(tool, "high", start + 5 * HOUR, start + 6 * HOUR, message="no space left")
    recover(tool, "high", start + 6 * HOUR + 5 * MINUTE)
    incident = Incident.objects.get()
    assert incident.state == "resolved" and "h old" in incident.priority_reason.replace(" h 5 min old", " h old")
    fail(tool, "high", start + 6 * HOUR + 10 * MINUTE)
    incident.refresh_from_db()
    assert incident.is_open and incident.title == Alert.objects.get(state="firing", alert_class="job_failed").title
    assert "newest copy 5 min old" in incident.priority_reason
    assert subjects()[-1] == f"[{incident.number}] {incident.priority} Again: {incident.title}"
