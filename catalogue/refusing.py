"""Why a version is not moved, said so that people know what to do; and the moves that there are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils.text import capfirst

from catalogue import comparing, duties, wording
from catalogue.constraints import full_clean
from catalogue.duties import NotAllowed, Refused
from catalogue.models import Service, ServiceVersion
from itsm_backup.common.time import UTC

__all__ = ["TRANSITIONS", "NotAllowed", "NotReady", "Refused", "Stale", "WrongState", "locked", "problems_of", "words_of"]

State = ServiceVersion.State


class WrongState(Refused):
    """The version is no longer (or not yet) in a state that allows it: somebody else was faster."""


class Stale(Refused):
    """The content is no longer the one that was read: `changes` are what somebody made of it since."""

    def __init__(self, version: ServiceVersion, seen: str, content: comparing.Content) -> None:
        newest = version.revisions.select_related("by").order_by("-pk").first()
        earlier = version.revisions.filter(content_hash=seen).first()
        self.changes = comparing.diff(earlier.content, content) if earlier else []
        self.revision = newest
        who = f"{duties.names([newest.by])} changed it on {words_of(newest.at)}" if newest else "Somebody changed it"
        what = f": {wording.sentence(self.changes)}" if self.changes else ""
        super().__init__(f"{version} is not what you read any more. {who}{what}. Nothing was changed; look at it again.")


class NotReady(Refused):
    """Something is missing or contradictory; `problems` holds one sentence for each, all at once."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Transition:
    """One allowed move of a version. An empty `reason` must be given by the person; otherwise it stands in for theirs."""

    act: str
    sources: tuple[str, ...]
    target: str
    guard: str
    reason: str = ""


TRANSITIONS = {
    transition.act: transition
    for transition in (
        Transition("edit", (State.DRAFT, State.IN_REVIEW), State.DRAFT, "every editor becomes an author; a review starts again"),
        Transition("submit", (State.DRAFT,), State.IN_REVIEW, "all mandatory content is there and valid", "Submitted for review."),
        Transition("approve", (State.IN_REVIEW,), State.APPROVED, "an approver who is no author; ranges do not overlap", "Approved."),
        Transition("return to draft", (State.IN_REVIEW,), State.DRAFT, "–"),
        Transition("cancel", (State.DRAFT, State.IN_REVIEW), State.CANCELLED, "–"),
        Transition("withdraw", (State.APPROVED,), State.CANCELLED, "its day lies ahead: it has never been in force"),
    )
}


def locked(
    version: ServiceVersion, act: str, *, seen: str = "", first: Callable[[ServiceVersion], None] = lambda held: None
) -> ServiceVersion:
    """The version as it stands now, held until the transaction ends.

    `first` asks for the right before anything of the content is told. Raises what that raises; Stale when its content is not the one of
    the hash `seen`; WrongState when the act does not fit its state.
    """
    Service.objects.select_for_update().get(pk=version.service_id)
    held: ServiceVersion = ServiceVersion.objects.select_for_update(of=("self",)).select_related("service").get(pk=version.pk)
    first(held)
    if seen and held.state in (State.DRAFT, State.IN_REVIEW):
        content = comparing.content_of(held)
        if comparing.hash_of(content) != seen:
            raise Stale(held, seen, content)
    if held.state in TRANSITIONS[act].sources:
        return held
    done = f"{held} is already {held.get_state_display()}"
    if held.state == State.APPROVED and held.approver and held.approved_at:
        done += f": {duties.names([held.approver])} approved it on {held.approved_at:%d %b %Y at %H:%M} UTC"
    elif held.state == State.DRAFT:
        done = f"{held} is a draft: it waits until one of its authors submits it for review"
    raise WrongState(f"{done}. Nothing was changed; look at it again.")


def problems_of(row: Any, *, only: Collection[str] | None = None) -> list[str]:
    """One sentence for everything that keeps a row from being stored, field by field; empty when it is valid.

    `only` names the fields that people give, where the machine fills in the others.
    """
    written_by_acts = [field.name for field in row._meta.fields if not field.editable or (only is not None and field.name not in only)]
    try:
        full_clean(row, exclude=written_by_acts)
    except ValidationError as error:
        return [
            text if field == NON_FIELD_ERRORS else f"{capfirst(row._meta.get_field(field).verbose_name)}: {text}"
            for field, texts in error.message_dict.items()
            for text in texts
        ]
    return []


def words_of(instant: dt.datetime) -> str:
    return f"{instant.astimezone(UTC):%d %b %Y at %H:%M} UTC"
