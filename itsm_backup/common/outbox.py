"""The outbox: messages leave by being claimed, sent under an id derived from their row, and marked sent."""

from __future__ import annotations

import datetime as dt
import logging
import smtplib
from collections.abc import Callable, Sequence

from django.core.mail import EmailMessage, get_connection
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from itsm_backup.common.models import Enclosure, Notice

log = logging.getLogger(__name__)
CLAIM = dt.timedelta(seconds=90)  # longer than a batch takes with a slow mail server: then the sender has died
BATCH = 5
LONGEST_WAIT_S = 900
GIVE_UP_AFTER = 200  # about two days of refusals


def write(
    *,
    key: str,
    thread: str,
    recipient: str,
    subject: str,
    body: str,
    at: dt.datetime,
    enclosures: Sequence[tuple[str, str, bytes]] = (),
    withheld: str = "",
    channel: str = Notice.Channel.EMAIL,
    not_before: dt.datetime | None = None,
    follows: int | None = None,
) -> bool:
    """Write a message to be sent, once per key; False when it was already written. It leaves at `not_before`, or at once.

    `enclosures` are files that go with it, each (name, media type, content); message and files are written together.
    `follows` is the key of the first notice of a conversation: mail programs show the two together.
    With `withheld`, a reason, the message is kept as it would have gone out and never sent.
    """
    subject = " ".join(subject.split())[:300]  # a line break would be a header of its own
    with transaction.atomic():
        content = {
            "channel": channel,
            "thread": thread,
            "recipient": recipient,
            "subject": subject,
            "body": body,
            "created_at": at,
            "not_before": not_before or at,
            "follows_id": follows,
        }
        kept_back = {"given_up_at": at, "latest_error": withheld} if withheld else {}
        notice, made = Notice.objects.get_or_create(key=key, defaults={**content, **kept_back})
        if made:
            files = [Enclosure(notice=notice, name=name, media_type=kind, content=content) for name, kind, content in enclosures]
            Enclosure.objects.bulk_create(files)
    return made


def supersede(*, thread: str, at: dt.datetime, why: str) -> int:
    """Give up what waits in the thread, because something newer is to be said; what is being sent at this moment goes on."""
    free = Notice.objects.filter(Q(claimed_until=None) | Q(claimed_until__lte=at), thread=thread, sent_at=None, given_up_at=None)
    return free.update(given_up_at=at, latest_error=why)


def send_waiting(*, at: dt.datetime, channel: str = Notice.Channel.EMAIL, deliver: Callable[[Notice], None] | None = None) -> int:
    """Send what waits in the channel, oldest of each thread first; returns how many were accepted.

    Without `deliver` messages are handed to the mail server.
    When the server cannot be reached, the rest of the batch is given back at once instead of waiting for it one by one.
    """
    sent, notices = 0, _claim(at, channel)
    for place, notice in enumerate(notices):
        try:
            (deliver or _deliver)(notice)
        except Exception as error:  # also what no mail can be made of: it waits, and holds only its own thread up
            _postpone(notice, error, at)
            if _is_down(error):
                Notice.objects.filter(pk__in=[later.pk for later in notices[place + 1 :]]).update(claimed_until=None)
                return sent
        else:
            _mark_sent(notice, at)
            sent += 1
    return sent


def _claim(at: dt.datetime, channel: str = Notice.Channel.EMAIL) -> list[Notice]:
    """Claim messages and commit: whoever dies after this leaves a claim that runs out."""
    earlier = Notice.objects.filter(thread=OuterRef("thread"), id__lt=OuterRef("id"), sent_at=None, given_up_at=None)
    with transaction.atomic():
        waiting = (
            Notice.objects.waiting(at).filter(~Exists(earlier), channel=channel).select_for_update(skip_locked=True).order_by("id")[:BATCH]
        )
        notices = list(waiting)
        Notice.objects.filter(pk__in=[notice.pk for notice in notices]).update(claimed_until=at + CLAIM)
    return notices


def _deliver(notice: Notice) -> None:
    message = EmailMessage(
        notice.subject,
        notice.body,
        to=[notice.recipient],
        headers=notice.headers,
        connection=get_connection(),
    )
    for enclosure in notice.enclosures.all():
        message.attach(enclosure.name, bytes(enclosure.content), enclosure.media_type)
    message.send()


def _is_down(error: Exception) -> bool:
    """Whether the server itself is out of reach, or hangs, so that the next message would fare alike."""
    if isinstance(error, smtplib.SMTPException):
        return isinstance(error, smtplib.SMTPServerDisconnected | smtplib.SMTPConnectError)
    return isinstance(error, OSError)


def _mark_sent(notice: Notice, at: dt.datetime) -> None:
    unsent = Notice.objects.filter(pk=notice.pk, sent_at=None)
    unsent.update(sent_at=at, claimed_until=None, attempts=notice.attempts + 1, latest_error="")


def _postpone(notice: Notice, error: Exception, at: dt.datetime) -> None:
    attempts = notice.attempts + 1
    log.warning("Message %s was not accepted (attempt %s): %s", notice.pk, attempts, error)
    Notice.objects.filter(pk=notice.pk).update(
        attempts=attempts,
        claimed_until=None,
        latest_error=str(error)[:500],
        not_before=at + dt.timedelta(seconds=min(5 * 2 ** min(attempts, 10), LONGEST_WAIT_S)),
        given_up_at=at if attempts >= GIVE_UP_AFTER else None,
    )
