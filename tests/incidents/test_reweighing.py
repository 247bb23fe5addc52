"""The priority is reckoned again when runs, statuses or the catalogue change; what was kept at the opening stays."""

from __future__ import annotations

import pytest

from catalogue.models import Relation
from incidents import closing, overruling, working
from incidents.models import Incident, MajorIncident
from itsm_backup import journey
from itsm_backup.common.models import Notice, because
from tests.factories import make_job, make_service, make_tool, make_user, push, run_record
from tests.incidents.makers import HOUR, MINUTE, fail, make_estate, recover

pytestmark = [pytest.mark.django_db, pytest.mark.req("5.2")]


@pytest.fixture
def tool(noon):
    """A tier 3 service that promises 10 hours; its newest copy is 5 hours old at noon, and two runs have failed."""
    start = noon - 48 * HOUR
    tool = make_tool(at=start)
    make_job(tool, "a", at=start, service=make_service("SVC-a", at=start, rpo_s=10 * 3600, tier=3))
    push(tool, run_record("a", "success", noon - 5 * HOUR, minutes=0), at=noon - 4 * HOUR)
    journey.advance(at=noon - 4 * HOUR)
    fail(tool, "a", noon - 2 * HOUR, noon - HOUR)
    return tool


def make_critical_consumer(at):
    consumer = make_service("SVC-er", at=at - 48 * HOUR, tier=1, name="Emergency board")
    with because("test"):
        return Relation.objects.create(provider=Incident.objects.get().service, consumer=consumer)


def test_a_relation_that_is_added_raises_it_is_told_and_leaves_the_copy_of_the_opening(tool, noon):
    before = Incident.objects.get()
    assert (before.priority, before.impact) == ("P5", "low")
    make_critical_consumer(noon)
    journey.advance(at=noon)
    incident = Incident.objects.get()
    assert (incident.priority, incident.impact) == ("P3", "high")
    assert incident.entries.filter(kind="priority", text__startswith="P3, was P5. Impact high (tier 1)").exists()
    assert incident.impact_at_opening == before.impact_at_opening
    told = Notice.objects.order_by("-pk").first()
    assert told.subject.startswith(f"[{incident.number}] P3, was P5") and "More depends on it now" in told.body
    assert incident.breach_at == incident.acknowledge_by != before.acknowledge_by


def test_it_sinks_when_the_relation_is_gone_and_nobody_is_bothered(tool, noon):
    relation = make_critical_consumer(noon)
    journey.advance(at=noon)
    told = Notice.objects.count()
    with because("test"):
        relation.delete()
    journey.advance(at=noon + MINUTE)
    assert (Incident.objects.get().priority, Notice.objects.count()) == ("P5", told)


def test_the_age_of_the_newest_copy_raises_it(tool, noon):
    journey.advance(at=noon + 4.5 * HOUR)  # 9 h 30 min of 10 hours
    assert Incident.objects.get().urgency == "medium"
    journey.advance(at=noon + 6 * HOUR)
    assert (Incident.objects.get().urgency, Incident.objects.get().priority) == ("high", "P3")


def test_it_does_not_sink_where_nothing_is_known(tool, noon):
    from monitoring.models import ServiceState

    make_critical_consumer(noon)
    journey.advance(at=noon)
    ServiceState.objects.update(verdict="no_data", captured_at=None)
    Incident.objects.update(priority="P1", weighed_at=None)
    journey.advance(at=noon + MINUTE)
    assert Incident.objects.get().priority == "P1"


def test_what_a_person_reopens_is_weighed_by_what_is_so_now(tool, noon):
    """It has no schedule, so that nothing is judged but the age of its copies, which is known."""
    make_critical_consumer(noon)
    journey.advance(at=noon + 6 * HOUR)
    recover(tool, "a", noon + 6 * HOUR + MINUTE)
    before = Incident.objects.get()
    assert (before.state, before.priority, before.urgency) == ("resolved", "P1", "high")
    working.move(incident=before, to="in_progress", reason="It is full again", by=make_user(), at=noon + 7 * HOUR)
    journey.advance(at=noon + 7 * HOUR)
    incident = Incident.objects.get()
    assert (incident.state, incident.priority, incident.urgency) == ("in_progress", "P3", "low")
    assert incident.judged_at > before.judged_at and not MajorIncident.objects.filter(proposed_at=noon + 7 * HOUR).exists()


def test_nothing_is_asked_twice_when_nothing_changed(tool, noon, django_assert_max_num_queries):
    from incidents import reweighing

    journey.advance(at=noon)
    with django_assert_max_num_queries(2):
        assert reweighing.weigh_changed(at=noon) == 0


def test_a_person_sets_it_until_more_is_reckoned(tool, noon):
    person = make_user("lena")
    with pytest.raises(working.NotPossible, match="Say why"):
        overruling.set_priority(incident=Incident.objects.get(), priority="P1", reason="", by=person, at=noon)
    overruling.set_priority(incident=Incident.objects.get(), priority="P4", reason="audit is here", by=person, at=noon)
    journey.advance(at=noon)
    assert Incident.objects.get().priority == "P4"
    make_critical_consumer(noon)
    journey.advance(at=noon + MINUTE)
    incident = Incident.objects.get()
    assert (incident.priority, incident.priority_set) == ("P3", "")
    overruling.set_priority(incident=incident, priority="P5", reason="only a test system", by=person, at=noon + MINUTE)
    journey.advance(at=noon + 10 * MINUTE)
    assert Incident.objects.get().priority == "P5"
    overruling.set_priority(incident=Incident.objects.get(), priority="", reason="it is none", by=person, at=noon + 11 * MINUTE)
    assert Incident.objects.get().priority == "P3"


def test_what_is_over_closes_after_five_days_and_reopens_for_two_more(noon):
    tool = make_estate(noon - 48 * HOUR, "a")
    fail(tool, "a", noon - 2 * HOUR, noon - HOUR)
    person = make_user()
    working.move(
        incident=Incident.objects.get(), to="resolved", resolution="accepted", cause="unknown", reason="old system", by=person, at=noon
    )
    assert closing.close_settled(at=noon + 119 * HOUR) == 0
    assert closing.close_settled(at=noon + 120 * HOUR) == 1
    incident = Incident.objects.get()
    assert (incident.state, incident.closed_at) == ("closed", noon + 120 * HOUR)
    reopened = working.move(incident=incident, to="in_progress", reason="again", by=person, at=noon + 167 * HOUR)
    assert (reopened.state, reopened.closed_at, reopened.resolution) == ("in_progress", None, "")


def test_who_was_told_is_told_when_a_person_raises_it(tool, noon):
    incident, person = Incident.objects.get(), make_user("lena", first_name="Lena", last_name="Ott")
    before = Notice.objects.count()
    overruling.set_priority(incident=incident, priority="P5", reason="only a test system", by=person, at=noon)
    assert Notice.objects.count() == before
    overruling.set_priority(incident=incident, priority="P1", reason="the ward stands still", by=person, at=noon)
    mail = Notice.objects.latest("pk")
    assert "P1, was P5" in mail.subject and "set by Lena Ott: the ward stands still." in mail.body
    with pytest.raises(working.NotPossible, match="P1 by hand already"):
        overruling.set_priority(incident=incident, priority="P1", reason="again", by=person, at=noon)
