"""One incident per cause, whoever comes first and whenever the journey came by."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalogue.models import Relation, Service
from incidents import working
from incidents.models import Incident, IncidentAlert
from itsm_backup import journey
from itsm_backup.common.models import Notice, because
from monitoring import workflow
from monitoring.models import Alert, ToolState
from tests.factories import make_job, make_service, make_tool
from tests.incidents.makers import HOUR, MINUTE, fail, make_cause, make_estate, make_user, recover

pytestmark = pytest.mark.django_db


@pytest.fixture
def start(noon):
    return noon - dt.timedelta(days=2)


def kinds(incident) -> list[str]:
    return list(incident.entries.order_by("at", "pk").values_list("kind", flat=True))


def test_a_first_failure_opens_none(start, noon):
    fail(make_estate(start, "a"), "a", noon)
    assert not Incident.objects.exists()
    assert Alert.objects.get().state == "firing"


def test_the_second_opens_one_and_writes_one_message_to_the_team(start, noon):
    tool = make_estate(start, "a")
    fail(tool, "a", noon - HOUR)
    fail(tool, "a", noon)
    incident, notice = Incident.objects.get(), Notice.objects.get()
    assert (incident.state, incident.service.code, incident.opened_at) == ("new", "SVC-a", noon - HOUR)
    assert (notice.recipient, notice.thread) == ("storage@example.org", f"incident/{incident.pk}")
    assert kinds(incident) == ["opened", "mail", "repeated"]
    assert incident.impact_at_opening["services"][0]["code"] == "SVC-a"


def test_its_mail_names_the_nearest_that_depend_on_it_and_counts_the_rest(start, noon):
    tool, needed = make_estate(start, "a"), Service.objects.get(code="SVC-a")
    for number in range(23):
        with because("test"):
            Relation.objects.create(consumer=make_service(f"WARD-{number:02}", name=f"Ward {number:02}", at=start), provider=needed)
    fail(tool, "a", noon - HOUR)
    fail(tool, "a", noon)
    mail = Notice.objects.get().body
    assert mail.count("  Ward ") == 20 and "  and 3 more\n" in mail
    assert len(Incident.objects.get().impact_at_opening["consumers"]) == 23, "the frozen copy has them all"


def test_three_more_failures_join_it(start, noon):
    tool = make_estate(start, "a")
    for minutes in (120, 90, 60, 30, 0):
        fail(tool, "a", noon - minutes * MINUTE)
    assert (Incident.objects.count(), Notice.objects.count(), Alert.objects.get().occurrences) == (1, 1, 5)


def test_jobs_of_one_cause_share_an_incident_and_others_do_not(start, noon):
    make_cause()
    tool = make_estate(start, "a", "b", "c")
    for name in ("a", "b"):
        fail(tool, name, noon - HOUR, noon, message="No space left on device")
    fail(tool, "c", noon - HOUR, noon, message="password wrong")
    assert Incident.objects.count() == 2
    assert IncidentAlert.objects.filter(incident__cause_key=f"tool:{tool.pk}").count() == 2


def test_a_first_failure_joins_the_incident_of_its_cause(start, noon):
    make_cause()
    tool = make_estate(start, "a", "b")
    fail(tool, "a", noon - HOUR, noon - 30 * MINUTE, message="no space left")
    fail(tool, "b", noon - 20 * MINUTE, at=noon, message="no space left")
    assert Incident.objects.get().incident_alerts.count() == 2


def test_a_first_failure_joins_it_even_when_it_was_over_before_anybody_looked(start, noon):
    make_cause()
    tool = make_estate(start, "a", "b")
    fail(tool, "a", noon - 5 * HOUR, noon - 4 * HOUR, at=noon, message="no space left", now=False)
    fail(tool, "b", noon - 3 * HOUR, at=noon, message="no space left", now=False)
    recover(tool, "b", noon - 2 * HOUR, at=noon)
    assert Incident.objects.get().incident_alerts.count() == 2


def test_a_late_word_of_what_began_before_the_end_reopens_the_incident(start, noon):
    make_cause()
    tool = make_estate(start, "a", "b")
    fail(tool, "a", noon - 5 * HOUR, noon - 4 * HOUR, message="no space left")
    recover(tool, "a", noon - 2 * HOUR)
    assert Incident.objects.get().state == "resolved"
    fail(tool, "b", noon - 3 * HOUR, noon - HOUR, at=noon, message="no space left")
    incident = Incident.objects.get()
    assert (incident.state, incident.resolved_at, incident.incident_alerts.count()) == ("new", None, 2)
    recover(tool, "b", noon + HOUR)
    assert Incident.objects.get().state == "resolved"


def test_a_new_failure_after_the_end_is_a_new_incident(start, noon):
    tool = make_estate(start, "a")
    fail(tool, "a", noon - 9 * HOUR, noon - 8 * HOUR)
    recover(tool, "a", noon - 6 * HOUR)
    fail(tool, "a", noon - 2 * HOUR, noon - HOUR)
    assert sorted(Incident.objects.values_list("state", flat=True)) == ["new", "resolved"]


@pytest.mark.parametrize("looked", [True, False])
def test_it_makes_the_same_incidents_whether_or_not_somebody_looked_in_between(start, noon, looked):
    tool = make_estate(start, "a")
    fail(tool, "a", noon - 9 * HOUR, noon - 8 * HOUR, now=looked)
    recover(tool, "a", noon - 6 * HOUR, now=looked)
    fail(tool, "a", noon - 2 * HOUR, noon - HOUR, now=looked)
    journey.advance(at=noon)
    rows = Incident.objects.order_by("opened_at").values_list("state", "opened_at", "resolved_at")
    assert list(rows) == [("resolved", noon - 9 * HOUR, noon - 6 * HOUR), ("new", noon - 2 * HOUR, None)]
    assert Notice.objects.count() == 3


def test_it_is_open_again_when_it_fails_again_within_the_hour(start, noon):
    """The alert reopens, so its incident must: nothing else would tell anybody. That it flaps is another matter, and left out."""
    with because("test"):
        row = workflow.current()
        row.flap_start_ratio = 1
        row.save()
    tool = make_estate(start, "a")
    fail(tool, "a", noon - 3 * HOUR, noon - 2 * HOUR)
    recover(tool, "a", noon - HOUR)
    assert Incident.objects.get().state == "resolved"
    fail(tool, "a", noon - 30 * MINUTE)
    incident = Incident.objects.get()
    assert (incident.state, incident.resolved_at) == ("new", None)
    assert [notice.subject.split("] ")[1][:9] for notice in Notice.objects.order_by("pk")][1:] == [
        "Resolved:",
        f"{incident.priority} Again:",
    ]
    recover(tool, "a", noon)
    assert Incident.objects.get().state == "resolved"
    assert Notice.objects.count() == 4


def test_what_a_person_resolved_stays_resolved_until_it_happens_again(start, noon):
    tool = make_estate(start, "a")
    fail(tool, "a", noon - 3 * HOUR, noon - 2 * HOUR)
    incident = working.move(
        incident=Incident.objects.get(),
        to="resolved",
        resolution="fixed",
        cause="storage",
        reason="Test system",
        by=make_user(),
        at=noon - HOUR,
    )
    journey.advance(at=noon)
    incident.refresh_from_db()
    assert incident.state == "resolved"
    fail(tool, "a", noon)
    incident.refresh_from_db()
    assert incident.state == "new"


def test_what_was_long_over_when_it_became_known_opens_none(start, noon):
    tool = make_estate(noon - dt.timedelta(days=40), "a")
    fail(tool, "a", noon - dt.timedelta(days=20), noon - dt.timedelta(days=19), at=noon, now=False)
    recover(tool, "a", noon - dt.timedelta(days=18), at=noon)
    assert Alert.objects.get().severity == "error"
    assert not Incident.objects.exists()


def test_a_better_known_cause_takes_the_incident_over(start, noon):
    make_cause()
    tool = make_estate(start, "a", "b")
    fail(tool, "a", noon - 3 * HOUR, noon - 2 * HOUR)
    fail(tool, "a", noon - HOUR, message="no space left")
    fail(tool, "b", noon - 30 * MINUTE, noon, message="no space left")
    incident = Incident.objects.get()
    assert (incident.cause_key, incident.incident_alerts.count()) == (f"tool:{tool.pk}", 2)
    assert incident.title == "Backups of SVC-a and 1 more service fail because the storage is full"


def test_a_silent_tool_is_one_incident_with_the_service_it_hurts_most(noon):
    tool = make_tool("restic", at=noon - 9 * HOUR, settings={"repository": "/r"}, poll_interval_s=900)
    for number, tier in enumerate((3, 1, 2)):
        make_job(tool, f"job-{number}", at=noon - 9 * HOUR, service=make_service(f"SVC-{number}", at=noon - 9 * HOUR, tier=tier))
    journey.advance(at=noon)
    incident = Incident.objects.get()
    assert (incident.service.code, incident.title) == ("SVC-1", f"{tool} has not answered: no reading arrived")
    assert [one["code"] for one in incident.impact_at_opening["services"]] == ["SVC-0", "SVC-1", "SVC-2"]
    ToolState.objects.update(latest_complete_at=noon + HOUR, next_judgement_at=noon + HOUR)
    journey.advance(at=noon + HOUR)
    assert not Alert.objects.open().filter(alert_class="source_stale").exists()


def test_an_incident_is_written_once_when_it_opens(start, noon):
    tool = make_estate(start, "a")
    fail(tool, "a", noon - 2 * HOUR, now=False)
    fail(tool, "a", noon - HOUR, at=noon, now=False)
    with CaptureQueriesContext(connection) as seen:
        journey.advance(at=noon)
    told = [one["sql"] for one in seen]
    made = next(place for place, sql in enumerate(told) if sql.startswith('INSERT INTO "incidents_incident"'))
    linked = next(place for place, sql in enumerate(told) if sql.startswith('INSERT INTO "incidents_incidentalert"'))
    between = [sql for sql in told[made + 1 : linked] if not sql.startswith(("SAVEPOINT", "RELEASE"))]
    assert [sql[:40] for sql in between] == ['INSERT INTO "incidents_incidententry" ("'[:40]]
    assert not told[linked + 1].startswith('UPDATE "incidents_incident"')
