"""What a review finds on record where a check found damage: who was told, what was so before, and what the copies prove."""

from __future__ import annotations

import pytest

from incidents import leading, nominating, reviewing, updating, working
from incidents.appraising import appraise
from incidents.models import Incident
from itsm_backup import journey
from itsm_backup.common.models import Notice
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.review_stood import stood_of
from tests.factories import make_job, make_service, make_tool, push, restore_record, run_record
from tests.portal.makers import HOUR, make_person

pytestmark = [pytest.mark.django_db, pytest.mark.req("5.5")]


@pytest.fixture
def incident(noon) -> Incident:
    """An archive whose newest copy was found damaged at noon; a restore had passed a week before."""
    start = noon - 200 * 24 * HOUR
    tool = make_tool(at=start)
    service = make_service("SVC-1", at=start, rpo_s=26 * 3600, rto_s=8 * 3600, restore_test_days=90, name="Archive")
    for name in ("nightly", "restores"):
        make_job(tool, name, at=start, service=service)
    tested = restore_record("restores", "success", noon - 7 * 24 * HOUR, minutes=30)
    push(tool, run_record("nightly", "success", noon - 3 * HOUR), tested, at=noon - 2 * HOUR)
    journey.advance(at=noon - 2 * HOUR)
    check = {"operation": "verify", "verification_state": "failed", "consistent_at": None}
    push(tool, run_record("nightly", "failed", noon - HOUR / 2, minutes=0, external_id="check", **check), at=noon)
    journey.advance(at=noon)
    return Incident.objects.get()


@pytest.fixture
def people(noon, incident):
    return {"manager": make_person("incident-manager", noon), "communications_lead": make_person("operator", noon)}


def end(incident, at) -> None:
    tool = incident.incident_alerts.get().alert.job.tool
    check = {"operation": "verify", "verification_state": "passed", "consistent_at": None}
    good = run_record("nightly", "success", at - HOUR / 4, minutes=0, external_id="check again", **check)
    push(tool, good, run_record("nightly", "success", at - HOUR / 2, minutes=0), at=at)
    journey.advance(at=at)
    incident.refresh_from_db()
    assert incident.state == "resolved"


def test_damage_is_a_broken_promise_and_copies_of_it_prove_nothing(incident, people, noon):
    end(incident, noon + HOUR)
    draft = reviewing.start(incident=incident, by=people["communications_lead"], at=noon + 2 * HOUR)
    found = {row.question: row for row in draft.answers.all()}
    assert found["rpo"].proposed == "unknown" and "found damaged copies" in found["rpo"].because
    assert found["status"].proposed == "no" and "operational all the time, while its promise was broken. A check" in found["status"].because


def test_what_was_proven_beforehand_is_not_judged_by_the_check_that_opened_it(incident, people, noon):
    end(incident, noon + HOUR)
    draft = reviewing.start(incident=incident, by=people["communications_lead"], at=noon + 2 * HOUR)
    row = draft.answers.get(question="restore")
    assert row.proposed == "yes" and "passed after 30 min" in row.because


def test_who_was_told_by_its_major_incident_is_on_record(incident, people, noon):
    said = {"by": people["manager"], "at": noon}
    made = nominating.propose(incident=incident, reason="It may be tampering", **said)
    made = leading.declare(major=made, interval_min=None, **said, **people)
    update = updating.draft(
        major=made, words="Copies are compared.", details="", audiences=["responders"], by=people["communications_lead"], at=noon
    )
    updating.send(update=update, **said)
    end(incident, noon + HOUR)
    draft = reviewing.start(incident=incident, by=people["communications_lead"], at=noon + 2 * HOUR)
    told = [line["text"] for line in draft.facts["told"]]
    assert f"{made.number}: update 1 to 3 addresses: responders 3" in told
    assert f"Mail to {people['manager'].email}: [{made.number}] Major incident, yours to lead" in told
    assert not any("Archive" in text for text in told if made.number in text)


@pytest.fixture
def refuted(noon) -> Incident:
    """An archive whose copies are fresh, and whose newest full restore failed at noon; one had passed a week before."""
    start = noon - 200 * 24 * HOUR
    tool = make_tool(at=start)
    service = make_service("SVC-1", at=start, rpo_s=26 * 3600, rto_s=8 * 3600, restore_test_days=90, name="Archive")
    for name in ("nightly", "restores"):
        make_job(tool, name, at=start, service=service)
    tested = restore_record("restores", "success", noon - 7 * 24 * HOUR, minutes=160)
    push(tool, run_record("nightly", "success", noon - 3 * HOUR), tested, at=noon - 2 * HOUR)
    journey.advance(at=noon - 2 * HOUR)
    push(tool, restore_record("restores", "failed", noon - HOUR, minutes=10), at=noon)
    journey.advance(at=noon)
    return Incident.objects.get()


def reviewed(incident, at):
    operator = make_person("operator", at)
    working.take(incident=incident, by=operator, at=at)
    ended = {"resolution": "fixed", "cause": "storage", "reason": "The image was made anew"}
    working.move(incident=incident, to="resolved", by=operator, at=at + HOUR, **ended)
    return reviewing.start(incident=incident, by=operator, at=at + 2 * HOUR)


def test_a_restore_that_failed_is_no_proof_of_recovery_time_or_point(refuted, noon):
    draft = reviewed(refuted, noon)
    found = {row.question: row for row in draft.answers.all()}
    assert found["rto"].proposed == "no"
    assert found["rto"].because == "The full restore of 14 Jul 2026 failed. 8 h were promised. One of 7 Jul 2026 had taken 2 h 40 min."
    assert found["rpo"].proposed == "unknown" and "Whether it could have been restored is not known" in found["rpo"].because
    (stood,) = [stood_of(one, Moment(at=noon, now=noon)) for one in draft.facts["services"]]
    rows = {what: (real, verdict) for what, _, real, verdict in stood.rows}
    assert rows["Restore that failed"] == ("The full restore of 14 Jul 2026 failed.", "broken")
    assert rows["Time of a restore (RTO)"] == ("not known; 2 h 40 min before", "no_data")
    assert rows["Age of the newest copy (RPO)"][1] == "no_data" and rows["Work that could have been lost"][0] == "not known"


def test_a_failed_restore_that_took_a_time_measures_none(refuted, noon):
    draft = reviewed(refuted, noon)
    entry = {**draft.facts["services"][0], "failed_test": None}
    entry["tests"] = [{"at": "2026-07-14T11:00:00Z", "scope": "full", "outcome": "failed", "duration_s": 600, "run": 1}]
    told = appraise({**draft.facts, "services": [entry]}, entry["service"])["rto"]
    assert told.answer == "unknown" and "never measured" in told.because


def test_only_what_a_mail_server_took_before_somebody_took_it_reached_anybody(refuted, noon):
    Notice.objects.filter(key__startswith=f"incident/{refuted.pk}/").update(sent_at=None, given_up_at=noon)
    told = reviewed(refuted, noon).answers.get(question="contacts")
    assert told.proposed == "unknown" and "written, and no mail server took one before somebody took it" in told.because


def test_messages_that_were_taken_later_are_not_counted(refuted, noon):
    Notice.objects.filter(key__startswith=f"incident/{refuted.pk}/").update(sent_at=noon + HOUR / 2)
    facts = reviewed(refuted, noon).facts
    assert facts["told"] and "no mail server took one" in appraise(facts, facts["services"][0]["service"])["contacts"].because
    facts["told"][0]["sent_at"] = facts["since"]
    told = appraise(facts, facts["services"][0]["service"])["contacts"]
    assert told.answer in ("yes", "unknown") and told.because.startswith("1 message was sent to who is named")
