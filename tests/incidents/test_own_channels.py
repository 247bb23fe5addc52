"""A person's own channels: told there beside mail, once what arrived there was entered; never shown, never to anybody else."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.db import IntegrityError, transaction

from catalogue.refusing import NotReady
from incidents import confirming, delivering, preferring, reaching
from incidents.models import Incident, OwnChannel, Telling
from itsm_backup import journey
from itsm_backup.common.http.addresses import Allowed
from itsm_backup.common.models import Notice, because
from itsm_backup.common.time import now
from tests.factories import make_admin, make_user
from tests.incidents.makers import HOUR, MINUTE, fail, make_estate, recover
from tests.journeys.test_alerts_escalate import make_policy
from tests.toolserver import Says, tool_server

pytestmark = [pytest.mark.django_db, pytest.mark.req("3.3")]


@pytest.fixture
def server(settings):
    with tool_server(lambda asked: Says(body={"ok": True})) as running:
        settings.TOOL_ADDRESSES = Allowed("127.0.0.1")
        yield running


def enter(person, server, at, **more):
    said = {
        "name": "Phone",
        "kind": "webhook",
        "address": f"{server.address}/phone",
        "key": "",
        "priorities": ["P1", "P2", "P3", "P4", "P5"],
    }
    return confirming.add(**{**said, **more}, by=person, at=at)


def code_in(asked):
    return re.search(r"\d{6}", asked.json["text"])[0]


def confirmed(person, server, at, **more):
    row = enter(person, server, at, **more)
    delivering.send(at=at)
    confirming.confirm(row=row, code=code_in(server.asked[-1]), by=person, at=at + MINUTE)
    return row


def test_nothing_but_its_code_goes_to_an_address_before_the_code_came_back(noon, server):
    lead = make_admin("lead")
    make_policy("Mine", {"tell": "person", "person": lead})
    tool = make_estate(noon - 48 * HOUR, "a")
    row = enter(lead, server, noon - 2 * HOUR)
    fail(tool, "a", noon - HOUR, noon)
    (asked,) = server.asked
    assert asked.json["subject"] == "Is this yours? A code for Phone"
    sent = Notice.objects.exclude(key__startswith="own-channel/").values_list("recipient", flat=True)
    assert set(sent) == {"lead@example.org"}
    with pytest.raises(NotReady, match="counts no more"):
        confirming.confirm(row=row, code=code_in(asked), by=lead, at=noon)  # two hours later
    confirming.ask_again(row=row, by=lead, at=noon)
    delivering.send(at=noon)
    confirming.confirm(row=row, code=code_in(server.asked[-1]), by=lead, at=noon + MINUTE)
    recover(tool, "a", noon + HOUR)
    fail(tool, "a", noon + 5 * HOUR, noon + 6 * HOUR)
    told = [asked.json["subject"] for asked in server.asked[2:]]
    assert len(told) == 1 and told[0].startswith(f"[{Incident.objects.latest('pk').number}]")
    assert Telling.objects.latest("pk").recipients[-1]["who"] == "lead, Phone"


def test_a_wrong_code_counts_and_after_five_another_one_is_needed(noon, server):
    person = make_user("pia")
    row = enter(person, server, noon)
    delivering.send(at=noon)
    code = code_in(server.asked[0])
    wrong = "000000" if code != "000000" else "111111"
    for _ in range(5):
        with pytest.raises(NotReady, match="not the code"):
            confirming.confirm(row=row, code=wrong, by=person, at=noon)
    with pytest.raises(NotReady, match="counts no more"):
        confirming.confirm(row=row, code=code, by=person, at=noon)
    with pytest.raises(NotReady, match="less than a minute"):
        confirming.ask_again(row=row, by=person, at=noon)
    with pytest.raises(NotReady, match="taken away"):
        confirming.confirm(row=row, code=code, by=make_user("thief"), at=noon)
    assert OwnChannel.objects.get().confirmed_at is None


def test_it_is_told_only_of_what_it_is_for_and_of_what_does_not_wait_for_the_digest(noon, server):
    lead = make_admin("lead")
    confirmed(lead, server, noon - HOUR, priorities=["P1", "P2"])
    confirmed(lead, server, noon - HOUR, name="Desk", priorities=["P4"])
    make_estate(noon - 48 * HOUR, "a")
    incident = Incident(priority="P4", service=None, pk=None, title="x")
    directory = reaching.Directory(at=noon)
    directory.sees = lambda person, incident: True
    target = [{"tell": "person", "person": lead.pk, "team": None, "name": "lead"}]
    reached = reaching.reach(target, incident=incident, at=noon, directory=directory)
    assert [one.words for one in reached] == ["lead", "lead, Desk"]
    preferring.prefer(by=lead, digest="daily", told_at=dt.time(7), zone="UTC", waits=["P4"], at=noon)
    other = reaching.Recipient(who="Storage", address="storage@example.org", thread="team/1")
    now_ = preferring.told_now([*reached, other], priority="P4", bypass=["P1"], waits=preferring.what_waits())
    assert now_ == [other], "neither by mail nor there"


def test_who_may_not_see_it_is_told_nowhere_and_who_has_no_mail_is_told_there(noon, server):
    blind, there = make_user("blind"), make_admin("there")
    there.email = ""
    there.save()
    confirmed(blind, server, noon - 3 * HOUR)
    confirmed(there, server, noon - 3 * HOUR)
    make_policy("Both", {"tell": "person", "person": blind}, {"tell": "person", "person": there})
    fail(make_estate(noon - 48 * HOUR, "a"), "a", noon - HOUR, noon)
    told = [reaching.Recipient(**one).words for one in Telling.objects.get().recipients]
    assert told == ["Storage (instead of blind, who may not see the incident)", "there, Phone"]


def test_what_is_taken_away_gets_nothing_more(noon, server):
    lead = make_admin("lead")
    make_policy("Mine", {"tell": "person", "person": lead})
    row = confirmed(lead, server, noon - 3 * HOUR)
    tool = make_estate(noon - 48 * HOUR, "a")
    server.replies = lambda asked: Says(status=503)
    fail(tool, "a", noon - HOUR, noon)
    assert Notice.objects.filter(recipient=row.key, sent_at=None, given_up_at=None).count() == 1
    key = row.key
    confirming.remove(row=row, by=lead, at=noon + MINUTE)
    server.replies = lambda asked: Says(body={})
    before = len(server.asked)
    recover(tool, "a", noon + HOUR)
    journey.advance(at=noon + 2 * HOUR)
    assert len(server.asked) == before and not Notice.objects.filter(recipient=key, sent_at=None, given_up_at=None).exists()


def test_what_does_not_go_is_said_and_the_database_holds_it_too(noon, server):
    person = make_user("pia")
    with pytest.raises(NotReady) as told:
        enter(person, server, noon, address="gopher://x", kind="service", priorities=[])
    assert any("gopher:// is not among" in one for one in told.value.problems) and len(told.value.problems) == 2
    enter(person, server, noon)
    with pytest.raises(NotReady, match="a channel Phone already"):
        enter(person, server, noon)
    with pytest.raises(IntegrityError), transaction.atomic(), because("by hand"):
        OwnChannel.objects.create(person=person, name="x", kind="webhook", secrets={}, code_hash="-", asked_at=noon, priorities=["P9"])


def test_the_page_takes_confirms_and_forgets_one_and_never_shows_its_address(client, server):
    person = make_user("pia")
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    sent = {"name": "Phone", "kind": "webhook", "address": "nonsense", "priorities": ["P1"]}
    answer = client.post("/digest/channels/add", sent)
    assert answer.status_code == 409 and "nonsense" in answer.content.decode() and "Write a whole address" in answer.content.decode()
    client.post("/digest/channels/add", {**sent, "address": f"{server.address}/secret-path", "key": "correct horse"})
    row = OwnChannel.objects.get()
    assert "secret-path" not in client.get("/digest/").content.decode()
    assert client.get("/api/v1/own-channels/").json() == [
        {"id": row.pk, "name": "Phone", "kind": "webhook", "priorities": ["P1"], "confirmed_at": None}
    ]
    delivering.send(at=now())
    assert client.post(f"/digest/channels/{row.pk}/confirm", {"code": "x"}).status_code == 409
    assert client.post(f"/digest/channels/{row.pk}/confirm", {"code": code_in(server.asked[0])}).status_code == 302
    assert "Confirmed" in client.get("/digest/").content.decode()
    stranger = make_user("sam")
    client.force_login(stranger, backend="django.contrib.auth.backends.ModelBackend")
    assert client.post(f"/digest/channels/{row.pk}/remove").status_code == 404
    assert client.delete(f"/api/v1/own-channels/{row.pk}/").status_code == 404
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    assert client.post(f"/digest/channels/{row.pk}/remove").status_code == 302 and not OwnChannel.objects.exists()


def test_whose_account_is_switched_off_is_told_nothing_more_and_the_team_stands_in(noon, server):
    lead = make_admin("lead")
    make_policy("Mine", {"tell": "person", "person": lead})
    tool = make_estate(noon - 48 * HOUR, "a")
    confirmed(lead, server, noon - 2 * HOUR)
    fail(tool, "a", noon - HOUR, noon)
    before, asked = Notice.objects.latest("pk").pk, len(server.asked)
    lead.is_active = False
    lead.save()
    recover(tool, "a", noon + HOUR)
    assert [one.recipient for one in Notice.objects.filter(pk__gt=before)] == ["storage@example.org"] and len(server.asked) == asked
    assert "instead of lead, who is not there" in Incident.objects.get().entries.filter(kind="mail").latest("pk").text


def test_who_may_not_see_it_any_more_is_stood_in_for(noon, server):
    lead = make_admin("lead")
    make_policy("Mine", {"tell": "person", "person": lead})
    tool = make_estate(noon - 48 * HOUR, "a")
    fail(tool, "a", noon - HOUR, noon)
    lead.is_superuser = False
    lead.save()
    recover(tool, "a", noon + HOUR)
    assert Notice.objects.latest("pk").recipient == "storage@example.org"


def test_an_address_where_nothing_would_arrive_is_refused_at_once(noon, server):
    with pytest.raises(NotReady, match="TOOL_ADDRESSES"):
        enter(make_user("pia"), server, noon, address="http://10.9.8.7/latest")
    assert not OwnChannel.objects.exists()
