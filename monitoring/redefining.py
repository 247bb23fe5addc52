"""Status maps of tools: drafted and tried on kept answers, approved by somebody else who saw the effect; what was read is restated."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import msgspec
from django.db import transaction

from catalogue import duties
from catalogue.refusing import NotReady, WrongState, problems_of
from itsm_backup.common.models import because
from monitoring import meaning, restating
from monitoring.meaning import Meaning
from monitoring.models import StatusMap, Tool
from monitoring.restating import Effect, Lens
from monitoring.translating import check_approver_of, check_author

State = StatusMap.State


def meaning_of(row: StatusMap | None) -> Meaning:
    return Meaning(row.words, row.units) if row is not None else Meaning()


def in_force(tool: Tool, at: dt.datetime) -> StatusMap | None:
    """The version that counts at `at`."""
    return StatusMap.objects.in_force(at).filter(tool=tool).select_related("author", "approver").first()


def draft_map(*, tool: Tool, words: Mapping[str, str], units: Mapping[str, str], by: Any, at: dt.datetime, reason: str) -> StatusMap:
    """The next version as a draft with what it would change, or the author's open draft rewritten. Raises NotAllowed, NotReady."""
    check_author(tool, by, at)
    found = meaning.problems(words, units)
    found += [] if reason.strip() else ["Say why: the reason is kept with the version."]
    held = in_force(tool, at)
    if not found and meaning_of(held) == Meaning(dict(words), dict(units)):
        found.append("That is what counts already: change a word or a unit.")
    if found:
        raise NotReady(found)
    effect = _effect(tool, held, Meaning(words, units), at)
    with transaction.atomic():
        Tool.objects.select_for_update().get(pk=tool.pk)
        return _written(tool, dict(words), dict(units), by, reason.strip(), effect, at)


def _effect(tool: Tool, held: StatusMap | None, wanted: Meaning, at: dt.datetime) -> Effect:
    return restating.preview(tool=tool, before=Lens(meaning_of(held)), after=Lens(wanted), at=at)


def _written(tool: Tool, words: dict[str, str], units: dict[str, str], by: Any, reason: str, effect: Effect, at: dt.datetime) -> StatusMap:
    newest = StatusMap.objects.filter(tool=tool).order_by("-number").first()
    row = newest if newest is not None and newest.state == State.DRAFT else None
    if row is None:
        row = StatusMap(tool=tool, number=(newest.number if newest else 0) + 1, author=by)
    elif row.author_id != by.pk:  # one author, so that nobody approves words of their own
        raise NotReady([f"{duties.names([row.author])} writes {row}: let them change it, or give it up and write the next one."])
    row.words, row.units, row.reason, row.effect, row.tried_at = words, units, reason, msgspec.to_builtins(effect), at
    found = problems_of(row)
    if found:
        raise NotReady(found)
    with because(reason, by=by):
        row.save()
    return row


def approve(*, row: StatusMap, by: Any, at: dt.datetime, reason: str, accepts_good: int = 0) -> StatusMap:
    """Make the draft count, and restate what it reads otherwise. Raises NotAllowed for its author and for who is no approver; WrongState.

    When bad runs turn good, `accepts_good` must say how many: whoever approves has then seen the number. When the effect is no
    longer the one that was shown, it is shown anew and nothing is changed.
    """
    held = _open(row)
    check_approver_of(held, by)
    try:
        with transaction.atomic(), because(reason.strip() or "Approved.", by=by):
            return _approved(held, by, at, accepts_good)
    except _Otherwise as error:
        with transaction.atomic(), because("Its effect was worked out anew", by=by):
            fresh = _open(row)
            fresh.effect, fresh.tried_at = _shown_anew(fresh, at), at
            fresh.save()
        raise WrongState(str(error)) from None


class _Otherwise(Exception):
    pass


def _approved(row: StatusMap, by: Any, at: dt.datetime, accepts_good: int) -> StatusMap:
    held = _open(StatusMap.objects.select_for_update(of=("self",)).get(pk=row.pk))
    before = Lens(meaning_of(in_force(held.tool, at)))
    effect = restating.restate(tool=held.tool, before=before, after=Lens(meaning_of(held)), at=at, status_map=held.pk)
    shown = msgspec.convert(held.effect, Effect)
    if effect.moves != shown.moves or effect.sizes != shown.sizes:
        raise _Otherwise("Its effect is another one by now, because more was read. It was worked out anew: look at it again.")
    if effect.turned_good != accepts_good:
        raise WrongState(f"{effect.turned_good} bad runs would count as good. Say that you accept this number, or give the draft up.")
    effect.services = shown.services
    held.state, held.approver, held.approved_at = State.APPROVED, by, at
    held.effect, held.tried_at = msgspec.to_builtins(effect), at
    held.save()
    return held


def _shown_anew(row: StatusMap, at: dt.datetime) -> Any:
    return msgspec.to_builtins(_effect(row.tool, in_force(row.tool, at), meaning_of(row), at))


def give_up(*, row: StatusMap, by: Any, at: dt.datetime, reason: str) -> StatusMap:
    """Give the draft up; it stays readable. Raises NotAllowed, WrongState."""
    check_author(row.tool, by, at)
    with transaction.atomic(), because(reason, by=by):
        held = _open(StatusMap.objects.select_for_update(of=("self",)).get(pk=row.pk))
        held.state = State.CANCELLED
        held.save()
    return held


def _open(row: StatusMap) -> StatusMap:
    held = StatusMap.objects.select_related("tool", "author").get(pk=row.pk)
    if held.state != State.DRAFT:
        raise WrongState(f"The {held} is already {held.get_state_display()}. Nothing was changed; look at it again.")
    return held
