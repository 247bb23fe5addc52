"""Who would be told when: a fault now and past days again, in force and with a draft; nothing is sent by asking."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from catalogue.models import Service
from incidents import choosing, simulating, working
from incidents.models import Escalation, EscalationPolicy, EscalationStep, Incident, Telling
from itsm_backup.common.models import Notice, because
from tests.catalogue.makers import make_service
from tests.factories import make_admin, make_user
from tests.incidents.makers import HOUR, MINUTE, fail, make_estate

pytestmark = [pytest.mark.django_db, pytest.mark.req("3.3")]


def make_policy(name: str, *steps: dict[str, Any], **fields: Any) -> EscalationPolicy:
    with because("test"):
        policy = EscalationPolicy.objects.create(name=name, **fields)
        for step in steps:
            EscalationStep.objects.create(policy=policy, **step)
    return policy


@pytest.fixture
def estate(noon):
    tool = make_estate(noon - 48 * HOUR, "a", "b")
    fail(tool, "a", noon - 3 * HOUR, noon - 2 * HOUR)
    return tool


def counts() -> tuple[int, ...]:
    return tuple(model.objects.count() for model in (Notice, Telling, Escalation, Incident))


def test_a_fault_now_says_who_when_and_by_which_rule(estate, noon):
    lead = make_admin("lead")
    make_policy("Urgent", {}, {"after_min": 30, "tell": "person", "person": lead}, priorities=["P1"], repeat_min=24 * 60)
    before = counts()
    course = simulating.fault_now(service=Service.objects.get(code="SVC-b"), priority="P1", draft=None, at=noon)
    assert [(one.at, one.who, one.rule) for one in course.now[:3]] == [
        (noon, "Storage", "Urgent, level 1"),
        (noon + 30 * MINUTE, "lead", "Urgent, level 2"),
        (noon + 24.5 * HOUR, "lead", "Urgent, level 2, again"),
    ]
    calm = simulating.fault_now(service=Service.objects.get(code="SVC-b"), priority="", draft=None, at=noon)
    assert [(one.who, one.rule) for one in calm.now] == [("Storage", "Operations team, once, level 1")]
    assert calm.incident.priority_reason.startswith("Impact medium (tier 2)")
    assert counts() == before and not Incident.objects.filter(service__code="SVC-b").exists()


def test_the_policy_that_an_entry_names_counts_before_those_for_its_tier(estate, noon):
    lead = make_admin("lead")
    make_policy("For all", {})
    own = make_policy("Night shift", {"tell": "person", "person": lead}, tiers=[4], priorities=["P1", "P3"])
    service = Service.objects.get(code="SVC-b")
    make_service("SVC-b", at=noon - HOUR, escalation_policy="Night shift")

    def rules(priority):
        return {one.rule for one in simulating.fault_now(service=service, priority=priority, draft=None, at=noon).now}

    assert rules("P3") == {"Night shift, level 1"}
    assert rules("P2") == {"For all, level 1"}, "the policy is for other priorities"
    assert choosing.named_by([service.pk, None], at=noon - 2 * HOUR) == {}, "the version of before named none"
    fail(estate, "b", noon - 30 * MINUTE, noon)
    begun = Escalation.objects.get(incident__service=service)
    assert begun.policy == (own if begun.priority in own.priorities else EscalationPolicy.objects.get(name="For all"))
    with because("test"):
        own.enabled = False
        own.save()
    assert rules("P3") == {"For all, level 1"} and choosing.missing("Night shift") and not choosing.missing("For all")


def test_a_draft_is_compared_with_what_is_in_force_in_words(estate, noon):
    lead = make_admin("lead")
    draft = make_policy("Draft", {"after_min": 10}, {"after_min": 30, "tell": "person", "person": lead}, enabled=False)
    course = simulating.fault_now(service=Service.objects.get(code="SVC-b"), priority="P3", draft=draft, at=noon)
    assert [one.who for one in course.now] == ["Storage"] and [one.who for one in course.then] == ["Storage", "lead"]
    assert simulating.difference([course]) == [
        "1 of 1 incident would be told otherwise.", "2 messages instead of 1.", "lead: 1 instead of 0, 1 more.",
    ]  # fmt: skip
    assert EscalationPolicy.objects.get(name="Draft").enabled is False


def test_past_days_are_replayed_as_they_were_acknowledged(estate, noon):
    lead = make_admin("lead")
    working.take(incident=Incident.objects.get(), by=lead, at=noon - 90 * MINUTE)
    draft = make_policy("Draft", {}, {"after_min": 20, "tell": "person", "person": lead}, {"after_min": 60, "tell": "owner"}, enabled=False)
    before = counts()
    (course,) = simulating.replay(user=lead, days=90, draft=draft, at=noon)
    assert (
        [(one.at, one.who) for one in course.now]
        == [(noon - 2 * HOUR, "Storage")]
        == [(told.at, told.recipients[0]["who"]) for told in Telling.objects.all()]
    ), "as it really was"
    assert [one.at - noon + 2 * HOUR for one in course.then] == [dt.timedelta(), 20 * MINUTE], "acknowledged before the owner's turn"
    assert simulating.replay(user=make_user(), days=90, draft=draft, at=noon) == []
    assert simulating.replay(user=lead, days=7, draft=None, at=noon + 24 * HOUR * 8) == []
    assert counts() == before


def test_a_replay_of_many_incidents_takes_few_questions(estate, noon, django_assert_max_num_queries):
    lead = make_admin("lead")
    draft = make_policy("Draft", {}, {"after_min": 20, "tell": "person", "person": lead}, {"after_min": 60, "tell": "owner"}, enabled=False)
    one = Incident.objects.get()
    for number in range(60):
        Incident.objects.create(
            cause_key=f"k{number}", title=f"t{number}", priority="P3", impact="low", urgency="high", priority_reason="r",
            service=one.service, team=one.team, opened_at=noon - HOUR, updated_at=noon,
        )  # fmt: skip
    with django_assert_max_num_queries(20):
        found = simulating.replay(user=lead, days=90, draft=draft, at=noon)
    assert len(found) == 61


def test_the_same_is_said_where_nothing_differs(estate, noon):
    draft = make_policy("Draft", {}, priorities=["P1"], enabled=False)
    courses = simulating.replay(user=make_admin(), days=90, draft=draft, at=noon)
    assert simulating.difference(courses) == ["The draft changes nothing: the same people are told at the same times."]


def test_the_api_answers_and_refuses(client, estate):
    draft = make_policy("Draft", {"after_min": 10}, enabled=False)
    client.force_login(make_admin("boss"), backend="django.contrib.auth.backends.ModelBackend")
    address = "/api/v1/escalation-policies/simulation/"
    told = client.get(address, {"service": "SVC-b", "priority": "P2", "draft": draft.pk}).json()
    assert told["difference"][0] == "1 of 1 incident would be told otherwise."
    assert told["courses"][0]["now"][0]["who"] == "Storage" and told["courses"][0]["incident"] is None
    assert client.get(address).status_code == 200
    for wrong in ({"days": 5}, {"draft": 999}, {"service": "SVC-b", "priority": "P9"}):
        assert client.get(address, wrong).status_code == 400
    assert client.get(address, {"service": "nowhere"}).status_code == 404
    client.force_login(make_user(), backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(address).status_code == 403
