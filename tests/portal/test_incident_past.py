"""Incidents as they were: a reopening, a merge or a split changes nothing of what pages of before it show."""

from __future__ import annotations

import datetime as dt

import pytest

from incidents import merging, working
from incidents.models import Incident
from itsm_backup import journey
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.incident_list import incidents_page
from itsm_backup.portal.incident_page import find, incident_page
from itsm_backup.portal.past import problems_of
from itsm_backup.portal.trouble import alerts_of, handled_in
from monitoring.models import Alert
from tests.factories import make_job, make_service, make_tool, push, run_record
from tests.incidents.makers import HOUR, MINUTE, fail, make_cause, recover
from tests.incidents.makers import make_estate as make_jobs

pytestmark = [pytest.mark.django_db, pytest.mark.req("5.1")]


@pytest.fixture
def failing(noon):
    tool = make_jobs(noon - 48 * HOUR, "a")
    fail(tool, "a", noon - 2 * HOUR, noon - HOUR)
    return tool


def facts(incident, user, moment):
    page = incident_page(incident=find(number=incident.number, user=user, moment=moment), user=user, moment=moment)
    return {label: str(value) for label, value, _ in page.facts}


def listed(user, moment, view=""):
    return {row.number: row.state for row in incidents_page(user=user, moment=moment, view=view, page=1).rows}


def on_service(incident, user, moment):
    return [(row.name.words, row.state) for row in problems_of(service_id=incident.service_id, user=user, moment=moment)]


def ended_by_hand(incident, root, at):
    how = {"resolution": "fixed", "cause": "storage"}
    working.move(incident=incident, to="resolved", reason="A disk was added", by=root, at=at, **how)
    working.move(incident=incident, to="in_progress", reason="It is full again", by=root, at=at + 10 * MINUTE)


def test_what_was_reopened_by_hand_was_over_before(failing, root, noon):
    incident = Incident.objects.get()
    ended_by_hand(incident, root, noon)
    then = Moment(at=noon + MINUTE, now=noon + HOUR)
    found = facts(incident, root, then)
    assert found["State"].startswith("Resolved") and "Resolved" in found
    assert found["How it ended"] == "Fixed, storage and capacity"
    assert (listed(root, then), listed(root, then, "resolved")) == ({}, {incident.number: "Resolved"})
    assert [state for _, state in on_service(incident, root, then)] == ["Resolved"]
    for minutes in (-1, 10, 11):
        around = Moment(at=noon + minutes * MINUTE, now=noon + HOUR)
        assert "Resolved" not in facts(incident, root, around) and listed(root, around, "resolved") == {}


def test_what_failed_again_was_over_before(failing, root, noon):
    incident = Incident.objects.get()
    recover(failing, "a", noon)
    fail(failing, "a", noon + HOUR, noon + 2 * HOUR, at=noon + 3 * HOUR)
    incident.refresh_from_db()
    assert incident.reopened == 1
    then = Moment(at=noon + MINUTE, now=noon + 4 * HOUR)
    assert facts(incident, root, then)["How it ended"] == "Recovered by itself, proven"
    assert listed(root, then) == {} and facts(incident, root, Moment(at=noon + 3 * HOUR, now=noon + 4 * HOUR))["State"] == "New"


def test_time_on_hold_was_no_end_of_one_that_was_reopened_later(failing, root, noon):
    incident = Incident.objects.get()
    working.move(incident=incident, to="on_hold", reason="A disk is ordered", by=root, at=noon - 30 * MINUTE)
    working.move(incident=incident, to="in_progress", reason="", by=root, at=noon - 20 * MINUTE)
    ended_by_hand(incident, root, noon)
    assert "Resolved" not in facts(incident, root, Moment(at=noon - 25 * MINUTE, now=noon + HOUR))


def test_what_was_called_off_later_was_open_before(failing, root, noon):
    incident = Incident.objects.get()
    working.move(incident=incident, to="cancelled", reason="A test", by=root, at=noon)
    assert listed(root, Moment(at=noon - MINUTE, now=noon + HOUR)) == {incident.number: "New"}
    assert listed(root, Moment(at=noon, now=noon + HOUR), "resolved") == {incident.number: "Cancelled"}


@pytest.fixture
def split(root, noon):
    """Two that were merged, of which the one that came was split off again into a third."""
    tool = make_jobs(noon - 48 * HOUR, "a", "b")
    for name in ("a", "b"):
        fail(tool, name, noon - 2 * HOUR, noon - HOUR)
    first, second = Incident.objects.order_by("pk")
    merging.merge(incident=second, into=first, reason="one switch", by=root, at=noon)
    alert = Alert.objects.get(job__external_id="b")
    return first, second, merging.split(incident=first, alerts=[alert.pk], reason="two switches", by=root, at=noon + 10 * MINUTE)


def test_what_was_split_off_later_was_not_there_before(split, root, noon):
    first, second, made = split
    now = noon + HOUR

    def shown(at: dt.datetime):
        moment = Moment(at=at, now=now)
        found = find(number=first.number, user=root, moment=moment)
        page = incident_page(incident=found, user=root, moment=moment)
        return set(listed(root, moment)), {words for words, _ in page.related}, len(page.alerts)

    assert shown(noon - MINUTE) == ({first.number, second.number}, set(), 1)
    assert shown(noon + MINUTE) == ({first.number}, {"Merged into this"}, 2)
    assert shown(noon + 11 * MINUTE) == ({first.number, made.number}, {"Merged into this", "Split off from this"}, 1)
    assert find(number=made.number, user=root, moment=Moment(at=noon + 9 * MINUTE, now=now)) is None


def test_a_service_of_the_past_names_the_incident_that_had_its_alert_then(split, root, noon):
    service = Alert.objects.get(job__external_id="b").service_id
    for at, expected in zip((noon - MINUTE, noon + MINUTE, noon + 11 * MINUTE), (split[1], split[0], split[2]), strict=True):
        moment = Moment(at=at, now=noon + HOUR)
        rows = problems_of(service_id=service, user=root, moment=moment)
        assert [row.note.partition(",")[0] for row in rows] == [expected.number]
        alerts = alerts_of([service], user=root, moment=moment)[service]
        assert handled_in(alerts, moment)[0].words == expected.number


def test_an_alert_of_before_its_incident_was_watched(root, noon):
    make_cause()
    tool = make_jobs(noon - 48 * HOUR, "a")
    fail(tool, "a", noon - 2 * HOUR)
    fail(tool, "a", noon - HOUR)
    alert = Alert.objects.get(job__external_id="a")
    moment = Moment(at=noon - 90 * MINUTE, now=noon)
    assert handled_in(alerts_of([alert.service_id], user=root, moment=moment)[alert.service_id], moment)[1] == "Watching, no incident"
    assert [row.kind for row in problems_of(service_id=alert.service_id, user=root, moment=moment)] == ["Alert"]


def test_the_priority_of_the_past_stands_on_the_figures_of_then(root, noon):
    tool = make_tool(at=noon - 48 * HOUR)
    make_job(tool, "a", at=noon - 48 * HOUR, service=make_service("SVC-a", at=noon - 48 * HOUR, rpo_s=10 * 3600, tier=1))
    push(tool, run_record("a", "success", noon - 5 * HOUR, minutes=0), at=noon - 4 * HOUR)
    journey.advance(at=noon - 4 * HOUR)
    fail(tool, "a", noon - 2 * HOUR, noon - HOUR)
    before = Incident.objects.get()
    journey.advance(at=noon + 6 * HOUR)
    incident = Incident.objects.get()
    assert (before.priority, incident.priority) == ("P3", "P1")

    def shown(at):
        moment = Moment(at=at, now=noon + 7 * HOUR)
        found = find(number=incident.number, user=root, moment=moment)
        page = incident_page(incident=found, user=root, moment=moment)
        marked = [priority for _, cells in page.arithmetic.rows for priority, here in cells if here]
        return {label: value for label, value, _ in page.facts}["Priority"], page.priority_reason, bool(page.figures_of), marked

    assert shown(noon) == ("P3", before.priority_reason, True, ["P3"])
    assert shown(noon + 6 * HOUR) == ("P1", incident.priority_reason, True, ["P1"])
    rows = incidents_page(user=root, moment=Moment(at=noon, now=noon + 7 * HOUR), view="", page=1, asked={"priority": "P3"}).rows
    assert [row.priority for row in rows] == ["P3"]
