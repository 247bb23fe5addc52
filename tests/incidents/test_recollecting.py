"""What a review finds on record where a check found damage: who was told, what was so before, and what the copies prove."""

from __future__ import annotations

import pytest

from incidents import leading, nominating, reviewing, updating
from incidents.models import Incident
from itsm_backup import journey
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
