"""One reason has one signature, whatever the class of the alert that came first; that something fails is no reason."""

from __future__ import annotations

import datetime as dt
from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection

from incidents import knowing, recurring, signing
from incidents.models import Incident, IncidentAlert, KnownError, Problem, ProblemIncident
from itsm_backup.common.models import because
from monitoring import shipping
from monitoring.models import Alert
from tests.factories import make_service
from tests.incidents.makers import HOUR, fail, make_estate
from tests.incidents.test_recurring import make_incidents

pytestmark = [pytest.mark.django_db, pytest.mark.req("5.3", "5.4")]
DAY = dt.timedelta(days=1)


def make_alert(alert_class: str, *, at: dt.datetime, cause: str = "") -> Alert:
    key = f"{alert_class}/{Alert.objects.count()}"
    return Alert.objects.create(
        dedup_key=key, alert_class=alert_class, state="firing", severity="error", priority="P4", title="It fails", cause=cause,
        cause_key=key, cause_is_specific=bool(cause), opened_at=at, last_seen_at=at, noticed_at=at,
    )  # fmt: skip


def make_incident(*alerts: Alert, at: dt.datetime, **fields) -> Incident:
    (made,) = make_incidents(0, at=at, signature="", **fields)
    for alert in alerts:
        IncidentAlert.objects.create(incident=made, alert=alert, attached_at=at)
    return made


@pytest.mark.parametrize("alert_class", ["job_failed", "rpo_breach", "job_missed"])
def test_a_rule_and_a_message_tell_one_reason_alike_whatever_came_first(noon, alert_class):
    made = make_incident(make_alert(alert_class, at=noon, cause="storage-full"), at=noon)
    recurring.study_incidents(at=noon)
    made.refresh_from_db()
    assert made.signature == signing.signature_of("write /srv/x: no space left on device") == "disk-full"


def test_the_first_alert_that_says_why_counts(noon):
    made = make_incident(make_alert("rpo_breach", at=noon), make_alert("job_failed", at=noon, cause="vault-quota"), at=noon)
    recurring.study_incidents(at=noon)
    made.refresh_from_db()
    assert made.signature == "vault-quota" and signing.words_of(made.signature) == "Vault quota"


def test_every_rule_that_comes_with_the_product_names_a_kind_that_messages_tell():
    assert {signing.reason_of(cause=one.name, message="") for one in shipping.CAUSES} <= set(signing.WORDS)


def test_what_comes_later_and_says_why_has_the_incident_studied_anew(noon):
    tool = make_estate(noon - 48 * HOUR, "a", rpo_s=6 * 3600)
    fail(tool, "a", noon - 2 * HOUR)
    incident = Incident.objects.get()
    assert incident.signature == "rpo_breach"
    fail(tool, "a", noon - HOUR, noon, message="write /srv/x/77: no space left on device")
    incident.refresh_from_db()
    assert incident.signature == "disk-full"


@pytest.mark.parametrize("alone", sorted(signing.OF_NO_CAUSE))
def test_that_it_fails_or_is_late_proposes_nothing(noon, alone):
    for code in ("SVC-a", "SVC-b", "SVC-c"):
        make_incidents(3, 2, 1, at=noon, signature=alone, service=make_service(code, at=noon - 9 * DAY))
    recurring.study_incidents(at=noon)
    assert not Problem.objects.exists() and signing.words_of(alone) in signing.CLASSES.values()


def test_the_title_of_a_single_grave_one_says_no_again(noon):
    assert recurring._how([{"rule": "major"}]) == "a major incident"
    assert recurring._how([{"rule": "major"}, {"rule": "recurrence"}]) == "again and again"


def test_words_of_signatures_of_before_and_of_messages():
    assert [signing.words_of(one) for one in ("rpo_breach: storage-full", "unable to open: no such <name>", "job_missed")] == [
        "No space left", "Unable to open: no such <name>", "Backup missed",
    ]  # fmt: skip


@pytest.fixture
def before(noon):
    """What an earlier version wrote: one reason in two signatures, two live problems, a known error of each with one title."""
    told = [make_incidents(2, 1, at=noon, signature=f"{one}: storage-full", studied_at=noon) for one in ("job_failed", "rpo_breach")]
    problems = [
        Problem.objects.create(signature=some[0].signature, title="Again", state=state, proposed_at=noon, updated_at=noon)
        for some, state in zip(told, ("proposed", "assess"), strict=True)
    ]
    for problem, some in zip(problems, told, strict=True):
        ProblemIncident.objects.bulk_create([ProblemIncident(problem=problem, incident=one, attached_at=noon) for one in some])
    Problem.objects.create(signature="rpo_breach", title="Rpo breach, again and again", proposed_at=noon, updated_at=noon)
    with because("test"):
        known = [KnownError.objects.create(signature=some[0].signature, title="Full", symptom="x", workaround="y") for some in told]
    return told, problems, known


def test_what_is_there_in_the_old_form_finds_together(before, noon):
    _, (proposed, assessed), (first, second) = before
    moved = import_module("incidents.migrations.0014_one_reason_has_one_signature")
    with connection.cursor() as cursor:
        cursor.execute(moved.INCIDENTS)
    moved.problems(apps, None)
    moved.known_errors(apps, None)
    assert set(Incident.objects.values_list("signature", "studied_at")) == {("disk-full", None)}
    states = dict(Problem.objects.values_list("pk", "state"))
    assert (states.pop(proposed.pk), states.pop(assessed.pk), *states.values()) == ("closed", "assess", "closed")
    assert ProblemIncident.objects.filter(problem=assessed).count() == 4
    assert "the same reason as" in proposed.entries.latest("pk").text
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.signature, second.signature, second.title) == ("disk-full", "disk-full", f"Full ({second.number})")
    assert second.history.latest("history_id").history_change_reason.startswith("One reason has one signature")
    assert len(knowing.KnownError.objects.filter(signature="disk-full")) == 2
    recurring.study_incidents(at=noon)
    assert Problem.objects.live().get().pk == assessed.pk
