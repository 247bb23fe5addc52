"""An incident is not resolved before the news of its neighbours are read: one of them may fail for the same cause."""

from __future__ import annotations

import pytest

from incidents import resolving, waiting
from incidents.models import Incident, IncidentAlert, IncidentEntry
from itsm_backup import journey
from monitoring.models import Alert
from tests.incidents.makers import HOUR, MINUTE, advance_without, fail, make_cause, make_estate, recover

pytestmark = pytest.mark.django_db
NO_SPACE = "no space left on device"


@pytest.fixture
def half_read(noon):
    """Job `a` recovered; before that, `b` of the same tool failed for the same cause, and nobody has looked at it yet."""
    make_cause()
    tool = make_estate(noon - 12 * HOUR, "a", "b", "c")
    fail(tool, "a", noon - 3 * HOUR, noon - 3 * HOUR + MINUTE, message=NO_SPACE)
    fail(tool, "b", noon - 9 * MINUTE, noon - 8 * MINUTE, at=noon, message=NO_SPACE, now=False)
    recover(tool, "a", noon - 5 * MINUTE, at=noon, now=False)
    advance_without("b", at=noon)
    assert Alert.objects.get(job__external_id="a", severity="error").state == "resolved"
    return tool


def test_it_stays_open_until_the_news_are_read(half_read, noon):
    assert Incident.objects.get().is_open
    journey.advance(at=noon + MINUTE)
    incident = Incident.objects.get()
    assert incident.is_open
    assert IncidentAlert.objects.filter(incident=incident, alert__job__external_id="b").exists()
    assert not IncidentEntry.objects.filter(kind="state").exists()


def test_an_alert_that_began_since_waits_with_it(half_read, noon):
    fail(half_read, "c", noon - 2 * MINUTE, noon - MINUTE, at=noon, message=NO_SPACE, now=False)
    advance_without("b", at=noon)
    later = Alert.objects.get(job__external_id="c", severity="error")
    assert not IncidentAlert.objects.filter(alert=later).exists()
    journey.advance(at=noon + MINUTE)
    assert IncidentAlert.objects.get(alert=later).incident == Incident.objects.get()


def test_news_from_after_its_end_do_not_hold_it(noon):
    make_cause()
    tool = make_estate(noon - 12 * HOUR, "a", "b")
    fail(tool, "a", noon - 3 * HOUR, noon - 3 * HOUR + MINUTE, message=NO_SPACE)
    recover(tool, "a", noon - 5 * MINUTE, at=noon, now=False)
    recover(tool, "b", noon - 4 * MINUTE, at=noon, now=False)
    advance_without("b", at=noon)
    assert Incident.objects.get().state == "resolved"


def test_a_job_that_cannot_be_settled_holds_it_for_some_minutes_only(half_read, noon):
    assert resolving.resolve_on_evidence(at=noon + waiting.PATIENCE - MINUTE) == 0
    assert resolving.resolve_on_evidence(at=noon + waiting.PATIENCE) == 1
    assert Incident.objects.get().resolved_at == noon - 5 * MINUTE
