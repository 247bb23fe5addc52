"""An alert does not join an incident that may be over already: news of the jobs that keep it open are looked at first."""

from __future__ import annotations

import pytest

from incidents import opening, waiting
from incidents.models import Incident, IncidentAlert
from itsm_backup import journey
from monitoring.models import Alert
from tests.incidents.makers import HOUR, MINUTE, advance_without, fail, make_cause, make_estate, recover

pytestmark = pytest.mark.django_db
NO_SPACE = "no space left on device"


@pytest.fixture
def overtaken(noon):
    """Job `a` opened an incident and recovered; `b` failed anew for the same cause and was settled before `a` was."""
    make_cause()
    tool = make_estate(noon - 12 * HOUR, "a", "b")
    begun = noon - 3 * HOUR
    fail(tool, "a", begun, begun + 5 * MINUTE, message=NO_SPACE)
    assert Incident.objects.open().count() == 1
    recover(tool, "a", noon - HOUR, now=False)
    fail(tool, "b", noon - 2 * MINUTE, noon - MINUTE, at=noon, message=NO_SPACE, now=False)
    advance_without("a", at=noon)
    return Alert.objects.get(job__external_id="b", severity="error")


def test_it_waits_until_the_news_is_read_and_then_opens_its_own(overtaken, noon):
    assert not IncidentAlert.objects.filter(alert=overtaken).exists()
    journey.advance(at=noon + MINUTE)
    first, second = Incident.objects.order_by("opened_at")
    assert first.state == "resolved" and first.resolved_at < second.opened_at
    assert IncidentAlert.objects.get(alert=overtaken).incident == second


def test_a_job_that_cannot_be_settled_holds_it_for_some_minutes_only(overtaken, noon):
    still = overtaken.noticed_at + waiting.PATIENCE - MINUTE
    assert opening.open_for_alerts(at=still) == 0
    assert opening.open_for_alerts(at=overtaken.noticed_at + waiting.PATIENCE) == 1
    assert IncidentAlert.objects.get(alert=overtaken).incident == Incident.objects.get()
