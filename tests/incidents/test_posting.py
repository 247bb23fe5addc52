"""What was sent about incidents: to whom, by which rule, what became of it; read by those who work on them or audit them."""

from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from guardian.shortcuts import assign_perm

from incidents import leading, nominating, posting, updating
from incidents.models import Incident
from itsm_backup.common.models import Notice
from itsm_backup.common.time import now
from monitoring import tokens
from tests.factories import make_user
from tests.portal.makers import make_estate, make_person

pytestmark = [pytest.mark.django_db, pytest.mark.req("5.6")]
ADDRESS = "/incidents/messages/"


@pytest.fixture
def estate():
    return make_estate(now())


@pytest.fixture
def operator(estate):
    return make_person("operator", estate.at)


@pytest.fixture
def incident(estate):
    return Incident.objects.get()


def client_of(user) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def page_of(user, **asked) -> str:
    response = client_of(user).get(ADDRESS, asked)
    assert response.status_code == 200
    return response.content.decode()


def told_of(user, at, **asked):
    rows = posting.narrowed(posting.messages_for(user, at=at), at=at, **asked)
    return posting.told(list(rows.select_related("major_delivery__message")), user=user, at=at)


def send_update(incident, operator, at):
    manager = make_person("incident-manager", at)
    make_person("stakeholder", at)
    major = nominating.propose(incident=incident, reason="The clinic waits", by=operator, at=at)
    major = leading.declare(major=major, manager=manager, communications_lead=operator, interval_min=None, by=manager, at=at)
    draft = updating.draft(major=major, words="Disks are built in.", details="", audiences=["business"], by=operator, at=at)
    updating.send(update=draft, by=manager, at=at)
    return major


def test_a_message_says_to_whom_by_which_rule_and_its_text(estate, operator, incident):
    (one,) = told_of(operator, estate.at)
    notice = Notice.objects.get(key__startswith=f"incident/{incident.pk}/")
    assert (one.about, one.to, one.state) == (incident.number, notice.recipient, "sent")
    assert one.rule.endswith(", level 1") and one.text == notice.body
    page = page_of(operator)
    assert "1 message about incidents." in page and notice.subject.split("] ")[1] in page and "Text as sent" in page
    assert f'href="/incidents/{incident.number}/"' in page


def test_updates_say_to_which_audience_and_why(estate, operator, incident):
    major = send_update(incident, operator, estate.at)
    messages = told_of(operator, estate.at, about=incident.number)
    assert {one.about for one in messages} == {incident.number, major.number}
    (update,) = [one for one in messages if one.rule.startswith("Update 1 to business users: stakeholder")]
    assert update.to.startswith("Stakeholder Person, ") and "Disks are built in." in update.text
    assert [one.rule for one in messages if "part in it" in one.rule]
    assert {one.about for one in told_of(operator, estate.at, about=major.number)} == {major.number}


@pytest.mark.parametrize(
    ("became", "state"),
    [
        ({}, "waiting"),
        ({"attempts": 3, "latest_error": "450 later"}, "refused"),
        ({"attempts": 200, "latest_error": "550 no such box"}, "failed"),
        ({"latest_error": "Not sent: replayed."}, "withheld"),
        ({"sent_at": True}, "sent"),
    ],
)
def test_the_state_is_told_and_found(estate, operator, became, state):
    became = {"sent_at": None, "attempts": 0, **became}
    if became.get("sent_at"):
        became["sent_at"] = estate.at
    if state in ("failed", "withheld"):
        became["given_up_at"] = estate.at
    Notice.objects.update(**became)
    for asked in posting.STATES:
        assert [one.state for one in told_of(operator, estate.at, state=asked)] == ([state] if asked == state else [])
    page = page_of(operator, state=state)
    assert posting.STATES[state] in page and became.get("latest_error", "") in page


def test_it_is_found_by_incident_person_and_channel(estate, operator, incident):
    notice = Notice.objects.get(key__startswith="incident/")
    send_update(incident, operator, estate.at)
    assert len(told_of(operator, estate.at, person="Stakeholder")) == 1
    assert [one.to for one in told_of(operator, estate.at, person=notice.recipient)] == [notice.recipient]
    assert told_of(operator, estate.at, about="INC-9999") == told_of(operator, estate.at, about="nonsense") == []
    assert told_of(operator, estate.at, channel="channel") == []
    assert "No message is like that." in page_of(operator, about="' OR 1=1")


def test_a_page_of_the_past_knows_only_what_was_written_and_sent_then(estate, operator):
    Notice.objects.update(sent_at=estate.at, attempts=1)
    early = estate.at - dt.timedelta(minutes=1)
    (one,) = told_of(operator, early)
    assert one.state == "waiting" and one.notice.created_at <= early
    assert told_of(operator, one.notice.created_at - dt.timedelta(seconds=1)) == []


def test_stakeholders_read_no_messages_and_who_may_not_see_the_incident_reads_none_of_it(estate):
    assert client_of(make_person("stakeholder", estate.at)).get(ADDRESS).status_code == 403
    here = make_person("operator", estate.at, services=[estate.imaging])
    elsewhere = make_person("operator", estate.at, services=[estate.research])
    assert [one.text is not None for one in told_of(here, estate.at)] == [True]
    assert told_of(elsewhere, estate.at) == []
    assert "Imaging archive" not in page_of(elsewhere)
    auditor = make_person("auditor", estate.at)
    assert [one.text is not None for one in told_of(auditor, estate.at)] == [True]
    assert [one.text for one in told_of(make_person("monitoring-admin", estate.at), estate.at)] == [None]


def test_an_incident_that_is_seen_in_part_tells_no_text(estate, incident):
    """Its words name services that are out of sight."""
    from incidents.models import IncidentAlert
    from monitoring.models import Alert

    shared = Alert.objects.filter(incident_alert__incident=incident).first()
    shared.pk, shared.service, shared.dedup_key = None, estate.research, "other"
    shared.save()
    IncidentAlert.objects.create(incident=incident, alert=shared, attached_at=estate.at)
    reader = make_user()
    for app, name in (("common", "view_notice"), ("common", "read_body_notice"), ("incidents", "view_incident")):
        reader.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=name))
    assign_perm("catalogue.view_service", reader, estate.research)
    (one,) = told_of(reader, estate.at)
    assert (one.subject, one.text) == (f"[{incident.number}]", None)
    assert "Imaging" not in page_of(reader)


def test_more_messages_ask_no_more_questions(estate, operator, incident, django_assert_num_queries):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client = client_of(operator)
    client.get(ADDRESS)
    with CaptureQueriesContext(connection) as before:
        client.get(ADDRESS)
    first = Notice.objects.get(key__startswith="incident/")
    for number in range(60):
        Notice.objects.create(
            key=f"{first.key}/{number + 1}", thread="x", recipient=f"a{number}@example.org", subject=first.subject, body="x",
            created_at=first.created_at, not_before=first.not_before,
        )  # fmt: skip
    with django_assert_num_queries(len(before)):
        page = client.get(ADDRESS).content.decode()
    assert "1 to 25 of 61" in page and "a59@example.org" in page


def test_the_api_tells_the_same(estate, operator, incident):
    token = tokens.issue(user=operator, scope="read", tool=None, at=now(), days=1)
    api = Client(headers={"Authorization": f"Bearer {token}"})
    (row,) = api.get("/api/v1/messages/", {"about": incident.number, "state": "sent"}).json()["results"]
    assert (row["about"], row["state"]) == (incident.number, "sent") and row["text"].strip() and row["rule"].endswith("level 1")
    assert api.get("/api/v1/messages/", {"state": "lost"}).status_code == 400
    stranger = tokens.issue(user=make_person("stakeholder", estate.at), scope="read", tool=None, at=now(), days=1)
    assert Client(headers={"Authorization": f"Bearer {stranger}"}).get("/api/v1/messages/").json()["results"] == []


def test_incident_and_major_incident_lead_there(estate, operator, incident):
    major = send_update(incident, operator, estate.at)
    for address, number in ((f"/incidents/{incident.number}/", incident.number), (f"/major/{major.number}/", major.number)):
        assert f'href="{ADDRESS}?about={number}"' in client_of(operator).get(address).content.decode()
    stakeholder = client_of(make_person("stakeholder", estate.at))
    assert ADDRESS not in stakeholder.get(f"/incidents/{incident.number}/").content.decode()
    assert f'href="{ADDRESS}"' in client_of(operator).get("/incidents/").content.decode()
