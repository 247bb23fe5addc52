"""Every message arrives; a repeat is recognisable; one that cannot be sent holds no other thread up."""

from __future__ import annotations

import datetime as dt
import socket

import pytest

from itsm_backup.common import outbox
from itsm_backup.common.models import Notice
from tests.mailbox import running_mailbox

SECOND = dt.timedelta(seconds=1)
pytestmark = pytest.mark.django_db


@pytest.fixture
def mailbox(settings):
    with running_mailbox() as (found, port):
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port, 2
        settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
        settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
        settings.BASE_URL = "https://backup.example.org:8443"
        yield found


def write(
    key: str, at, *, thread: str = "incident/1", recipient: str = "ops@example.org", subject: str = "It fails", body: str = "…"
) -> bool:
    return outbox.write(key=key, thread=thread, recipient=recipient, subject=subject, body=body, at=at)


def send(at) -> int:
    """Until nothing more goes, as the journey does."""
    total = 0
    while sent := outbox.send_waiting(at=at):
        total += sent
    return total


def test_it_writes_a_message_once_per_key(noon):
    assert write("a", noon)
    assert not write("a", noon)
    assert Notice.objects.count() == 1


def test_it_sends_what_waits_and_marks_it_sent(mailbox, noon):
    write("a", noon, subject="Grüße – ✓", body="Zeile 1\nZeile 2 ✓")
    assert send(noon) == 1
    notice, message = Notice.objects.get(), mailbox.messages[0]
    assert (message["To"], message["Subject"]) == ("ops@example.org", "Grüße – ✓")
    assert message["Message-ID"] == f"<notice-{notice.pk}@backup.example.org>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert "Zeile 2 ✓" in message.get_content()
    assert (notice.sent_at, notice.claimed_until, notice.attempts) == (noon, None, 1)
    assert send(noon) == 0


def test_it_keeps_the_order_of_a_thread(mailbox, noon):
    for number in range(4):
        write(f"one/{number}", noon, thread="one", subject=f"one {number}")
        write(f"two/{number}", noon, thread="two", subject=f"two {number}")
    send(noon)
    subjects = [message["Subject"] for message in mailbox.messages]
    assert len(subjects) == 8
    for thread in ("one", "two"):
        assert [subject for subject in subjects if subject.startswith(thread)] == [f"{thread} {number}" for number in range(4)]


def test_a_refused_message_waits_and_holds_only_its_own_thread(mailbox, noon):
    mailbox.refuse["gone@example.org"] = "550 no such user"
    write("a", noon, thread="one", recipient="gone@example.org")
    write("b", noon, thread="one")
    write("c", noon, thread="two")
    assert send(noon) == 1
    refused = Notice.objects.get(key="a")
    assert "550" in refused.latest_error
    assert (refused.attempts, refused.claimed_until) == (1, None)
    assert refused.not_before > noon
    mailbox.refuse.clear()
    assert send(refused.not_before) == 2


def test_it_gives_up_at_last_and_lets_the_thread_go_on(mailbox, noon):
    mailbox.refuse["gone@example.org"] = "550 no such user"
    write("a", noon, recipient="gone@example.org")
    write("b", noon)
    Notice.objects.filter(key="a").update(attempts=outbox.GIVE_UP_AFTER - 1)
    send(noon)
    assert Notice.objects.get(key="a").given_up_at == noon
    assert send(noon) == 1 or Notice.objects.get(key="b").sent_at == noon


def test_it_waits_longer_after_every_refusal_but_never_longer_than_a_quarter_of_an_hour(mailbox, noon):
    mailbox.refuse["ops@example.org"] = "451 later"
    write("a", noon)
    waits, at = [], noon
    for _ in range(12):
        send(at)
        after = Notice.objects.get().not_before
        waits.append((after - at).total_seconds())
        at = after
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (10, 900)


def test_without_a_server_nothing_is_lost_and_nothing_stays_claimed(settings, noon):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    for number in range(3):
        write(str(number), noon, thread=str(number))
    assert send(noon) == 0
    assert not Notice.objects.exclude(claimed_until=None).exists()
    assert Notice.objects.exclude(latest_error="").count() == 1


def test_a_server_that_only_listens_costs_one_time_limit_a_pass(settings, noon):
    import time

    with socket.create_server(("127.0.0.1", 0)) as deaf:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", deaf.getsockname()[1], 1
        for number in range(5):
            write(str(number), noon, thread=str(number))
        began = time.monotonic()
        assert send(noon) == 0
    assert time.monotonic() - began < 3


POISON = {"a line break in the subject": {"subject": "nightly\nBcc: everybody@example.org"}, "no address": {"recipient": "no address"},
          "a line break in the address": {"recipient": "a@example.org\nb@example.org"}, "half a character": {"body": "\ud800"}}  # fmt: skip


@pytest.mark.parametrize("name", POISON)
def test_a_message_that_cannot_be_one_holds_nobody_else_up(mailbox, noon, name):
    try:
        write("bad", noon, thread="bad", **POISON[name])
    except ValueError:  # refused where it is written: good as well
        assert name == "half a character"
    write("good", noon, thread="good")
    send(noon)
    assert Notice.objects.get(key="good").sent_at == noon
    assert all("everybody" not in str(message["Bcc"]) for message in mailbox.messages)


def test_a_claim_keeps_a_second_sender_away_until_it_runs_out(mailbox, noon):
    write("a", noon)
    assert len(outbox._claim(noon)) == 1  # and here the sender dies
    assert send(noon + outbox.CLAIM - SECOND) == 0
    assert send(noon + outbox.CLAIM) == 1


def test_a_repeat_carries_the_same_id(mailbox, noon):
    write("a", noon)
    claimed = outbox._claim(noon)
    outbox._deliver(claimed[0])  # accepted, and here the sender dies
    assert send(noon + outbox.CLAIM) == 1
    assert len(mailbox.ids) == 2
    assert len(set(mailbox.ids)) == 1
