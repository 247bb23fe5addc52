"""Who only depends on services reads nothing of tools, storage and paths, whichever door they come through."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core import mail
from django.test import Client

from incidents import leading, nominating, reviewing, updating, working
from incidents.models import Incident, ReviewAnswer
from itsm_backup import journey
from itsm_backup.common.models import Notice
from itsm_backup.common.time import now
from monitoring import naming, tokens
from tests.factories import make_job, make_schedule, make_service, make_tool, push, run_record
from tests.incidents.makers import make_cause
from tests.portal.makers import make_person

pytestmark = [pytest.mark.django_db, pytest.mark.req("5.6")]
HOUR = dt.timedelta(hours=1)
TOOL, LABEL, STORAGE, PATH, HOST = "tell-tool-77", "Telling Controller", "TELL-POOL-5", "/srv/telling/pool5", "telling.vault.local"
TELLING = (TOOL, LABEL, STORAGE, PATH, HOST)
SAID = f"Fatal: unable to write to {PATH} on {HOST} ({STORAGE}): no space left on device"


@pytest.fixture
def at():
    return now()


@pytest.fixture
def incident(at):
    make_cause()
    start = at - 48 * HOUR
    service = make_service("SVC-003", rpo_s=4 * 3600, tier=1, at=start, name="Imaging archive", department="Radiology", success_rate="0.9")
    tool = make_tool(at=start, name=TOOL, label=LABEL)
    job = make_job(tool, "pacs-2h", at=start, service=service, repository_name=STORAGE)
    make_schedule(job, local_times=",".join(f"{(at - n * HOUR):%H:%M}" for n in range(1, 24, 2)), grace_s=3600)
    push(tool, *(run_record("pacs-2h", "success", at - hours * HOUR) for hours in range(47, 4, -2)), at=at - 4.6 * HOUR)
    journey.advance(at=at - 4.5 * HOUR)
    for hours in (3, 1):
        failed = run_record("pacs-2h", "failed", at - hours * HOUR, minutes=2, native_message=SAID, exit_code=1)
        push(tool, failed, at=at - hours * HOUR + dt.timedelta(minutes=3))
    journey.advance(at=at)
    found = Incident.objects.get()
    operator = make_person("operator", at)
    working.note(incident=found, text=f"{STORAGE} at {PATH} behind {LABEL} is cleaned", by=operator, at=at)
    return found


@pytest.fixture
def people(at, incident):
    return {name: make_person(role, at) for name, role in (("user", "stakeholder"), ("boss", "executive"), ("operator", "operator"))}


def pages_of(user) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def api_of(user) -> Client:
    return Client(headers={"Authorization": f"Bearer {tokens.issue(user=user, scope='read', tool=None, at=now(), days=1)}"})


def looked_at(text: str, where: str) -> None:
    assert not [one for one in TELLING if one.lower() in text.lower()], where


def publish_review(incident, operator, at):
    ended = {"resolution": "fixed", "cause": "storage", "reason": "new disks"}
    working.move(incident=incident, to="resolved", by=operator, at=at, **ended)
    review = reviewing.start(incident=incident, by=operator, at=at)
    for question in ReviewAnswer.Question.values:
        reviewing.answer(review=review, question=question, said="yes", note="", by=operator, at=at)
    reviewing.write(review=review, cause="The storage was full", went_wrong="Nobody watched it", by=operator, at=at)
    reviewing.submit(review=review, by=operator, at=at)
    reviewing.publish(review=review, by=make_person("change-manager", at), at=at)
    return review


def test_operators_are_told_all_of_it(incident, people):
    page = pages_of(people["operator"]).get(f"/incidents/{incident.number}/").content.decode()
    assert all(one in page for one in (STORAGE, PATH, HOST))


@pytest.mark.parametrize("who", ["user", "boss"])
def test_no_page_of_incidents_tells_them(incident, people, who):
    client = pages_of(people[who])
    page = f"/incidents/{incident.number}/"
    others = ("/", "/incidents/", "/search?q=imaging", "/major/status/business/", "/reviews/")
    for address in (page, f"{page}?impact=opening", *others):
        response = client.get(address)
        assert response.status_code == 200, address
        looked_at(response.content.decode(), address)
    assert "Imaging archive" in client.get(f"/incidents/{incident.number}/").content.decode()


def test_the_api_neither(incident, people):
    api = api_of(people["user"])
    for address in ("/api/v1/incidents/", f"/api/v1/incidents/{incident.number}/", f"/api/v1/incidents/{incident.number}/impact/"):
        response = api.get(address)
        assert response.status_code == 200, address
        looked_at(response.content.decode(), address)
    assert STORAGE in api_of(people["operator"]).get(f"/api/v1/incidents/{incident.number}/").content.decode()


def test_neither_texts_and_feed_of_a_major_incident(incident, people, at):
    manager = make_person("incident-manager", at)
    major = nominating.propose(incident=incident, reason="The clinic waits", by=people["operator"], at=at)
    major = leading.declare(
        major=major, manager=manager, communications_lead=people["operator"], interval_min=None, by=manager, at=at
    )  # fmt: skip
    said = {"words": "New disks are built in.", "details": f"{STORAGE} on {TOOL}", "audiences": ["responders", "business", "executives"]}
    updating.send(update=updating.draft(major=major, by=people["operator"], at=at, **said), by=manager, at=at)
    for name in ("user", "boss"):
        notice = Notice.objects.get(recipient=people[name].email)
        looked_at(notice.subject + notice.body, name)
    for address in ("/major/status/business/", "/major/status/business/feed", "/"):
        response = pages_of(people["user"]).get(address)
        assert response.status_code == 200, address
        looked_at(response.content.decode(), address)
    looked_at(" ".join(f"{one.subject} {one.body}" for one in mail.outbox if people["user"].email in one.to), "mail")


def test_neither_a_published_review(incident, people, at):
    review = publish_review(incident, people["operator"], at)
    for address in (f"/reviews/{review.number}/", "/reviews/"):
        response = pages_of(people["user"]).get(address)
        assert response.status_code == 200, address
        looked_at(response.content.decode(), address)
    looked_at(api_of(people["user"]).get(f"/api/v1/reviews/{review.number}/").content.decode(), "API")


def test_an_incident_that_is_named_by_a_silent_tool_is_told_by_what_they_see(incident, people):
    from incidents.models import IncidentAlert
    from monitoring.models import Alert, Tool

    silent = Alert.objects.filter(incident_alert__incident=incident).first()
    silent.pk, silent.service, silent.job, silent.tool, silent.dedup_key = None, None, None, Tool.objects.get(), "tool/1/source_stale"
    silent.title = f"{LABEL} has not answered: no reading arrived"
    silent.save()
    IncidentAlert.objects.create(incident=incident, alert=silent, attached_at=silent.opened_at)
    Incident.objects.filter(pk=incident.pk).update(title=silent.title)
    assert LABEL in Incident.objects.told_to(people["operator"]).get().told_title
    for address in ("/incidents/", "/", "/search?q=imaging"):
        looked_at(pages_of(people["user"]).get(address).content.decode(), address)


def test_only_what_is_inside_is_left_out():
    told = naming.leaving_out([LABEL])(f"{LABEL}: {PATH}/a is full, the pool and/or Imaging archive")
    assert told == "…: … is full, the pool and/or Imaging archive"
