"""Major incidents: proposed by rule or person, declared with two people, moved as allowed, reminded of once for each interval."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from catalogue.models import Relation
from incidents import leading, nominating, reminding, working
from incidents.models import Incident, IncidentAlert, MajorIncident, Problem
from itsm_backup import journey
from itsm_backup.common.models import Notice, because
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.major_page import find, major_page
from monitoring.models import Alert
from tests.factories import make_service
from tests.portal.makers import HOUR, make_estate, make_person

pytestmark = [pytest.mark.django_db, pytest.mark.req("5.6")]
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def estate(noon):
    return make_estate(noon)


@pytest.fixture
def people(estate):
    return {"manager": make_person("incident-manager", estate.at), "communications_lead": make_person("operator", estate.at)}


def candidate(estate):
    return nominating.propose(
        incident=Incident.objects.get(), reason="The whole clinic waits", by=make_person("operator", estate.at), at=estate.at
    )


@pytest.fixture
def declared(estate, people):
    return leading.declare(major=candidate(estate), interval_min=None, by=people["manager"], at=estate.at, **people)


def test_copies_older_than_twice_their_promise_propose_it_once_with_the_reason_in_words(estate):
    assert not MajorIncident.objects.exists()  # 5 h of 4 h
    journey.advance(at=estate.at + 4 * HOUR)
    major = MajorIncident.objects.get()
    assert [one["rule"] for one in major.because] == ["exposure_of_tier_1"]
    assert major.because[0]["words"] == "copies of tier 1 are older than 2 times their promise: Imaging archive 9 h, promised 4 h"
    journey.advance(at=estate.at + 5 * HOUR)
    assert MajorIncident.objects.count() == 1


def test_three_services_of_tier_1_propose_it(estate):
    for number in range(2):
        with because("test"):
            Relation.objects.create(provider=estate.imaging, consumer=make_service(f"SVC-T{number}", at=estate.at - HOUR, tier=1))
    (reason,) = nominating.reasons_of(Incident.objects.get(), at=estate.at)
    assert reason["rule"] == "many_of_tier_1" and reason["words"].startswith("3 services of tier 1") and len(reason["services"]) == 3


def test_damaged_copies_propose_it(estate):
    incident, times = Incident.objects.get(), dict.fromkeys(("opened_at", "last_seen_at", "noticed_at"), estate.at)
    words = {"dedup_key": "x", "cause_key": "x", "title": "Damaged", "alert_class": "integrity_error", "severity": "critical"}
    alert = Alert.objects.create(service=estate.imaging, state="firing", priority="P1", **words, **times)
    IncidentAlert.objects.create(incident=incident, alert=alert, attached_at=estate.at)
    (reason,) = nominating.reasons_of(incident, at=estate.at)
    assert reason["words"] == "copies are damaged, which may be tampering: Imaging archive"


def test_the_page_of_a_candidate_tells_the_story_of_its_incident_and_offers_who_may_see_it(estate, people):
    limited = make_person("operator", estate.at, services=[estate.research])
    major, moment = candidate(estate), Moment(at=estate.at, now=estate.at)
    page = major_page(major=find(number=major.number, user=people["manager"], moment=moment), user=people["manager"], moment=moment)
    story = [line.text for line in page.story]
    assert story[-1].startswith("Opened for: ") and any(text.startswith("MAJ-") for text in story), "its incident's lines and its own"
    assert "storage@" in page.latest_told[0].who, "who was told of the incident, before anybody declared it"
    offered = {one.value for part in page.parts for one in part.people}
    assert str(people["communications_lead"].pk) in offered and str(limited.pk) not in offered


def test_whoever_may_declare_is_told_of_a_candidate(estate, people):
    journey.advance(at=estate.at + 4 * HOUR)
    notice = Notice.objects.get(key__startswith="major/")
    assert notice.recipient == people["manager"].email and "older than 2 times" in notice.body


def test_what_was_rejected_is_proposed_again_only_for_other_facts(estate):
    journey.advance(at=estate.at + 4 * HOUR)
    major, by = MajorIncident.objects.get(), make_person("incident-manager", estate.at)
    with pytest.raises(working.NotPossible, match="Say why"):
        leading.move(major=major, to="rejected", reason=" ", by=by, at=estate.at + 4 * HOUR)
    leading.move(major=major, to="rejected", reason="A planned move", by=by, at=estate.at + 4 * HOUR)
    journey.advance(at=estate.at + 6 * HOUR)
    assert MajorIncident.objects.count() == 1
    for number in range(2):
        with because("test"):
            Relation.objects.create(provider=estate.imaging, consumer=make_service(f"SVC-T{number}", at=estate.at - HOUR, tier=1))
    journey.advance(at=estate.at + 7 * HOUR)
    assert MajorIncident.objects.live().get().because[0]["rule"] == "many_of_tier_1"


def test_a_person_proposes_with_a_reason_and_only_once(estate):
    with pytest.raises(working.NotPossible, match="Say why"):
        nominating.propose(incident=Incident.objects.get(), reason="", by=make_person("operator", estate.at), at=estate.at)
    made = candidate(estate)
    with pytest.raises(working.NotPossible, match=f"as {made.number} already"):
        candidate(estate)


def test_it_is_declared_with_two_people_who_may(estate, people):
    major, at = candidate(estate), estate.at
    operator, manager = people["communications_lead"], people["manager"]
    for who, told in (
        ({"manager": None, "communications_lead": operator}, "Name both"),
        ({"manager": manager, "communications_lead": manager}, "Name two people"),
        ({"manager": operator, "communications_lead": manager}, "Operator Person may not be major-incident manager"),
        ({"manager": manager, "communications_lead": make_person("steward", at)}, "may not be communications lead"),
    ):
        with pytest.raises(working.NotPossible, match=told):
            leading.declare(major=major, interval_min=30, by=manager, at=at, **who)
    with pytest.raises(working.NotPossible, match="every 15 to 240 minutes"):
        leading.declare(major=major, interval_min=5, by=manager, at=at, **people)
    with pytest.raises(working.NotPossible, match="Say why people are told every 15 minutes"):
        leading.declare(major=major, interval_min=15, by=manager, at=at, reason=" ", **people)
    made = leading.declare(major=major, interval_min=None, by=manager, at=at, **people)
    assert (made.state, made.interval_min, made.next_update_at) == ("declared", 30, at + 30 * MINUTE)
    assert {one.part for one in made.appointments.all()} == {"manager", "communications_lead"}
    assert made.incident.entries.filter(kind="major", text__contains="every 30 minutes").exists()


def test_another_interval_and_every_step_stand_in_the_story_with_why_and_who(estate, people):
    said = {"by": people["manager"], "at": estate.at}
    made = leading.declare(major=candidate(estate), interval_min=15, reason="The press asks", **said, **people)
    leading.move(major=made, to="mitigating", reason="", **said)
    told = list(made.incident.entries.filter(kind="major").order_by("pk").values_list("text", flat=True))[-2:]
    assert told[0].endswith("every 15 minutes: The press asks")
    assert told[1] == f"{made.number}: mitigating, by Incident-manager Person"


def test_parts_change_with_a_reason_and_a_history(estate, people, declared):
    other = make_person("operator", estate.at)
    with pytest.raises(working.NotPossible, match="Say why"):
        leading.appoint(major=declared, part="communications_lead", person=other, reason="", by=people["manager"], at=estate.at)
    said = {"part": "communications_lead", "person": other, "reason": "End of the shift", "by": people["manager"]}
    leading.appoint(major=declared, at=estate.at + HOUR, **said)
    with pytest.raises(working.NotPossible, match="has that part already"):
        leading.appoint(major=declared, at=estate.at + HOUR, **said)
    declared.refresh_from_db()
    history = declared.appointments.filter(part="communications_lead").order_by("at")
    assert declared.communications_lead == other and [one.person for one in history] == [people["communications_lead"], other]


def test_it_moves_as_allowed_and_is_resolved_when_its_incident_is(estate, people, declared):
    by = {"by": people["manager"], "reason": ""}
    with pytest.raises(working.NotPossible, match="steps that are offered"):
        leading.move(major=declared, to="review", at=estate.at, **by)
    leading.move(major=declared, to="mitigating", at=estate.at, **by)
    with pytest.raises(working.NotPossible, match="is still open"):
        leading.move(major=declared, to="resolved", at=estate.at, **by)
    ended = {"resolution": "fixed", "cause": "storage", "reason": "new disks"}
    working.move(incident=declared.incident, to="resolved", by=make_person("operator", estate.at), at=estate.at + HOUR, **ended)
    moved = leading.move(major=declared, to="resolved", at=estate.at + HOUR, **by)
    assert moved.next_update_at == estate.at + HOUR + dt.timedelta(days=2)
    with pytest.raises(working.NotPossible, match="Say why"):
        leading.move(major=declared, to="mitigating", at=estate.at + HOUR, **by)


def test_the_database_keeps_states_and_people_too(estate, declared):
    rows = MajorIncident.objects.filter(pk=declared.pk)
    for change in (
        {"state": "closed"},
        {"state": "candidate"},
        {"manager": None},
        {"communications_lead": declared.manager},
        {"interval_min": 5},
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            rows.update(**change)
    with pytest.raises(IntegrityError), transaction.atomic():
        MajorIncident.objects.create(incident=declared.incident, proposed_at=estate.at, updated_at=estate.at)
    with pytest.raises(DatabaseError), transaction.atomic():
        declared.appointments.all().delete()


def test_who_forgets_an_update_is_reminded_once_an_interval_and_then_the_manager_too(estate, people, declared):
    def told():
        return sorted(Notice.objects.filter(key__contains="/overdue/").values_list("recipient", flat=True))

    lead, manager = people["communications_lead"].email, people["manager"].email
    assert reminding.remind_due(at=estate.at + 29 * MINUTE) == 0
    assert reminding.remind_due(at=estate.at + 31 * MINUTE) == 1 and told() == [lead]
    assert reminding.remind_due(at=estate.at + 45 * MINUTE) == 0
    assert reminding.remind_due(at=estate.at + 61 * MINUTE) == 1 and told() == sorted([lead, lead, manager])
    assert reminding.remind_due(at=estate.at + 300 * MINUTE) == 1 and len(told()) == 5  # what nobody looked at is told once
    assert reminding.remind_due(at=estate.at + 300 * MINUTE) == 0


def test_another_interval_moves_what_is_due(estate, people, declared):
    said = {"by": people["manager"], "at": estate.at + MINUTE}
    with pytest.raises(working.NotPossible, match="Say why"):
        leading.set_interval(major=declared, interval_min=60, reason="", **said)
    assert leading.set_interval(major=declared, interval_min=60, reason="Slow work", **said).next_update_at == estate.at + HOUR


def test_one_that_was_declared_proposes_a_problem(estate, declared):
    assert not Problem.objects.exists()
    journey.advance(at=estate.at)
    assert [one["words"] for one in Problem.objects.get().because] == ["1 of them was declared major"]
