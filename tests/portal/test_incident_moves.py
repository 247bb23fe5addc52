"""Chains of merges, splits and reopenings: every page of the past names the incident that stood then."""

from __future__ import annotations

import pytest

from incidents import merging, working
from incidents.models import AlertMove, Incident
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.incident_list import incidents_page
from itsm_backup.portal.incident_page import find, incident_page
from itsm_backup.portal.past import problems_of
from itsm_backup.portal.trouble import alerts_of, handled_in
from monitoring.models import Alert
from tests.factories import make_user
from tests.incidents.makers import HOUR, MINUTE, fail, make_estate, recover

pytestmark = [pytest.mark.django_db, pytest.mark.req("5.1")]


class Estate:
    """Three services, a to c, each with an incident of its own; what is done to them happens ten minutes apart."""

    def __init__(self, noon, root):
        self.noon, self.root = noon, root
        self.tool = make_estate(noon - 48 * HOUR, "a", "b", "c")
        for name in ("a", "b", "c"):
            fail(self.tool, name, noon - 3 * HOUR, noon - 2 * HOUR)
        self.incidents = list(Incident.objects.order_by("pk"))
        self.alerts = {name: Alert.objects.get(job__external_id=name) for name in ("a", "b", "c")}
        self.at = noon

    def step(self):
        self.at += 10 * MINUTE
        return self.at

    def merge(self, one, into):
        merging.merge(incident=one, into=into, reason="one switch", by=self.root, at=self.step())
        return self.at

    def split(self, one, name):
        alerts = [self.alerts[name].pk]
        return merging.split(incident=one, alerts=alerts, reason="two switches", by=self.root, at=self.step()), self.at

    def told(self, name, at):
        """Which incident holds the alert of this service: by the page of the service, by the estate, by its own page and the queue."""
        moment = Moment(at=at, now=self.noon + 4 * HOUR)
        alert = self.alerts[name]
        (row,) = problems_of(service_id=alert.service_id, user=self.root, moment=moment)
        alerts = alerts_of([alert.service_id], user=self.root, moment=moment)[alert.service_id]
        number = row.note.partition(",")[0]
        assert handled_in(alerts, moment)[0].words == number
        page = self.page(number, moment)
        assert alert.title in [one.title for one in page.alerts]
        rows = incidents_page(user=self.root, moment=moment, view="", page=1, asked={"service": f"SVC-{name}"}).rows
        assert {one.number: one.alerts for one in rows} == {number: len(page.alerts)}
        return number

    def page(self, number, moment):
        return incident_page(incident=find(number=number, user=self.root, moment=moment), user=self.root, moment=moment)

    def related(self, one, at):
        page = self.page(one.number, Moment(at=at, now=self.noon + 4 * HOUR))
        return {(words, link.words) for words, link in page.related}, page.alerts_went_to and page.alerts_went_to.words


@pytest.fixture
def estate(root, noon):
    return Estate(noon, root)


def test_before_a_merge_each_stood_by_itself(estate):
    first, second, _ = estate.incidents
    at = estate.merge(second, into=first)
    assert [estate.told("b", when) for when in (at - MINUTE, at, at + MINUTE)] == [second.number, first.number, first.number]
    assert estate.told("a", at - MINUTE) == first.number


def test_what_was_merged_into_one_that_was_merged_stood_in_that_one_between(estate):
    first, second, third = estate.incidents
    begun = estate.merge(third, into=second)
    ended = estate.merge(second, into=first)
    assert [estate.told("c", when) for when in (begun - MINUTE, begun + MINUTE, ended + MINUTE)] == [
        third.number, second.number, first.number,
    ]  # fmt: skip
    assert estate.related(third, begun + MINUTE) == ({("Merged into", second.number)}, second.number)
    assert estate.related(first, begun + MINUTE) == (set(), None)
    assert estate.related(third, estate.noon + 4 * HOUR)[1] == first.number, "now its alerts are there"


def test_a_split_of_a_split_stood_in_the_first_one_between(estate):
    first, second, third = estate.incidents
    estate.merge(second, into=first)
    estate.merge(third, into=first)
    made, begun = estate.split(first, "b")
    with pytest.raises(working.NotPossible):
        estate.split(made, "b")  # it is all that it has
    last, ended = estate.split(first, "c")
    assert [estate.told("b", when) for when in (begun - MINUTE, begun + MINUTE)] == [first.number, made.number]
    assert [estate.told("c", when) for when in (begun + MINUTE, ended + MINUTE)] == [first.number, last.number]
    again = estate.merge(last, into=made)
    deeper, then = estate.split(made, "c")
    assert [estate.told("c", when) for when in (again - MINUTE, again + MINUTE, then + MINUTE)] == [
        last.number, made.number, deeper.number,
    ]  # fmt: skip
    assert deeper.split_from == made and estate.related(made, then + MINUTE)[0] == {
        ("Split off from", first.number), ("Merged into this", last.number), ("Split off from this", deeper.number),
    }  # fmt: skip


def test_a_merge_after_a_split_brings_back_what_left(estate):
    first, second, _ = estate.incidents
    merged = estate.merge(second, into=first)
    made, split = estate.split(first, "b")
    back = estate.merge(made, into=first)
    found = [estate.told("b", when) for when in (merged - MINUTE, split - MINUTE, split + MINUTE, back + MINUTE)]
    assert found == [second.number, first.number, made.number, first.number]
    moment = Moment(at=split - MINUTE, now=estate.noon + 4 * HOUR)
    assert find(number=made.number, user=estate.root, moment=moment) is None, "it was not there yet"
    assert AlertMove.objects.count() == 3


def test_the_one_merged_into_is_reopened_and_was_over_between(estate):
    first, second, _ = estate.incidents
    merged = estate.merge(second, into=first)
    for name in ("a", "b"):
        recover(estate.tool, name, estate.noon + HOUR)
    assert Incident.objects.get(pk=first.pk).state == "resolved"
    fail(estate.tool, "b", estate.noon + 2 * HOUR, estate.noon + 2 * HOUR + MINUTE)
    first.refresh_from_db()
    assert (first.state, first.reopened) == ("new", 1), "its cause goes on with the one that it was merged into"
    at = estate.noon + HOUR + MINUTE
    moment = Moment(at=at, now=estate.noon + 4 * HOUR)
    over = {row.number: row.state for row in incidents_page(user=estate.root, moment=moment, view="resolved", page=1).rows}
    assert over == {first.number: "Resolved", second.number: "Cancelled"}
    assert estate.told("b", merged - MINUTE) == second.number and estate.told("b", merged + MINUTE) == first.number


def test_time_on_hold_is_told_of_the_past(estate):
    first = estate.incidents[0]
    for minutes, to, reason in ((10, "on_hold", "A disk is ordered"), (20, "in_progress", ""), (30, "on_hold", "Again")):
        working.move(incident=first, to=to, reason=reason, by=make_user(), at=estate.noon + minutes * MINUTE)

    def state(minutes):
        moment = Moment(at=estate.noon + minutes * MINUTE, now=estate.noon + HOUR)
        (on_service,) = problems_of(service_id=first.service_id, user=estate.root, moment=moment)
        (listed,) = incidents_page(user=estate.root, moment=moment, view="", page=1, asked={"service": "SVC-a"}).rows
        facts = {label: str(value) for label, value, _ in estate.page(first.number, moment).facts}
        assert {on_service.state, listed.state, facts["State"].partition(",")[0]} == {listed.state}
        return listed.state

    assert [state(minutes) for minutes in (5, 10, 15, 25, 35)] == ["New", "On hold", "On hold", "In progress", "On hold"]
