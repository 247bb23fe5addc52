"""What is done so that it does not happen again: actions with somebody who does them by a day, and reminders of those that are late."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction

from incidents import publicising
from incidents.models import Incident, PostIncidentReview, ReviewAction
from incidents.working import NotPossible
from itsm_backup.common.models import because
from itsm_backup.common.time import local_day

State = ReviewAction.State
WHAT, OUTCOME = 400, 2_000


@transaction.atomic
def add(*, review: PostIncidentReview, what: str, owner: Any, due_on: dt.date | None, by: Any, at: dt.datetime) -> ReviewAction:
    """An action of a review on its way. Raises NotPossible without what, who and when, and for who may not see the incident."""
    held = PostIncidentReview.objects.select_for_update(of=("self",)).select_related("incident").get(pk=review.pk)
    if held.state not in ("draft", "in_review"):
        raise NotPossible(f"{held.number} is {held.get_state_display().lower()}. Actions are added before it is published.")
    if not what.strip():
        raise NotPossible("Write what is to be done.")
    if len(what.strip()) > WHAT:
        raise NotPossible(f"What is to be done has {len(what.strip()):,} characters, and {WHAT} fit. Shorten it.")
    _check_owner(owner, held.incident)
    if due_on is None or due_on < local_day(at, "UTC"):
        raise NotPossible("Choose the day by which it is done: today or later.")
    if held.state == "draft" and by.pk not in held.author_ids:
        held.author_ids = sorted({*held.author_ids, by.pk})
    words = f"Action: {what.strip()}"
    _stored(held, words, by, at)
    return _stored(ReviewAction(review=held, what=what.strip(), owner=owner, due_on=due_on), words, by, at)


def _check_owner(owner: Any, incident: Incident) -> None:
    if owner is None or not owner.is_active:
        raise NotPossible("Choose somebody with a live account who does it.")
    if not Incident.objects.visible_to(owner).filter(pk=incident.pk).exists():
        raise NotPossible(f"{owner.get_full_name() or owner.get_username()} may not see {incident.number}. Choose somebody who may.")


@transaction.atomic
def hand(*, action: ReviewAction, owner: Any, due_on: dt.date, reason: str, by: Any, at: dt.datetime) -> ReviewAction:
    """Give the action to somebody else, or move its day. Raises NotPossible without reason, when it ended, and for a day that is over."""
    row = _open(action)
    if not reason.strip():
        raise NotPossible("Say why it goes to somebody else, or later.")
    _check_owner(owner, row.review.incident)
    if due_on < local_day(at, "UTC"):
        raise NotPossible("Choose the day by which it is done: today or later.")
    row.owner, row.due_on = owner, due_on
    return _stored(row, reason, by, at)


@transaction.atomic
def end(*, action: ReviewAction, as_: str, outcome: str, by: Any, at: dt.datetime) -> ReviewAction:
    """It is `done`, or `cancelled` with the reason. Raises NotPossible when it ended already, and for a cancelling without reason."""
    row = _open(action)
    if as_ not in (State.DONE, State.CANCELLED):
        raise NotPossible("Say whether it is done or cancelled.")
    if not outcome.strip() and as_ == State.CANCELLED:
        raise NotPossible("Say why it is not done.")
    if len(outcome.strip()) > OUTCOME:
        raise NotPossible(f"That is {len(outcome.strip()):,} characters, and {OUTCOME:,} fit. Shorten it.")
    row.state, row.outcome, row.ended_at, row.ended_by = as_, outcome.strip(), at, by
    return _stored(row, f"{row.get_state_display()}{': ' if outcome.strip() else ''}{outcome.strip()}", by, at)


def may_end(action: ReviewAction, user: Any) -> bool:
    """Who does it, and who may work on reviews of what they see."""
    return action.owner_id == user.pk or PostIncidentReview.objects.visible_to(user, "change").filter(pk=action.review_id).exists()


def remind(*, at: dt.datetime) -> int:
    """Tell who does it that an action is late, once a week; from the second week on the publisher, too. Returns how many mails."""
    today = local_day(at, "UTC")
    late = ReviewAction.objects.overdue(today).select_related("owner", "review__publisher", "review__incident")
    return sum(publicising.tell_late(action=one, weeks=(today - one.due_on).days // 7, at=at) for one in late)


def _open(action: ReviewAction) -> ReviewAction:
    row: ReviewAction = ReviewAction.objects.select_for_update(of=("self",)).select_related("review__incident", "owner").get(pk=action.pk)
    if row.state != State.OPEN:
        raise NotPossible(f"It is {row.get_state_display().lower()} already.")
    return row


def _stored(row: Any, reason: str, by: Any, at: dt.datetime) -> Any:
    row._history_date = at
    with because(reason, by=by):
        row.save()
    return row
