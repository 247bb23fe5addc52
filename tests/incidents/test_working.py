"""What people do with incidents goes by the table, with reasons where the table asks for them."""

from __future__ import annotations

import itertools

import pytest

from incidents import assigning, nominating, overruling, working
from incidents.models import Incident
from itsm_backup import journey
from itsm_backup.common.models import Notice
from monitoring.models import Alert, Tool
from tests.factories import make_service, make_team, make_user
from tests.incidents.makers import HOUR, fail, make_estate
from tests.portal.makers import make_person

pytestmark = pytest.mark.django_db


@pytest.fixture
def incident(noon):
    fail(make_estate(noon - 48 * HOUR, "a"), "a", noon - 2 * HOUR, noon - HOUR)
    return Incident.objects.get()


def test_taking_it_acknowledges_its_alerts(incident, noon):
    person = make_user("chris")
    working.take(incident=incident, by=person, at=noon)
    incident.refresh_from_db()
    assert (incident.state, incident.assignee, incident.acknowledged_at) == ("in_progress", person, noon)
    assert Alert.objects.get().state == "acknowledged"
    assert incident.entries.order_by("-pk").first().by == person


def test_it_acknowledges_no_alert_that_came_after(incident, noon):
    working.take(incident=incident, by=make_user("chris"), at=noon - 90 * HOUR / 60)  # on record before the alert was there
    assert Alert.objects.get().state == "firing"


@pytest.mark.parametrize(("source", "target"), list(itertools.permutations(Incident.State.values, 2)))
def test_every_step_goes_by_the_table(incident, noon, source, target):
    over = noon if source in ("resolved", "closed") else None
    Incident.objects.filter(pk=incident.pk).update(state=source, resolved_at=over)
    needs_reason = working.TRANSITIONS.get((source, target))
    if needs_reason is None:
        with pytest.raises(working.NotPossible):
            working.move(incident=incident, to=target, reason="because", by=make_user(), at=noon)
        return
    if needs_reason:
        with pytest.raises(working.NotPossible, match="Say why"):
            working.move(incident=incident, to=target, reason="  ", by=make_user(), at=noon)
    ended = {"resolution": "fixed", "cause": "storage"} if target == "resolved" else {}
    assert working.move(incident=incident, to=target, reason="because", by=make_user(), at=noon, **ended).state == target


def test_resolving_by_hand_tells_the_team_and_the_reason(incident, noon):
    working.move(incident=incident, to="resolved", resolution="fixed", cause="storage", reason="Decommissioned", by=make_user(), at=noon)
    assert "Decommissioned" in Notice.objects.order_by("-pk").first().body


def test_it_is_not_reopened_by_hand_after_a_week(incident, noon):
    working.move(incident=incident, to="resolved", resolution="fixed", cause="storage", reason="done", by=make_user(), at=noon)
    with pytest.raises(working.NotPossible, match="7 days"):
        working.move(incident=incident, to="in_progress", reason="again", by=make_user(), at=noon + 8 * 24 * HOUR)


def test_handing_over_names_the_next(incident, noon):
    first, second = make_person("operator", noon), make_user("second")
    assigning.assign(incident=incident, assignee=first, by=second, at=noon)
    incident.refresh_from_db()
    assert (incident.state, incident.assignee) == ("in_progress", first)
    with pytest.raises(working.NotPossible):
        assigning.assign(incident=incident, assignee=first, by=second, at=noon)


def test_it_is_handed_only_to_who_may_work_on_it(incident, noon):
    elsewhere = make_service("SVC-elsewhere", at=noon)
    for somebody in (make_person("operator", noon, services=[elsewhere]), make_person("stakeholder", noon)):
        with pytest.raises(working.NotPossible, match=f"may not work on {incident.number}"):
            assigning.assign(incident=incident, assignee=somebody, by=make_user(), at=noon)
    incident.refresh_from_db()
    assert (incident.state, incident.assignee) == ("new", None)


def test_who_is_handed_it_by_name_is_told_and_is_told_when_it_is_over(incident, noon):
    person = make_person("operator", noon)
    type(person).objects.filter(pk=person.pk).update(email="nia@example.org")
    person.refresh_from_db()
    assigning.assign(incident=incident, assignee=person, by=make_user("olive"), at=noon)
    told = Notice.objects.get(recipient="nia@example.org")
    assert "Handed to you" in told.subject and "by olive" in told.body
    incident.refresh_from_db()
    ended = {"resolution": "fixed", "cause": "storage", "reason": "done"}
    working.move(incident=incident, to="resolved", by=make_user(), at=noon + HOUR, **ended)
    assert Notice.objects.filter(recipient="nia@example.org", subject__contains="Resolved").exists()


def test_who_takes_it_for_themselves_is_not_written_to(incident, noon):
    person = make_person("operator", noon)
    assigning.assign(incident=incident, assignee=person, by=person, at=noon)
    assert not Notice.objects.filter(subject__contains="Handed to you").exists()


def test_it_is_not_handed_on_from_a_page_that_somebody_else_made_stale(incident, noon):
    first, second = make_person("operator", noon), make_person("operator", noon)
    was = assigning.whose(incident)
    assigning.assign(incident=incident, assignee=first, by=make_user(), at=noon, was=was)
    with pytest.raises(working.NotPossible, match="meanwhile"):
        assigning.assign(incident=incident, assignee=second, by=make_user(), at=noon, was=was)
    incident.refresh_from_db()
    assert incident.assignee == first
    with pytest.raises(working.NotPossible, match="meanwhile"):
        assigning.assign_team(incident=incident, team=make_team("Others"), by=make_user(), at=noon, was=was)
    assert assigning.assign(incident=incident, assignee=second, by=make_user(), at=noon, was=assigning.whose(incident)).assignee == second


def test_offered_are_only_those_who_may_work_on_it(incident, noon):
    own, elsewhere = incident.service, make_service("SVC-elsewhere", at=noon)
    everywhere, limited = make_person("operator", noon), make_person("operator", noon, services=[own])
    make_person("operator", noon, services=[elsewhere])
    make_person("stakeholder", noon)
    by_tool = make_person("operator", noon, tools=[Tool.objects.get()])
    offered = set(assigning.workers_on(incident))
    assert offered == {one for one in assigning.workers() if Incident.objects.visible_to(one, "change").filter(pk=incident.pk).exists()}
    assert {everywhere, limited} <= offered and (by_tool in offered) == Incident.objects.visible_to(by_tool).exists()


def test_taking_what_is_taken_says_with_whom_it_is(incident, noon):
    working.take(incident=incident, by=make_user("chris"), at=noon)
    with pytest.raises(working.NotPossible, match=f"^{incident.number} is in progress already, with chris.$"):
        working.take(incident=incident, by=make_user("olive"), at=noon)


def test_a_priority_that_nobody_set_is_not_given_back(incident, noon):
    with pytest.raises(working.NotPossible, match="as it is reckoned already"):
        overruling.set_priority(incident=incident, priority="", reason="why not", by=make_user(), at=noon)


def test_an_empty_note_is_none(incident, noon):
    with pytest.raises(working.NotPossible):
        working.note(incident=incident, text=" ", by=make_user(), at=noon)
    assert working.note(incident=incident, text=" seen ", by=make_user(), at=noon).text == "seen"


def cancel(incident, at):
    return working.move(incident=incident, to="cancelled", reason="It was a test", by=make_user(), at=at)


def test_what_was_cancelled_leaves_its_alerts_to_nobody_and_comes_back_when_it_happens_again(incident, noon):
    working.take(incident=incident, by=make_user("chris"), at=noon)
    cancel(incident, noon + HOUR)
    assert Alert.objects.get().state == "firing"
    journey.advance(at=noon + 2 * HOUR)
    assert not Incident.objects.open().exists()  # nothing new happened
    fail(Tool.objects.get(), "a", noon + 3 * HOUR)
    incident.refresh_from_db()
    assert (incident.state, incident.reopened, Incident.objects.count()) == ("in_progress", 1, 1)
    assert incident.entries.filter(kind="state", text__startswith="Reopened: ").exists()
    assert "Again" in Notice.objects.order_by("-pk").first().subject


def test_who_was_told_that_it_is_over_is_told_when_somebody_reopens_it(incident, noon):
    by = make_person("operator", noon)
    working.move(incident=incident, to="resolved", resolution="fixed", cause="storage", reason="done", by=by, at=noon)
    told = {one.recipient for one in Notice.objects.filter(subject__contains="Resolved")}
    working.move(incident=incident, to="in_progress", reason="It is full again", by=by, at=noon + HOUR)
    again = {one.recipient: one for one in Notice.objects.filter(subject__contains="Reopened")}
    assert told and again.keys() == told
    (mail,) = again.values()
    assert (
        "Reopened  by Operator Person: It is full again" in mail.body and "and Operator Person opened it again. Nothing that" in mail.body
    )
    assert incident.entries.filter(kind="state").latest("pk").text == "Reopened by Operator Person: It is full again"
    line = incident.entries.filter(kind="mail").latest("pk")
    assert mail.subject in line.text and line.at == noon + HOUR


def test_what_was_cancelled_by_mistake_is_brought_back_within_a_week(incident, noon):
    cancel(incident, noon)
    back = {"incident": incident, "to": "in_progress", "reason": "It is real", "by": make_user()}
    with pytest.raises(working.NotPossible, match="over for more than 7 days"):
        working.move(**back, at=noon + 24 * 8 * HOUR)
    assert working.move(**back, at=noon + HOUR).is_open


def test_what_is_behind_a_major_incident_is_not_cancelled(incident, noon):
    major = nominating.propose(incident=incident, reason="Everything stands", by=make_user(), at=noon)
    with pytest.raises(working.NotPossible, match=f"behind {major.number}, which is candidate. Reject or close that one first"):
        cancel(incident, noon)
    incident.refresh_from_db()
    assert incident.is_open


def test_the_team_that_it_was_handed_to_is_told_that_it_is_over(incident, noon):
    assigning.assign_team(incident=incident, team=make_team("Site services", "sites@example.org"), by=make_user(), at=noon)
    ended = {"resolution": "fixed", "cause": "storage", "reason": "A disk was added"}
    working.move(incident=incident, to="resolved", by=make_user(), at=noon, **ended)
    told = Notice.objects.filter(subject__contains="Resolved: ").values_list("recipient", flat=True)
    assert sorted(told) == ["sites@example.org", "storage@example.org"]
