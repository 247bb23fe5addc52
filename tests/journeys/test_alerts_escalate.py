"""A failing backup is told by its policy, level after level, through a real mail server, while the clock is set by hand."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from catalogue.models import Window
from incidents import working
from incidents.models import Escalation, EscalationPolicy, EscalationStep, Incident, Telling
from itsm_backup import journey
from itsm_backup.common.models import because
from monitoring.models import Alert
from tests.factories import make_admin, make_job, make_service, make_tool, make_user, push, run_record
from tests.incidents.makers import HOUR, MINUTE, fail, make_cause, make_estate, recover
from tests.mailbox import running_mailbox

pytestmark = [pytest.mark.django_db, pytest.mark.req("3.3")]


@pytest.fixture
def mailbox(settings):
    with running_mailbox() as (box, port):
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port, 5
        settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
        settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
        yield box


def make_policy(name: str = "Urgent", *steps: dict[str, Any], **fields: Any) -> EscalationPolicy:
    with because("test"):
        policy = EscalationPolicy.objects.create(name=name, **fields)
        for step in steps:
            EscalationStep.objects.create(policy=policy, **step)
    return policy


def arrived(mailbox: Any) -> list[tuple[str, str]]:
    return [(str(mail["To"]), str(mail["Subject"])) for mail in mailbox.messages]


def test_levels_are_told_until_somebody_acknowledges_and_again_until_it_is_over(noon, mailbox):
    lead = make_admin("lead")
    make_policy("Urgent", {}, {"after_min": 30, "tell": "person", "person": lead}, {"after_min": 60, "tell": "owner"}, repeat_min=240)
    tool = make_estate(noon - 48 * HOUR, "a")
    fail(tool, "a", noon - HOUR, noon)
    number = Incident.objects.get().number
    assert [to for to, _ in arrived(mailbox)] == ["storage@example.org"] and f"[{number}] P4" in arrived(mailbox)[0][1]
    told = mailbox.messages[0].get_content()
    assert "Urgent, level 1" in told and f"{noon + 30 * MINUTE:%H:%M} UTC unless somebody acknowledges" in told and "#deeds" in told
    journey.advance(at=noon + 29 * MINUTE)
    assert len(mailbox.messages) == 1
    journey.advance(at=noon + 30 * MINUTE)
    journey.advance(at=noon + 31 * MINUTE)
    assert [to for to, _ in arrived(mailbox)] == ["storage@example.org", "lead@example.org"]
    assert "Not acknowledged" in arrived(mailbox)[1][1]
    working.take(incident=Incident.objects.get(), by=make_user("chris"), at=noon + 40 * MINUTE)
    journey.advance(at=noon + 2 * HOUR)
    assert len(mailbox.messages) == 2, "the owner is spared"
    journey.advance(at=noon + 4 * HOUR + 40 * MINUTE)
    assert arrived(mailbox)[2][0] == "lead@example.org" and "Still open" in arrived(mailbox)[2][1]
    recover(tool, "a", noon + 5 * HOUR)
    assert sorted(to for to, subject in arrived(mailbox)[3:] if "Resolved" in subject) == ["lead@example.org", "storage@example.org"]
    journey.advance(at=noon + 40 * HOUR)
    assert len(mailbox.messages) == 5 and len(set(mailbox.ids)) == 5


def test_the_policy_is_frozen_on_the_incident(noon, mailbox):
    policy = make_policy("Urgent", {}, {"after_min": 30, "tell": "steward"})
    fail(make_estate(noon - 48 * HOUR, "a"), "a", noon - HOUR, noon)
    with because("Nobody should be woken"):
        policy.steps.get(after_min=30).delete()
    journey.advance(at=noon + 31 * MINUTE)
    assert len(mailbox.messages) == 2
    frozen = Escalation.objects.get()
    assert [one["after_min"] for one in frozen.snapshot["levels"]] == [0, 30] and frozen.policy == policy
    assert frozen.policy_version == policy.history.latest("history_id").history_id


def test_night_is_kept_for_what_can_wait(noon, mailbox):
    make_policy("Calm", {}, {"after_min": 30, "tell": "owner"}, quiet_from=dt.time(11), quiet_to=dt.time(15))
    tool = make_estate(noon - 48 * HOUR, "a")
    fail(tool, "a", noon - HOUR, noon)
    assert Incident.objects.get().priority not in ("P1", "P2") and not mailbox.messages
    journey.advance(at=noon + 3 * HOUR - MINUTE)
    assert not mailbox.messages and Escalation.objects.get().next_at == noon + 3 * HOUR
    journey.advance(at=noon + 3 * HOUR)
    journey.advance(at=noon + 3.5 * HOUR)
    assert len(mailbox.messages) == 2


def test_a_standstill_is_caught_up_without_a_storm(noon, mailbox):
    make_policy("Urgent", {}, {"after_min": 15, "tell": "owner"}, repeat_min=15)
    fail(make_estate(noon - 48 * HOUR, "a"), "a", noon - HOUR, noon)
    journey.advance(at=noon + 10 * HOUR)
    assert [one.kind for one in Telling.objects.all()] == ["notify", "escalate"]
    journey.advance(at=noon + 20 * HOUR)
    assert [one.kind for one in Telling.objects.all()] == ["notify", "escalate", "repeat"]


def test_hundreds_of_services_behind_one_dead_repository_are_told_of_once(noon, mailbox):
    make_policy("All", {}, {"after_min": 30, "tell": "owner"})
    make_cause()
    names = [f"j{number}" for number in range(30)]
    tool = make_estate(noon - 48 * HOUR, *names)
    dead = [run_record(name, "failed", when, minutes=0, native_message="no space left") for name in names for when in (noon - HOUR, noon)]
    push(tool, *dead, at=noon)
    journey.advance(at=noon)
    incident = Incident.objects.get()
    assert Alert.objects.filter(incident_alert__incident=incident).count() == 30
    assert "29 more services" in incident.title
    assert [to for to, _ in arrived(mailbox)] == ["storage@example.org"]
    journey.advance(at=noon + 31 * MINUTE)
    assert Telling.objects.filter(level=2).count() == 1


def test_a_person_who_may_not_see_it_is_stood_in_for(noon, mailbox):
    make_policy("Urgent", {"tell": "person", "person": make_user("stranger")})
    fail(make_estate(noon - 48 * HOUR, "a"), "a", noon - HOUR, noon)
    assert [to for to, _ in arrived(mailbox)] == ["storage@example.org"]
    assert "instead of stranger, who may not see the incident" in Telling.objects.get().recipients[0]["why"]
    assert "instead of stranger" in mailbox.messages[0].get_content()


def test_nothing_is_told_inside_maintenance_and_everything_is_judged_at_its_end(noon, mailbox):
    start = noon - 48 * HOUR
    service = make_service("SVC-w", at=start, rpo_s=4 * 3600)
    tool = make_tool(at=start)
    make_job(tool, "w", at=start, service=service)
    push(tool, run_record("w", "success", noon - 3 * HOUR, minutes=0), at=noon - 3 * HOUR)
    with because("test", by=make_user("planner")):
        Window.objects.create(service=service, starts_at=noon - 2 * HOUR, ends_at=noon + 4 * HOUR, purpose="New disks",
                              decided_at=noon - 10 * HOUR, decided_by=make_user())  # fmt: skip
    journey.advance(at=noon - HOUR)
    fail(tool, "w", noon - HOUR, noon)
    journey.advance(at=noon + 3 * HOUR)
    assert not mailbox.messages and not Incident.objects.exists()
    journey.advance(at=noon + 4 * HOUR + MINUTE)
    assert Alert.objects.filter(alert_class="rpo_breach", state="firing").exists() and len(mailbox.messages) == 1
