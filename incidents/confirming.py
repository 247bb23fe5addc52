"""A person's own addresses beside mail: entered by the person, confirmed by what arrives there, and taken away."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.crypto import constant_time_compare, salted_hmac

from catalogue.refusing import NotReady, problems_of
from incidents import delivering
from incidents.models import OwnChannel
from incidents.models.channels import validate_address
from itsm_backup.common import outbox
from itsm_backup.common.models import Notice, because

MOST = 5  # of a person
VALID = dt.timedelta(hours=1)
MOST_TRIES = 5


def add(*, by: Any, name: str, kind: str, address: str, key: str, priorities: Sequence[str], at: dt.datetime) -> OwnChannel:
    """A channel that is used once it is confirmed; a message with a code goes to it at once. Raises NotReady with what does not go."""
    row = OwnChannel(
        person=by, name=name.strip(), kind=kind, priorities=sorted(set(priorities)), code_hash="-", asked_at=at,
        secrets={"address": address.strip(), **({"key": key.strip()} if key.strip() else {})},
    )  # fmt: skip
    with transaction.atomic(), because("Own channel", by=by):
        get_user_model().objects.select_for_update().get(pk=by.pk)  # whoever sends twice is told so the second time
        if problems := _problems_of_new(row):
            raise NotReady(problems)
        row.save()
        _ask(row, at)
    return row


def _problems_of_new(row: Any) -> list[str]:
    problems = problems_of(row)
    try:
        validate_address(row.kind, row.secrets["address"])
        problems += [told] if (told := delivering.stands_in_the_way(row)) else []
    except ValidationError as error:
        problems += error.messages
    names = list(OwnChannel.objects.filter(person=row.person).values_list("name", flat=True))
    if row.name in names:
        problems.append(f"You have a channel {row.name} already. Take it away first, or choose another name.")
    if len(names) >= MOST:
        problems.append(f"You have {MOST} channels already. Take one away first.")
    return problems


def ask_again(*, row: OwnChannel, by: Any, at: dt.datetime) -> None:
    """Send another code. Raises NotReady where it is confirmed, or one was sent just now."""
    with transaction.atomic(), because("Another code", by=by):
        held = _held(row, by)
        if held.confirmed_at:
            raise NotReady([f"{held.name} is confirmed already."])
        if at - held.asked_at < dt.timedelta(minutes=1):
            raise NotReady(["A message was sent less than a minute ago. Wait for it, then ask again."])
        _ask(held, at)


def confirm(*, row: OwnChannel, code: str, by: Any, at: dt.datetime) -> None:
    """From now on messages go there. Raises NotReady when the code is not the one that was sent, or is too old."""
    with transaction.atomic(), because("Confirmed", by=by):
        held = _held(row, by)
        problem = _problem(held, code, at)
        if problem:
            held.tries += 1
        else:
            held.confirmed_at, held.code_hash = at, "-"
        held.save()
    if problem:  # what was tried stays counted
        raise NotReady([problem])


def _problem(row: OwnChannel, code: str, at: dt.datetime) -> str:
    if row.confirmed_at:
        return f"{row.name} is confirmed already."
    if row.tries >= MOST_TRIES or at - row.asked_at > VALID:
        return "This code counts no more. Ask for another one."
    if not constant_time_compare(row.code_hash, _hash(row, code.strip())):
        return "This is not the code in the message. Look at it again, or ask for another one."
    return ""


def remove(*, row: OwnChannel, by: Any, at: dt.datetime) -> None:
    """Nothing goes there any more."""
    with transaction.atomic(), because("Taken away", by=by):
        held = _held(row, by)
        waiting = Notice.objects.filter(recipient=held.key, sent_at=None, given_up_at=None)
        waiting.update(given_up_at=at, latest_error="The person took this channel away.")
        held.delete()


def _held(row: OwnChannel, by: Any) -> OwnChannel:
    found = OwnChannel.objects.select_for_update(of=("self",)).filter(pk=row.pk, person=by).first()
    if found is None:
        raise NotReady(["This channel was taken away meanwhile."])
    return found


def _ask(row: OwnChannel, at: dt.datetime) -> None:
    code = f"{secrets.randbelow(1_000_000):06}"
    row.code_hash, row.asked_at, row.tries = _hash(row, code), at, 0
    row.save()
    outbox.write(
        key=f"own-channel/{row.pk}/{at.timestamp():.0f}", thread=row.key, recipient=row.key, channel=Notice.Channel.CHANNEL, at=at,
        subject=f"Is this yours? A code for {row.name}",
        body=f"Somebody entered this address as their own channel for backup incidents. If it was you, enter {code} on the page of your"
        " digest within an hour. If not, do nothing: no message follows.",
    )  # fmt: skip


def _hash(row: OwnChannel, code: str) -> str:
    return str(salted_hmac("incidents.own_channels", f"{row.pk}:{code}", algorithm="sha256").hexdigest())
