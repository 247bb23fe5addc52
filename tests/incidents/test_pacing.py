"""Each audience is told at its own pace; the next update offers whose turn it is."""

import datetime as dt

import pytest

from incidents import pacing
from incidents.models import Incident, MajorIncident

pytestmark = [pytest.mark.django_db, pytest.mark.req("5.6")]
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def major(noon):
    weight = {"priority": "P1", "impact": "high", "urgency": "high", "title": "It fails"}
    incident = Incident.objects.create(cause_key="x", opened_at=noon, updated_at=noon, **weight)
    made = MajorIncident.objects.create(incident=incident, proposed_at=noon, updated_at=noon, interval_min=30)
    made.state = "declared"
    return made


def turns(major, told: dict[str, dt.datetime], at: dt.datetime, monkeypatch) -> set[str]:
    monkeypatch.setattr(pacing, "last_told", lambda major, until: told)
    return set(pacing.whose_turn(major, at=at))


def test_it_is_the_turn_of_who_was_not_told_and_of_who_would_wait_too_long(major, noon, monkeypatch):
    everybody = set(pacing.EVERY)
    assert turns(major, {}, noon, monkeypatch) == everybody
    told = dict.fromkeys(everybody, noon)
    assert turns(major, told, noon + 30 * MINUTE, monkeypatch) == {"responders"}
    assert turns(major, told, noon + 45 * MINUTE, monkeypatch) == {"responders", "owners"}, "the one after it would be too late"
    assert turns(major, told, noon + 120 * MINUTE, monkeypatch) == {"responders", "owners", "executives"}
    del told["compliance"]
    assert turns(major, told, noon + 30 * MINUTE, monkeypatch) == {"responders", "compliance"}
    major.state = "resolved"
    assert turns(major, told, noon + 30 * MINUTE, monkeypatch) == everybody - {"compliance"}, "who was told is told that it is over"
