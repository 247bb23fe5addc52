"""Handing a duty over: somebody asks, the receiver accepts, an approver puts the version in force that names the receiver."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.conf import settings
from django.db import transaction
from django.template.loader import render_to_string

from catalogue import duties, naming, publishing
from catalogue.models import HandOver, Service
from catalogue.refusing import NotAllowed, NotReady, WrongState
from itsm_backup.common import outbox


def ask(*, service: Service, duty: str, receiver: Any, by: Any, at: dt.datetime, reason: str) -> HandOver:
    """Ask `receiver` to take the duty (owner or steward) over; they are told by mail. Raises NotReady when that cannot be."""
    with transaction.atomic():
        service = Service.objects.select_for_update().get(pk=service.pk)
        version = service.version_at(at)
        problems = []
        if version is None:
            problems.append(f"{service.code} is not in force, so nobody holds a duty for it yet: write that into its draft.")
        elif getattr(version, f"{duty}_id") == receiver.pk:
            problems.append(f"{duties.names([receiver])} holds this duty already.")
        if not receiver.is_active:
            problems.append(f"{duties.names([receiver])} has left: choose somebody with a live account.")
        elif barred := naming.refusal(receiver, duty, at):
            problems.append(barred)
        if open_one := service.versions.filter(state__in=("draft", "in_review")).first():
            problems.append(
                f"Version {open_one.number} of {service.code} is {open_one.get_state_display()}: finish or cancel it first, or name the"
                " receiver in it. A hand-over writes a version of its own."
            )
        if service.hand_overs.filter(duty=duty, answered_at=None).exists():
            problems.append("A hand-over of this duty waits for its answer already.")
        if problems:
            raise NotReady(problems)
        giver = getattr(version, duty)
        row = HandOver(service=service, duty=duty, giver=giver, receiver=receiver, asked_by=by, asked_at=at, reason=reason)
        row.save()
        _tell(row, version.name, at)
    return row


def accept(*, hand_over: HandOver, by: Any, at: dt.datetime, reason: str = "") -> HandOver:
    """The receiver takes the duty: a version that names them is written and waits for approval.

    Its author is who asked. Raises NotAllowed for everybody but the receiver, NotReady while another version is open, WrongState.
    """
    with transaction.atomic():
        row = _open(hand_over, by)
        if open_one := row.service.versions.filter(state__in=("draft", "in_review")).first():
            asker = duties.names([row.asked_by])
            raise NotReady(
                [f"Version {open_one.number} is {open_one.get_state_display()}: {asker} finishes or cancels it first. Then accept."]
            )
        content = {row.duty: row.receiver}
        why = f"{row.get_duty_display().capitalize()} handed over to {duties.names([row.receiver])}: {row.reason}"
        draft = publishing.draft_version(service=row.service, content=content, commitment={}, by=row.asked_by, at=at, reason=why)
        draft = publishing.submit(version=draft, by=row.asked_by, at=at, reason=why)
        row.version, row.answered_at, row.accepted, row.answer = draft, at, True, reason.strip()
        row.save()
    return row


def decline(*, hand_over: HandOver, by: Any, at: dt.datetime, reason: str) -> HandOver:
    """The receiver does not take the duty, and says why; it stays where it is. Raises NotAllowed, NotReady, WrongState."""
    if not reason.strip():
        raise NotReady(["Say why you do not take it over."])
    with transaction.atomic():
        row = _open(hand_over, by)
        row.answered_at, row.accepted, row.answer = at, False, reason.strip()
        row.save()
    return row


def _open(hand_over: HandOver, by: Any) -> HandOver:
    row: HandOver = HandOver.objects.select_for_update(of=("self",)).select_related("service", "receiver", "asked_by").get(pk=hand_over.pk)
    if row.receiver_id != by.pk:
        raise NotAllowed(f"Only {duties.names([row.receiver])} can answer this.")
    if row.answered_at is not None:
        raise WrongState("It was answered already. Nothing was changed.")
    return row


def _tell(row: HandOver, name: str, at: dt.datetime) -> None:
    if not row.receiver.email:
        return
    context = {
        "hand_over": row, "name": name, "by": duties.names([row.asked_by]), "organisation": settings.ORGANISATION,
        "address": f"{settings.BASE_URL}/services/{row.service.code}/ownership/",
    }  # fmt: skip
    outbox.write(
        key=f"hand-over/{row.pk}", thread=f"hand-over/{row.pk}", recipient=row.receiver.email,
        subject=f"Will you be {row.get_duty_display()} of {name}?", body=render_to_string("catalogue/email/hand_over.txt", context), at=at,
    )  # fmt: skip
