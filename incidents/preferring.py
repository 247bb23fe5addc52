"""What people want to be told at once and what in their digest, within what policies say."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from catalogue.refusing import NotReady, problems_of
from incidents.models import DigestPreference, OwnChannel
from incidents.reaching import Recipient
from itsm_backup.common.models import because


def prefer(*, by: Any, digest: str, told_at: dt.time, zone: str, waits: Sequence[str], at: dt.datetime) -> DigestPreference:
    """The person's own choice from now on. Raises NotReady with what does not go."""
    with transaction.atomic():
        row = DigestPreference.objects.select_for_update().filter(person=by).first() or DigestPreference(person=by)
        row.digest, row.told_at, row.zone, row.waits = digest, told_at, zone, sorted(set(waits))
        problems = problems_of(row)
        if digest != DigestPreference.Wish.NEVER and not by.email:
            problems.append("Your account has no mail address. Ask an administrator to enter one.")
        if problems:
            raise NotReady(problems)
        with because("Own choice", by=by):
            row.save()
    return row


def what_waits() -> dict[str, list[str]]:
    """By thread of a person, the priorities that wait for the digest."""
    rows = DigestPreference.objects.exclude(waits=[]).filter(person__is_active=True).values_list("person", "waits")
    found = {f"person/{person}": waits for person, waits in rows}
    own = OwnChannel.objects.filter(person__digest_preference__in=DigestPreference.objects.exclude(waits=[])) if found else ()
    return found | {one.key: found[f"person/{one.person_id}"] for one in own if f"person/{one.person_id}" in found}


def told_now(reached: Sequence[Recipient], *, priority: str, bypass: Sequence[str], waits: Mapping[str, Sequence[str]]) -> list[Recipient]:
    """Whom of those reached it does not wait for. Nothing waits that the policy tells at any hour, or where nobody else is told."""
    if priority in bypass:
        return list(reached)
    now = [one for one in reached if priority not in waits.get(one.thread, ())]
    return now or list(reached)
