"""Replies by mail, as a mail server hands them over: taken once, from whom it vouches for, for the thread that they answer."""

from __future__ import annotations

import io
import sys

import pytest
from django.core.management import call_command

from incidents import leading, nominating, reading_mail, replying
from incidents.models import Incident, Reply
from itsm_backup.common.models import Notice
from tests.incidents.makers import HOUR, fail, make_estate
from tests.portal.makers import make_person

pytestmark = [pytest.mark.django_db, pytest.mark.req("5.1")]
SERVER = "mx.example.org"
PASSED = f"{SERVER}; spf=pass; dkim=pass header.d=example.org; dmarc=pass header.from=example.org"


@pytest.fixture(autouse=True)
def _authenticated(settings):
    settings.REPLIES_AUTHENTICATED_BY = SERVER


@pytest.fixture
def incident(noon):
    fail(make_estate(noon - 48 * HOUR, "a"), "a", noon - 2 * HOUR, noon - HOUR)
    return Incident.objects.get()


@pytest.fixture
def operator(noon):
    person = make_person("operator", noon)
    person.email = "olga@example.org"
    person.save()
    return person


def letter(
    text: str, *, id: str = "1", to: str | None = None, results: str = PASSED, sender: str = "Olga <Olga@Example.org>", **more: str
) -> bytes:
    answered = Notice.objects.earliest("pk").message_id if to is None else to
    heads = {
        "Authentication-Results": results,
        "From": sender,
        "To": "backup@example.org",
        "Message-ID": f"<{id}@mail.example.org>",
        "In-Reply-To": answered,
        "References": f"<older@example.org> {answered}",
        "Subject": "Re: it fails",
        "Content-Type": "text/plain; charset=utf-8",
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    return "\r\n".join([*(f"{name}: {value}" for name, value in heads.items() if value), "", text]).encode()


QUOTED = "\n\nOn Tue, 14 Jul 2026 at 12:00, backup wrote:\n> Priority P4\n> ack\n"


def test_a_comment_stands_in_the_story_without_what_it_quotes(incident, operator, noon):
    reply = replying.take(letter(f"A new disk is on its way.\nOlga{QUOTED}"), at=noon)
    entry = incident.entries.get(kind="note")
    assert (entry.text, entry.by, reply.did, reply.incident) == ("A new disk is on its way.\nOlga", operator, "noted", incident)


def test_ack_takes_it(incident, operator, noon):
    assert replying.take(letter(f"ACK.\nI look at it at once{QUOTED}"), at=noon).did == "acknowledged"
    incident.refresh_from_db()
    assert (incident.state, incident.assignee) == ("in_progress", operator)
    assert incident.entries.get(kind="note").text == "I look at it at once"


def test_the_same_message_is_taken_once(incident, operator, noon):
    first = replying.take(letter("Seen"), at=noon)
    assert replying.take(letter("Seen"), at=noon + HOUR) == first
    assert incident.entries.filter(kind="note").count() == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"sender": "stranger@example.org"},
        {"results": ""},
        {"results": PASSED.replace("dmarc=pass", "dmarc=fail")},
        {"results": PASSED.replace(SERVER, "mx.elsewhere.net")},
        {"results": f"{SERVER}; dmarc=none\r\nAuthentication-Results: {PASSED}"},
        {"sender": ""},
        {"results": f"{SERVER}; spf=pass smtp.mailfrom=dmarc=pass@evil.test; dkim=none; dmarc=fail header.from=example.org"},
        {"results": f'{SERVER}; spf=pass smtp.mailfrom="a; dmarc=pass header.from=example.org"@evil.test; dmarc=fail'},
        {"results": f"{SERVER}; spf=pass smtp.mailfrom==?utf-8?q?=3B_dmarc=3Dpass_header.from=3Dexample.org?=@evil.test"},
        {"results": f"{SERVER}; spf=pass (they said ; dmarc=pass header.from=example.org) smtp.mailfrom=a@evil.test; dmarc=fail"},
        {"results": f"{SERVER}; spf=pass (; dmarc=pass header.from=example.org"},
        {"results": f"{SERVER}; dmarc=fail header.from=example.org; dmarc=pass header.from=example.org"},
        {"results": f"{SERVER}; dmarc=pass"},
        {"results": f"{SERVER}; dmarc=pass header.from=evil.test header.from=example.org"},
        {"results": f"{SERVER}; dmarc=pass header.from=evil.test", "sender": "Olga <olga@example.org>, Eve <eve@evil.test>"},
        {"results": f"{SERVER}; dmarc=pass header.from=evil.test", "sender": "Olga <olga@example.org>\r\nFrom: Eve <eve@evil.test>"},
        {"sender": "Olga <olga@example.org>, Eve <eve@example.org>"},
        {"results": f"{SERVER}{' ' * 10_000}; dmarc=pass header.from=example.org"},
    ],
)
def test_of_whom_nobody_vouches_for_only_the_mail_server_is_told(incident, operator, noon, changed):
    before = Notice.objects.count()
    assert replying.take(letter("ack", **changed), at=noon).did == "refused"
    assert Notice.objects.count() == before
    incident.refresh_from_db()
    assert incident.state == "new" and not incident.entries.filter(kind="note").exists()


@pytest.mark.parametrize(
    "results",
    [
        f'"{SERVER}" 1; spf=fail smtp.mailfrom=x;\r\n dmarc/1 = pass (p=none (of; now)) policy.dmarc=none header.from = "Example.org."',
        f'({SERVER} says) {SERVER.upper()}; dmarc=pass reason="it; is" header.from=example.org; dkim=fail header.d=x',
    ],
)
def test_results_are_read_as_mail_servers_may_write_them(incident, operator, noon, results):
    assert replying.take(letter("Seen", results=results), at=noon).did == "noted"


def test_nobody_is_believed_where_no_mail_server_is_named(incident, operator, noon, settings):
    settings.REPLIES_AUTHENTICATED_BY = ""
    assert replying.take(letter("ack"), at=noon).did == "refused"


@pytest.mark.parametrize(
    ("text", "changed", "told"),
    [
        ("ack", {"to": "<other@example.org>"}, "answers no mail about an incident"),
        ("ack", {"to": "<notice-99999999@127.0.0.1>"}, "answers no mail about an incident"),
        (QUOTED, {}, "no words of its own"),
        ("x" * 4_001, {}, "4,001 characters"),
    ],
)
def test_somebody_known_is_told_by_mail_what_to_do(incident, operator, noon, text, changed, told):
    reply = replying.take(letter(text, **changed), at=noon)
    answer = Notice.objects.latest("pk")
    assert (reply.did, answer.recipient) == ("answered", "olga@example.org")
    assert told in reply.told and told in answer.body


def test_who_may_not_work_on_it_is_told_so(incident, noon):
    person = make_person("stakeholder", noon)
    person.email = "olga@example.org"
    person.save()
    assert "Ask an operator" in replying.take(letter("ack"), at=noon).told
    assert Incident.objects.get().state == "new"


def test_a_second_ack_is_answered_in_words(incident, operator, noon):
    replying.take(letter("ack"), at=noon)
    assert "is in progress already, with" in replying.take(letter("ack", id="2"), at=noon).told


@pytest.mark.parametrize("head", [{"Auto_Submitted": "auto-replied"}, {"Precedence": "bulk"}, {"List_Id": "<x>"}, {"Return_Path": "<>"}])
def test_machines_are_ignored_and_never_answered(incident, operator, noon, head):
    before = Notice.objects.count()
    assert replying.take(letter("I am away", **head), at=noon).did == "ignored"
    assert Notice.objects.count() == before


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\xff",
        b"From: \xff\r\n\r\n\xff",
        b"From: a\x00@x\r\n\r\nx",
        b"Content-Type: multipart/mixed\r\n\r\n--x",
        "From: ü@x\r\n\r\nü".encode(),
    ],
)
def test_nonsense_is_refused_and_breaks_nothing(db, noon, raw):
    assert replying.take(raw, at=noon).did == "refused"


def test_html_alone_has_no_words_that_are_read(incident, operator, noon):
    reply = replying.take(letter("<p>ack</p>", Content_Type="text/html"), at=noon)
    assert reply.did == "answered" and "no words of its own" in reply.told


def test_the_pipe_ends_as_mail_servers_expect(incident, operator, monkeypatch):
    def piped(raw: bytes) -> int:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
        try:
            call_command("receive_mail", stdout=io.StringIO(), stderr=io.StringIO())
        except SystemExit as ended:
            return int(ended.code or 0)
        return 0

    assert piped(letter("ack")) == 0
    assert piped(letter("ack", id="2", sender="stranger@example.org")) == 77
    assert piped(b"x" * 10_000_001) == 77
    assert Reply.objects.count() == 2


def test_what_it_reads_of_names_and_ids(noon):
    found = reading_mail.read(
        b"From: A\r\nIn-Reply-To: <one@x>\r\nReferences: <zero@x>\r\n <one@x>\r\n\r\nhello\r\n-- \r\nsignature", authenticated_by="x"
    )
    assert (found.answers, found.text, found.message_id.endswith("@no-message-id>")) == (("<one@x>", "<zero@x>"), "hello", True)


def test_who_answers_what_was_told_of_a_major_incident_is_told_where_to_reply(incident, operator, noon):
    major = nominating.propose(incident=incident, reason="Nobody can work", by=operator, at=noon)
    people = {"manager": make_person("incident-manager", noon), "communications_lead": operator}
    leading.declare(major=major, interval_min=None, by=people["manager"], at=noon, **people)
    to = Notice.objects.filter(key__startswith=f"major/{major.pk}/").latest("pk").message_id
    told = replying.take(letter("I am on it", to=to), at=noon).told
    assert (
        told
        == f"What was told of {major.number} is not answered by mail. Reply to a mail about {incident.number}, or write into its story."
    )
    operator.groups.clear()
    told = replying.take(letter("I am on it", to=to, id="2"), at=noon).told
    assert told.startswith("What was told of a major incident is not answered by mail.") and incident.number not in told
