"""An acknowledgement with an end: what was told next is told after all, with the rest of its delay."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client

from incidents import working
from incidents.models import Escalation, Incident, Telling
from itsm_backup import journey
from monitoring.models import Alert
from tests.factories import make_admin, make_user
from tests.incidents.makers import HOUR, MINUTE, fail, make_estate, recover
from tests.journeys.test_alerts_escalate import make_policy

pytestmark = [pytest.mark.django_db, pytest.mark.req("3.3")]


@pytest.fixture
def lead():
    return make_admin("lead")


def opened(noon, lead, **policy) -> Incident:
    """An incident that is told to the team at noon and to the lead half an hour later."""
    make_policy("Urgent", {}, {"after_min": 30, "tell": "person", "person": lead}, **policy)
    fail(make_estate(noon - 48 * HOUR, "a"), "a", noon - HOUR, noon)
    return Incident.objects.get()


def told() -> list[tuple[dt.datetime, int, str]]:
    return list(Telling.objects.order_by("pk").values_list("at", "level", "kind"))


def test_it_goes_on_where_it_stood(noon, lead):
    incident = opened(noon, lead)
    working.take(incident=incident, by=make_user("chris"), at=noon + 10 * MINUTE, until=noon + 70 * MINUTE)
    journey.advance(at=noon + 69 * MINUTE)
    assert told() == [(noon, 1, "notify")] and Alert.objects.get().state == "acknowledged"
    journey.advance(at=noon + 70 * MINUTE)
    assert told()[1:] == [(noon + 70 * MINUTE, 1, "repeat")], "the level reached last hears of it"
    incident.refresh_from_db()
    assert (incident.state, incident.acknowledged_at, incident.acknowledged_until) == ("new", None, None)
    assert Alert.objects.get().state == "firing"
    assert "The acknowledgement of chris lapsed" in incident.entries.filter(kind="state").latest("pk").text
    journey.advance(at=noon + 89 * MINUTE)
    assert len(told()) == 2, "ten of its thirty minutes had passed when it was acknowledged"
    journey.advance(at=noon + 90 * MINUTE)
    assert told()[2:] == [(noon + 90 * MINUTE, 2, "escalate")]
    journey.advance(at=noon + 20 * HOUR)
    assert len(told()) == 3


def test_it_may_be_acknowledged_again_and_lapse_again(noon, lead):
    incident = opened(noon, lead)
    for minute in (10, 40):
        working.take(incident=incident, by=lead, at=noon + minute * MINUTE, until=noon + (minute + 20) * MINUTE)
        journey.advance(at=noon + (minute + 20) * MINUTE)
    assert Escalation.objects.get().paused_s == 40 * 60
    assert [one[1:] for one in told()] == [(1, "notify"), (1, "repeat"), (1, "repeat")]
    journey.advance(at=noon + 70 * MINUTE)
    assert told()[3:] == [(noon + 70 * MINUTE, 2, "escalate")]


def test_nothing_lapses_of_what_is_over_or_on_hold(noon, lead):
    incident = opened(noon, lead)
    working.take(incident=incident, by=lead, at=noon + 10 * MINUTE, until=noon + 70 * MINUTE)
    working.move(incident=incident, to="on_hold", reason="New disks come", by=lead, at=noon + 20 * MINUTE)
    journey.advance(at=noon + 3 * HOUR)
    incident.refresh_from_db()
    assert len(told()) == 1 and incident.state == "on_hold" and incident.acknowledged_until is None


def test_what_recovered_in_time_does_not_lapse(noon, lead):
    incident = opened(noon, lead)
    working.take(incident=incident, by=lead, at=noon + 10 * MINUTE, until=noon + 70 * MINUTE)
    recover(Alert.objects.get().job.tool, "a", noon + 30 * MINUTE)
    journey.advance(at=noon + 3 * HOUR)
    incident.refresh_from_db()
    assert incident.state == "resolved" and len(told()) == 1


def test_at_night_it_lapses_in_the_morning(noon, lead):
    incident = opened(noon, lead, quiet_from=dt.time(13), quiet_to=dt.time(15))
    assert incident.priority not in ("P1", "P2")
    working.take(incident=incident, by=lead, at=noon + 10 * MINUTE, until=noon + 70 * MINUTE)
    journey.advance(at=noon + 2 * HOUR)
    assert len(told()) == 1
    journey.advance(at=noon + 3 * HOUR)
    assert told()[1:] == [(noon + 3 * HOUR, 1, "repeat")]


@pytest.mark.parametrize("until", [dt.timedelta(0), -HOUR, dt.timedelta(days=31)])
def test_it_lapses_later_than_now_and_within_thirty_days(noon, lead, until):
    incident = opened(noon, lead)
    with pytest.raises(working.NotPossible, match="within 30 days"):
        working.take(incident=incident, by=lead, at=noon + MINUTE, until=noon + MINUTE + until)
    incident.refresh_from_db()
    assert incident.state == "new"


def test_the_page_takes_hours_and_says_until_when(noon, lead, client: Client):
    incident = opened(noon, lead)
    client.force_login(lead, backend="django.contrib.auth.backends.ModelBackend")
    address = f"/incidents/{incident.number}/"
    assert "for 4 hours" in client.get(address).text
    refused = client.post(f"{address}acknowledge", {"for_h": "5"})
    assert "Choose one of the times" in refused.text
    assert "You have taken" in client.post(f"{address}acknowledge", {"for_h": "4"}, follow=True).text
    incident.refresh_from_db()
    assert incident.acknowledged_at and incident.acknowledged_until == incident.acknowledged_at + 4 * HOUR
    assert "Acknowledged until" in client.get(address).text
