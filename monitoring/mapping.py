"""Maps of tools: written, put in force by somebody else, tried on a pasted answer without storing anything."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
from django.db import transaction

from catalogue import duties
from catalogue.refusing import NotAllowed, NotReady, WrongState, problems_of
from itsm_backup.common.models import because
from monitoring import intake, restating
from monitoring.connectors import reading
from monitoring.connectors.base import Answer, Record, Reject, Step
from monitoring.connectors.map_document import BadDocument, parsed, shipped
from monitoring.connectors.mapped import DOCUMENT, Mapped, rows_of
from monitoring.connectors.mapped_runs import Reader, missing, unused
from monitoring.models import Tool, ToolMap
from monitoring.restating import Effect, Lens

State = ToolMap.State


def draft(*, name: str, document: str, by: Any, at: dt.datetime, reason: str) -> ToolMap:
    """The next version of the map of this name, not yet in force. Raises NotReady with every problem."""
    with transaction.atomic(), because(reason, by=by):
        newest = ToolMap.objects.select_for_update().filter(name=name).order_by("-number").first()
        row = ToolMap(name=name, number=newest.number + 1 if newest else 1, document=document, author=by)
        if problems := problems_of(row):
            raise NotReady(problems)
        row.save()
    return row


def effects(row: ToolMap, at: dt.datetime) -> list[tuple[Tool, Effect]]:
    """What the map would change of what was read of each tool that chooses it. Nothing is changed by asking."""
    return [(tool, restating.preview(tool=tool, before=_lens(tool), after=_lens(tool, row), at=at)) for tool in _tools_of(row)]


def _tools_of(row: ToolMap) -> list[Tool]:
    return list(Tool.objects.filter(kind=Mapped.kind, settings__map=row.name, enabled=True).order_by("pk"))


def _lens(tool: Tool, row: ToolMap | None = None) -> Lens:
    """How the tool's answers are read: by the document that each carries, or by this one."""
    return Lens(intake.meaning_of(tool), row.document if row else "")


def approve(*, row: ToolMap, by: Any, at: dt.datetime, reason: str, accepts_good: int = 0) -> ToolMap:
    """Put the map in force in place of the one before it, and restate what it reads otherwise of the answers that are kept.

    When bad runs turn good, `accepts_good` must say how many. Raises NotAllowed for its author and for who may not; WrongState.
    """
    with transaction.atomic(), because(reason.strip() or "Approved.", by=by):
        held = _open(row)
        check_approver(held, by)
        for before in ToolMap.objects.filter(name=held.name, state=State.IN_FORCE):
            before.state = State.REPLACED
            before.save()
        held.state, held.approver, held.approved_at = State.IN_FORCE, by, at
        held.save()
        turned = sum(
            restating.restate(tool=tool, before=_lens(tool), after=_lens(tool, held), at=at).turned_good for tool in _tools_of(held)
        )
        if turned != accepts_good:
            raise WrongState(f"{turned} bad runs would count as good under {held}. Say that you accept this number, or cancel it.")
    return held


def cancel(*, row: ToolMap, by: Any, at: dt.datetime, reason: str) -> ToolMap:
    """Give the draft up; it stays readable. Raises WrongState."""
    with transaction.atomic(), because(reason, by=by):
        held = _open(row)
        held.state = State.CANCELLED
        held.save()
    return held


def check_approver(row: ToolMap, by: Any) -> None:
    """Raises NotAllowed, saying who can, unless `by` may put this map in force."""
    if row.author_id == by.pk:
        others = duties.names(person for person in duties.who_may("approve", row) if person.pk != by.pk) or "Nobody yet"
        raise NotAllowed(f"You wrote {row}, so somebody else must put it in force. {others} can.")
    if not ToolMap.objects.visible_to(by, "approve").filter(pk=row.pk).exists():
        others = duties.names(person for person in duties.who_may("approve", row) if person.pk != row.author_id) or "Nobody yet"
        raise NotAllowed(f"You may not put {row} in force. {others} can.")


def _open(row: ToolMap) -> ToolMap:
    held = ToolMap.objects.select_for_update(of=("self",)).get(pk=row.pk)
    if held.state != State.DRAFT:
        raise WrongState(f"{held} is already {held.get_state_display()}. Nothing was changed; look at it again.")
    return held


def document_in_force(name: str) -> str:
    """The document that counts for this name: the version in force, else the one that comes with the product, else none."""
    row = ToolMap.objects.filter(name=name, state=State.IN_FORCE).first()
    return row.document if row else shipped().get(name, "")


def settings_of(tool: Tool) -> dict[str, str]:
    """What a poll gives the connector besides the tool's own settings."""
    return {DOCUMENT: document_in_force(str(tool.settings.get("map", "")))} if tool.kind == Mapped.kind else {}


class Trial(msgspec.Struct, kw_only=True):
    """What a document makes of an answer. Nothing of it is stored."""

    problem: str = ""
    records: list[Record] = []
    rejects: list[Reject] = []
    left_out: int = 0
    notes: list[tuple[str, int]] = []
    missing: list[str] = []
    unused: list[str] = []


def attempt(*, document: str, answer: str) -> Trial:
    """Read the answer by the document, as a poll would do it, and tell what was not understood."""
    try:
        told = parsed(document)
        body = reading.document(answer)
    except BadDocument as error:
        return Trial(problem=str(error))
    except ValueError as error:
        return Trial(problem=f"The answer cannot be read: {error}.")
    rows = rows_of(told, body)
    if not isinstance(rows, list):
        place = told.list.items if told.list else ""
        return Trial(problem=f"The answer has no list at {place or 'its top'}. Correct list.items, or paste a whole answer.")
    read = Mapped().read(Answer(kind="push", steps=[Step(name="list", exit_code=200, stdout=answer)], meta={DOCUMENT: document}))
    reader = Reader(told)
    objects = [row for row in rows if isinstance(row, dict)]
    left_out = sum(1 for row in objects if reader.read(row) is None)
    return Trial(
        records=read.records,
        rejects=read.rejects,
        left_out=left_out,
        notes=reader.notes.most_common(),
        missing=missing(told, objects),
        unused=unused(told, objects[0]) if objects else [],
    )
