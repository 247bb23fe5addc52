"""Handing a duty over: somebody asks, the receiver accepts, an approver puts the version in force that names the receiver.

The backups of an entry go from team to team in the same way, and a member of the new team accepts.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Q, QuerySet
from django.template.loader import render_to_string

from catalogue import duties, naming, publishing
from catalogue.models import HandOver, Service, Team, TeamMember
from catalogue.refusing import NotAllowed, NotReady, WrongState
from itsm_backup.common import outbox


def ask(
    *, service: Service, duty: str, by: Any, at: dt.datetime, reason: str, receiver: Any = None, team: Team | None = None
) -> HandOver:  # fmt: skip
    """Ask `receiver` to take the duty (owner or steward) over, or the members of `team` to run its backups; they are told by mail.

    Raises NotAllowed where a duty of `by` excludes it, NotReady when that cannot be.
    """
    duties.check_duty(by=by, duty="steward", doing=f"hand over a duty of {service}", at=at)
    of_team = duty == HandOver.Duty.OPERATIONS_TEAM
    if (team if of_team else receiver) is None:
        raise NotReady(["Choose the team that takes it over." if of_team else "Choose who takes it over."])
    with transaction.atomic():
        service = Service.objects.select_for_update().get(pk=service.pk)
        version = service.version_at(at)
        problems = []
        if version is None:
            problems.append(f"{service.code} is not in force, so nobody holds a duty for it yet: write that into its draft.")
        elif getattr(version, f"{duty}_id") == (team.pk if of_team and team else receiver.pk):
            problems.append(f"{team if of_team else duties.names([receiver])} holds this duty already.")
        problems += _of_team(team, by, at) if of_team and team else _of_person(receiver, duty, service, at)
        if open_one := service.versions.filter(state__in=("draft", "in_review")).first():
            problems.append(
                f"Version {open_one.number} of {service.code} is {open_one.get_state_display()}: finish or cancel it first, or name the"
                " receiver in it. A hand-over writes a version of its own."
            )
        if service.hand_overs.filter(duty=duty, answered_at=None).exists():
            problems.append("A hand-over of this duty waits for its answer already.")
        if problems or version is None:
            raise NotReady(problems)
        row = HandOver(service=service, duty=duty, asked_by=by, asked_at=at, reason=reason)
        if of_team:
            row.former_team, row.team = version.operations_team, team
        else:
            row.giver, row.receiver = getattr(version, duty), receiver
        row.save()
        _tell(row, version.name, at)
    return row


def _of_person(receiver: Any, duty: str, service: Service, at: dt.datetime) -> list[str]:
    if not receiver.is_active:
        return [f"{duties.names([receiver])} has left: choose somebody with a live account."]
    told = naming.refusal(receiver, duty, at) or naming.lacking(receiver, duty, service)
    return [told] if told else []


def _of_team(team: Team, by: Any, at: dt.datetime) -> list[str]:
    if answering(team, at).exclude(pk=by.pk).exists():
        return []
    return [f"Nobody but you could accept for {team}: say first who belongs to it (Administration, Teams)."]


def answering(team: Team, at: dt.datetime) -> QuerySet[Any]:
    """Members of the team with a live account and no duty that excludes running backups: each of them can answer for it."""
    people = get_user_model().objects.filter(is_active=True, pk__in=team.members.values("person"))
    return naming.fit(people, "operator", at).order_by("pk")


def asked_of(person: Any) -> Q:
    """Of hand-overs those that this person is asked to answer: named as receiver, or as a member of the team."""
    return Q(receiver=person) | Q(team__in=TeamMember.objects.filter(person=person).values("team"))


def accept(*, hand_over: HandOver, by: Any, at: dt.datetime, reason: str = "") -> HandOver:
    """The receiver takes the duty: a version that names them is written and waits for approval. For a team one of its members does.

    Its author is who asked. Raises NotAllowed for everybody but the receiver, NotReady while another version is open, WrongState.
    """
    with transaction.atomic():
        row = _open(hand_over, by, at)
        if row.team is None and (told := _of_person(by, row.duty, row.service, at)):
            raise NotReady(told)
        if open_one := row.service.versions.filter(state__in=("draft", "in_review")).first():
            asker = duties.names([row.asked_by])
            raise NotReady(
                [f"Version {open_one.number} is {open_one.get_state_display()}: {asker} finishes or cancels it first. Then accept."]
            )
        content = {row.duty: row.team or row.receiver}
        why = f"{row.get_duty_display().capitalize()} handed over to {row.receiving}: {row.reason}"
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
        row = _open(hand_over, by, at)
        row.answered_at, row.accepted, row.answer = at, False, reason.strip()
        row.save()
    return row


def _open(hand_over: HandOver, by: Any, at: dt.datetime) -> HandOver:
    """The hand-over, held, with who answers it as its receiver."""
    rows = HandOver.objects.select_for_update(of=("self",)).select_related("service", "receiver", "asked_by", "team")
    row: HandOver = rows.get(pk=hand_over.pk)
    if row.team is not None:
        if row.team.members.filter(person=by).exists() and (told := naming.refusal_of_member(by, at)):
            raise NotAllowed(told)
        if by.pk == row.asked_by_id or not answering(row.team, at).filter(pk=by.pk).exists():
            able = duties.names(answering(row.team, at).exclude(pk=row.asked_by_id))
            raise NotAllowed(f"Only a member of {row.team} who did not ask for it can answer this: {able or 'nobody yet'}.")
    elif row.receiver_id != by.pk:
        raise NotAllowed(f"Only {row.receiving} can answer this.")
    if row.answered_at is not None:
        raise WrongState("It was answered already. Nothing was changed.")
    row.receiver = by
    return row


def _tell(row: HandOver, name: str, at: dt.datetime) -> None:
    context = {
        "hand_over": row, "name": name, "by": duties.names([row.asked_by]), "organisation": settings.ORGANISATION,
    }  # fmt: skip
    people = answering(row.team, at).exclude(pk=row.asked_by_id) if row.team else [row.receiver]
    for person in people:
        thread = f"hand-over/{row.pk}" + (f"/{person.pk}" if row.team else "")
        question = f"Will {row.team} run the backups of {name}?" if row.team else f"Will you be {row.get_duty_display()} of {name}?"
        if person and person.email:
            sees = Service.objects.visible_to(person).filter(pk=row.service_id).exists()
            page = f"/services/{row.service.code}/ownership/" if sees else "/ownership/"  # what is offered can be answered on either
            body = render_to_string("catalogue/email/hand_over.txt", {**context, "address": f"{settings.BASE_URL}{page}"})
            outbox.write(key=thread, thread=thread, recipient=person.email, subject=question, body=body, at=at)
