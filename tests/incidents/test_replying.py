"""Replies by mail, as a mail server hands them over: taken once, from whom it vouches for, for the thread that they answer."""

from __future__ import annotations

import io
import sys

import pytest
from django.core.management import call_command

import manage
from incidents import leading, merging, nominating, reading_mail, replying, working
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


WRAPPED = "\n\nOn Sun, 29 Nov 2026 at 12:00, backup of a house with a long name,\nwhich goes on <backup@example.org>\nwrote:\nack\n"
OUTLOOK = "\n\nFrom: Backup assurance\nSent: Sunday, 29 November 2026 12:00\nTo: Olga\nSubject: it fails\n\nack"
GERMAN = "\n\nVon: Backup\nGesendet: Sonntag, 29. November 2026 12:00\nAn: Olga\nBetreff: it fails\n\nack"
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


@pytest.mark.parametrize(
    ("text", "takes", "left"),
    [
        ("Ack, I look at it", True, "I look at it"),
        ("acknowledged - the disk comes at noon\nOlga", True, "the disk comes at noon\nOlga"),
        ("I take it!", True, ""),
        ("Take a look at the disk", False, "Take a look at the disk"),
        ("Acknowledgements are late", False, "Acknowledgements are late"),
        ("ack?", False, "ack?"),
    ],
)
def test_a_first_line_that_begins_with_ack_takes_it_and_its_rest_is_the_comment(text, takes, left):
    found = reading_mail.read(f"From: A\r\n\r\n{text}".encode(), authenticated_by="x")
    assert (found.takes, found.text) == (takes, left)


@pytest.mark.parametrize("quote", [WRAPPED, OUTLOOK, GERMAN])
def test_what_mail_programs_quote_is_left_out(quote):
    assert reading_mail.read(f"From: A\r\n\r\nSeen{quote}".encode(), authenticated_by="x").text == "Seen"


def test_two_lines_that_look_like_a_head_are_words():
    text = "On it since we spoke.\nFrom: the ward\nit is urgent"
    assert reading_mail.read(f"From: A\r\n\r\n{text}".encode(), authenticated_by="x").text == text


def test_the_story_says_that_an_attachment_was_left_out(incident, operator, noon):
    parts = "--x\r\nContent-Type: text/plain\r\n\r\nSee the log\r\n--x\r\nContent-Type: text/plain\r\n"
    parts += 'Content-Disposition: attachment; filename="a.log"\r\n\r\nlines\r\n--x--'
    replying.take(letter(parts, Content_Type="multipart/mixed; boundary=x"), at=noon)
    assert incident.entries.get(kind="note").text == "See the log\n(An attachment of this mail was left out.)"


def test_a_reply_to_a_merged_incident_goes_where_it_is_worked_on(incident, operator, noon):
    to = Notice.objects.earliest("pk").message_id
    fail(make_estate(noon - 48 * HOUR, "b"), "b", noon - 2 * HOUR, noon - HOUR)
    into = merging.merge(incident=incident, into=Incident.objects.latest("pk"), reason="one switch", by=operator, at=noon)
    assert replying.take(letter("ack\nA disk comes", to=to), at=noon).told == f"{into.number}: acknowledged."
    into.refresh_from_db()
    assert (into.state, into.assignee, into.entries.get(kind="note").text) == ("in_progress", operator, "A disk comes")
    assert not incident.entries.filter(kind="note").exists()


def test_ack_takes_nothing_off_hold(incident, operator, noon):
    working.move(incident=incident, to="on_hold", reason="the vendor comes", by=operator, at=noon)
    reply = replying.take(letter("ack"), at=noon)
    assert reply.did == "answered" and "is on hold" in reply.told and f"/incidents/{incident.number}/" in reply.told
    assert Incident.objects.get().state == "on_hold"
    assert replying.take(letter("The vendor came", id="2"), at=noon).did == "noted"


def _ends(with_: object) -> object:
    def main(*arguments: object, **more: object) -> int:
        if isinstance(with_, BaseException):
            raise with_
        return int(str(with_))

    return main


@pytest.mark.parametrize(
    ("with_", "code"),
    [
        (0, 0),
        (1, 75),
        (SystemExit(77), 77),
        (SystemExit(75), 75),
        (SystemExit("no settings"), 75),
        (SystemExit(), 0),
        (ValueError("x"), 75),
    ],
)
def test_what_is_not_the_senders_fault_lets_the_mail_server_try_again(with_, code, monkeypatch):
    monkeypatch.setattr(manage, "main", _ends(with_))
    assert manage.receive(["receive_mail"]) == code


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
    with monkeypatch.context() as broken:
        broken.setattr(replying, "take", _ends(KeyError("ours to mend")))
        assert piped(letter("ack", id="3")) == 75
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
