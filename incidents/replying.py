"""A reply to one of our mails becomes a line of the story, or takes the incident; what cannot be done is refused politely."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction

from incidents import reading_mail, working
from incidents.models import Incident, MajorIncident, Reply
from incidents.reading_mail import LONGEST_TEXT, Letter
from itsm_backup.common import outbox
from itsm_backup.common.models import Notice

_OURS = re.compile(r"<notice-(\d{1,18})@")
_KEY = re.compile(r"incident/(\d{1,18})/")
_OF_MAJOR = re.compile(r"major/(\d{1,18})/")


class _No(Exception):
    """It is not done; the message says why and what to do."""


def take(raw: bytes, *, at: dt.datetime) -> Reply:
    """Do what the message asks for, once for each Message-ID; returns what was done.

    The thread is found by the Message-IDs that it answers, the sender by the address. Somebody known is told of a refusal by
    mail; of anybody else only the mail server is told, so that no stranger makes us write to others.
    """
    letter = reading_mail.read(raw, authenticated_by=settings.REPLIES_AUTHENTICATED_BY)
    try:
        with transaction.atomic():
            return Reply.objects.filter(message_id=letter.message_id).first() or _take(letter, at)
    except IntegrityError:  # the same message came twice at once
        return Reply.objects.get(message_id=letter.message_id)


def _take(letter: Letter, at: dt.datetime) -> Reply:
    if letter.is_automatic:
        return _keep(letter, at, did=Reply.Did.IGNORED, told="It was sent by a machine.")
    person = _person(letter)
    try:
        if person is None:
            raise _No("Replies are taken from people who may work on incidents, from their own authenticated address.")
        incident = _incident(letter, person)
        return _do(letter, incident, person, at)
    except (_No, working.NotPossible) as error:
        did = Reply.Did.ANSWERED if person else Reply.Did.REFUSED
        reply = _keep(letter, at, did=did, told=str(error), by=person)
        if person:
            _answer(reply, person, at)
        return reply


def _person(letter: Letter) -> Any:
    """Who wrote it: the one active person with the address, where our mail server vouches for it."""
    if not letter.authenticated or not letter.sender:
        return None
    people = list(get_user_model().objects.filter(email__iexact=letter.sender, is_active=True)[:2])
    return people[0] if len(people) == 1 else None


def _incident(letter: Letter, person: Any) -> Incident:
    """The incident whose mail it answers. Raises _No where there is none that the person may work on."""
    numbers = [int(found[1]) for one in letter.answers if (found := _OURS.match(one))]
    notices = {notice.pk: notice for notice in Notice.objects.filter(pk__in=numbers)}
    ours = [notice for number in numbers if (notice := notices.get(number)) and notice.message_id in letter.answers]
    for notice in ours:
        key = _KEY.match(notice.key)
        if key is None:
            continue
        incident: Incident | None = Incident.objects.visible_to(person, "change").filter(pk=int(key[1])).first()
        if incident is None:
            raise _No("You may not work on this incident. Ask an operator.")
        return _going_on(incident, person)
    if major := next((found for notice in ours if (found := _OF_MAJOR.match(notice.key))), None):
        raise _No(_instead(int(major[1]), person))
    raise _No("It answers no mail about an incident that we sent. Reply to such a mail, with its thread.")


def _going_on(incident: Incident, person: Any) -> Incident:
    """The incident, or that into which it was merged: there it is worked on. Raises _No where the person may not work on that one."""
    if incident.merged_into_id is None:
        return incident
    into: Incident | None = Incident.objects.visible_to(person, "change").filter(pk=incident.merged_into_id).first()
    if into is None:
        raise _No(f"{incident.number} was merged into an incident that you may not work on. Ask an operator.")
    return into


def _instead(major: int, person: Any) -> str:
    """What to do for who answers what was told of a major incident; the incident is named to who may work on it."""
    found = MajorIncident.objects.filter(pk=major, incident__in=Incident.objects.visible_to(person, "change")).first()
    if found is None:
        return "What was told of a major incident is not answered by mail. Tell who is named in it as telling people of it."
    number = found.incident.number
    return f"What was told of {found.number} is not answered by mail. Reply to a mail about {number}, or write into its story."


def _do(letter: Letter, incident: Incident, person: Any, at: dt.datetime) -> Reply:
    if not letter.takes and not letter.text:
        raise _No(f"It has no words of its own. Write “ack” in the first line to take {incident.number}, or a comment.")
    if len(letter.text) > LONGEST_TEXT:
        raise _No(
            f"It has {len(letter.text):,} characters, and {LONGEST_TEXT:,} fit into the story. Shorten it, or say where it can be read."
        )
    if letter.takes and incident.state == Incident.State.ON_HOLD:
        raise _No(
            f"{incident.number} is on hold, and “ack” does not end that. Go on with it on its page, "
            f"{settings.BASE_URL}/incidents/{incident.number}/, or reply with a comment only."
        )
    with transaction.atomic():
        if letter.takes:
            incident = working.take(incident=incident, by=person, at=at)
        if letter.text:
            working.note(incident=incident, text=f"{letter.text}{_left_out(letter)}", by=person, at=at)
    did = Reply.Did.ACKNOWLEDGED if letter.takes else Reply.Did.NOTED
    return _keep(letter, at, did=did, told=f"{incident.number}: {did.label}.", by=person, incident=incident)


def _left_out(letter: Letter) -> str:
    """What of the message does not stand in the story, so that nobody looks for it there."""
    if not letter.attachments:
        return ""
    what = "An attachment of this mail was" if letter.attachments == 1 else f"{letter.attachments} attachments of this mail were"
    return f"\n({what} left out.)"


def _keep(letter: Letter, at: dt.datetime, **what: Any) -> Reply:
    return Reply.objects.create(message_id=letter.message_id[:255], sender=letter.sender, received_at=at, **what)


def _answer(reply: Reply, person: Any, at: dt.datetime) -> None:
    outbox.write(
        key=f"reply/{reply.pk}",
        thread=f"reply/{person.pk}",
        recipient=person.email,
        subject="Your reply was not taken",
        body=f"{reply.told}\n\nYour message: {reply.message_id}\n\n{settings.ORGANISATION}, backup assurance\n",
        at=at,
    )
