"""Pages of the past show the alerts that an incident held then, whatever was merged or split since."""

from __future__ import annotations

import pytest

from incidents import merging
from incidents.models import Incident
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.incident_page import find, incident_page
from tests.factories import make_admin, make_user
from tests.incidents.makers import HOUR, MINUTE, fail, make_estate

pytestmark = [pytest.mark.django_db, pytest.mark.req("5.1")]


@pytest.fixture
def pair(noon):
    """Two incidents of two jobs, each without a known cause."""
    tool = make_estate(noon - 48 * HOUR, "a", "b")
    for name in ("a", "b"):
        fail(tool, name, noon - 2 * HOUR, noon - HOUR)
    return Incident.objects.order_by("pk")


def shown(incident, at, now):
    """The titles of its alerts, and how many services it hit, on its page of then."""
    user, moment = make_admin(), Moment(at=at, now=now)
    page = incident_page(incident=find(number=incident.number, user=user, moment=moment), user=user, moment=moment)
    hit = [len(one.members) for one in page.branches if one.head == "Services hit"]
    return [one.title for one in page.alerts], hit


def test_what_was_merged_later_is_on_its_page_of_then_with_alerts_and_services(pair, noon):
    first, second = pair
    before = [shown(one, noon, noon) for one in (first, second)]
    assert all(len(titles) == 1 and hit == [1] for titles, hit in before)
    merging.merge(incident=second, into=first, reason="one switch", by=make_user(), at=noon + MINUTE)
    assert [shown(one, noon, noon + HOUR) for one in (first, second)] == before
    assert [len(shown(one, noon + 2 * MINUTE, noon + HOUR)[0]) for one in (first, second)] == [2, 0]


def test_what_was_split_off_later_is_where_it_was_then(pair, noon):
    first, second = pair
    merging.merge(incident=second, into=first, reason="one switch", by=make_user(), at=noon + MINUTE)
    both = shown(first, noon + 2 * MINUTE, noon + HOUR)
    alert = first.incident_alerts.order_by("pk").last().alert_id
    merging.split(incident=first, alerts=[alert], reason="two switches", by=make_user(), at=noon + 3 * MINUTE)
    assert shown(first, noon + 2 * MINUTE, noon + HOUR) == both and len(both[0]) == 2
    assert len(shown(first, noon + 4 * MINUTE, noon + HOUR)[0]) == 1
