"""What reviews ask entries to say instead: once for each question of an incident, answered by the steward of the entry."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.conf import settings
from django.db import transaction

from catalogue import drafting, duties
from catalogue.models import ServiceVersion
from catalogue.refusing import Refused
from incidents.models import EntryProposal, PostIncidentReview
from incidents.working import NotPossible

State = EntryProposal.State
OPEN_VERSIONS = (ServiceVersion.State.DRAFT, ServiceVersion.State.IN_REVIEW)


def propose_for(*, review: PostIncidentReview, at: dt.datetime) -> list[EntryProposal]:
    """A proposal for every "no" of the review that has none yet, whichever revision said it first."""
    known = set(EntryProposal.objects.filter(incident=review.incident).values_list("question", flat=True))
    wrong = review.answers.filter(answer="no", service__isnull=False).exclude(question__in=known)
    return [
        EntryProposal.objects.create(
            incident=review.incident, answer=one, question=one.question, service=one.service, text=one.note, made_at=at,
            suggestion=one.suggestion if one.proposed == "no" else {},
        )
        for one in wrong
    ]  # fmt: skip


@transaction.atomic
def draft(*, proposal: EntryProposal, by: Any, at: dt.datetime) -> EntryProposal:
    """A draft of the entry by its steward, with what the data suggest filled in; it is approved as every version is.

    Where a draft is open already, it gets what is suggested, with what is asked among its reasons. Raises NotPossible where it is
    answered already, for who may not change the entry, and for what the catalogue refuses.
    """
    row = _open(proposal, by, at)
    reason = f"{row.answer.review.number}: {row.text} {settings.BASE_URL}/reviews/{row.answer.review.number}/"
    content, commitment = row.suggestion.get("content", {}), row.suggestion.get("commitment", {})
    said: dict[str, Any] = {"content": content, "commitment": commitment, "by": by, "at": at, "reason": reason}
    version = row.service.versions.filter(state__in=OPEN_VERSIONS).first()
    try:
        drafted = (
            drafting.edit_draft(version=version, asked=True, **said) if version else drafting.draft_version(service=row.service, **said)
        )
    except Refused as error:
        raise NotPossible(str(error)) from None
    row.state, row.version, row.answered_by, row.answered_at = State.DRAFTED, drafted, by, at
    row.save()
    return row


@transaction.atomic
def settle(*, proposal: EntryProposal, as_: str, reason: str, by: Any, at: dt.datetime) -> EntryProposal:
    """`settled` where something else than a version put it right, such as a relation; `declined` where the entry is right.

    Raises NotPossible without reason, where it is answered already, and for who may not change the entry.
    """
    row = _open(proposal, by, at)
    if as_ not in (State.SETTLED, State.DECLINED):
        raise NotPossible("Say whether it is settled or declined.")
    if not reason.strip():
        raise NotPossible("Say what put it right, or why the entry is right as it is.")
    row.state, row.reason, row.answered_by, row.answered_at = as_, reason.strip(), by, at
    row.save()
    return row


def became(proposal: EntryProposal) -> str:
    """What became of it, in words: `Version 8 is in review`."""
    if proposal.state == State.DRAFTED and proposal.version is not None:
        state = proposal.version.get_state_display().lower()
        return f"Version {proposal.version.number} is {'a draft' if proposal.version.state == 'draft' else state}"
    said = proposal.get_state_display()
    return f"{said}: {proposal.reason}" if proposal.reason else said


def _open(proposal: EntryProposal, by: Any, at: dt.datetime) -> EntryProposal:
    rows = EntryProposal.objects.select_for_update(of=("self",)).select_related("service", "answer__review")
    row: EntryProposal = rows.get(pk=proposal.pk)
    if row.state != State.OPEN:
        raise NotPossible(f"It was answered already: {became(row)}.")
    if told := duties.refusal(by=by, act="change", on=row.service, at=at):
        raise NotPossible(told)
    return row
