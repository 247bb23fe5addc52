"""The one way in: keep what was said, read it, store the good, quarantine the bad, mark what it touched."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any, Literal

import msgspec
from django.db import transaction

from monitoring import answers, storing, waking
from monitoring.asking import fetch_prepared
from monitoring.connectors import READERS, reader_of
from monitoring.connectors.base import Answer, Reading, Reject
from monitoring.meaning import Meaning
from monitoring.models import QuarantinedRecord, Tool

_MEANING = """
SELECT words::text, units::text FROM monitoring_statusmap WHERE tool_id = %(tool)s AND state = 'approved' ORDER BY number DESC LIMIT 1"""


class Result(msgspec.Struct, kw_only=True):
    """What became of one record of an answer."""

    index: int
    status: Literal["stored", "unchanged", "quarantined"]
    reason: str | None = None
    run: int | None = None
    external_id: str | None = None


class Receipt(msgspec.Struct, kw_only=True):
    """What became of an answer: its id, one result per record in order, what the tool said about itself, and where to go on asking."""

    answer: int
    results: list[Result]
    complete: bool
    problems: list[str]
    cursor: dict[str, Any] = {}


def receive(*, tool: Tool, answer: Answer, at: dt.datetime, token_id: int | None = None, understood: Reading | None = None) -> Receipt:
    """Keep the answer and read it, in one transaction; the journey is woken on commit. `understood`: what it says, if that is known."""
    with transaction.atomic():
        answer_id = answers.keep(tool=tool, answer=answer, at=at, token_id=token_id, read_at=at)
        return _store(tool=tool, answer=answer, reading=understood or understand(tool, answer), answer_id=answer_id, at=at)


def unchanged(reading: Reading, answer_id: int) -> Receipt:
    """The receipt for an answer that says what was compared with all that is known before."""
    told = [Result(index=index, status="unchanged", external_id=one.external_id) for index, one in enumerate(reading.records)]
    return Receipt(answer=answer_id, results=told, complete=True, problems=reading.problems, cursor=reading.cursor)


def read_again(*, answer_id: int, at: dt.datetime) -> Receipt:
    """Read a kept answer (again): after a crash between keeping and reading, or after a connector learned more."""
    with transaction.atomic():
        tool, answer = answers.open_answer(answer_id)
        answers.mark_read(answer_id=answer_id, at=at)
        return _store(tool=tool, answer=answer, reading=understand(tool, answer), answer_id=answer_id, at=at)


def understand(tool: Tool, answer: Answer) -> Reading:
    """What the answer says, in the meaning that is in force."""
    return meaning_of(tool).applied(reader_of(answer.kind, tool.kind).read(answer))


def _store(*, tool: Tool, answer: Answer, reading: Reading, answer_id: int, at: dt.datetime) -> Receipt:
    stored = storing.store(tool=tool, reading=reading, answer_id=answer_id, at=at)
    quarantined = quarantine(tool, [*reading.rejects, *stored.rejects], answer_id, at, told_again=answer.kind == "poll")
    transaction.on_commit(waking.wake)
    results = [
        Result(index=row.index, status="stored" if row.changed else "unchanged", run=row.run, external_id=row.external_id)
        for row in stored.rows
    ] + quarantined
    return Receipt(
        answer=answer_id,
        results=sorted(results, key=lambda result: result.index),
        complete=reading.complete,
        problems=reading.problems,
        cursor=reading.cursor,
    )


def meaning_of(tool: Tool) -> Meaning:
    """The status and unit map in force."""
    held = fetch_prepared(_MEANING, {"tool": tool.pk}, changes_nothing=True)
    return Meaning(*map(msgspec.json.decode, held)) if held else Meaning()


def refused_by(reading: Reading) -> list[Reject]:
    """Everything of a reading that cannot be kept as a run: what the connector could not read, and what has no possible time."""
    return [*reading.rejects, *storing.indexed(reading)[1]]


def quarantine(tool: Tool, rejects: list[Reject], answer_id: int, at: dt.datetime, *, told_again: bool = False) -> list[Result]:
    """Keep what could not be read with its reason, once. `told_again`: the answer is a later view of what earlier ones held."""
    if not rejects:
        return []
    known = set(QuarantinedRecord.objects.filter(answer=answer_id).values_list("answer_index", flat=True))
    fresh = [reject for reject in rejects if reject.index not in known]
    QuarantinedRecord.objects.bulk_create(
        QuarantinedRecord(
            tool=tool,
            answer=answer_id,
            answer_index=reject.index,
            reason=reject.reason,
            excerpt=excerpt_of(reject),
            created_at=at,
            readers=READERS,
        )
        for reject in (_not_waiting(tool, fresh, answer_id) if told_again else fresh)
    )
    return [Result(index=reject.index, status="quarantined", reason=reject.reason) for reject in rejects]


def excerpt_of(reject: Reject) -> str:
    """What it looked like, as it is kept: by this a record is known again."""
    return reject.excerpt[:2_000].replace("\x00", "\ufffd")


def _not_waiting(tool: Tool, rejects: list[Reject], answer_id: int) -> list[Reject]:
    """Those that neither wait already nor were set aside as they are; those that wait hang on this later answer from now on."""
    told = [excerpt_of(reject) for reject in rejects if reject.excerpt]
    waiting: dict[str, list[QuarantinedRecord]] = {}
    for row in QuarantinedRecord.objects.filter(tool=tool, resolved_at=None, excerpt__in=told).exclude(answer=answer_id).order_by("-pk"):
        waiting.setdefault(row.excerpt, []).append(row)
    aside = Counter(QuarantinedRecord.objects.filter(tool=tool, set_aside=True, excerpt__in=told).values_list("excerpt", flat=True))
    moved, fresh = [], []
    for reject in rejects:
        if rows := waiting.get(excerpt_of(reject)):
            row = rows.pop()
            row.answer, row.answer_index, row.reason, row.readers = answer_id, reject.index, reject.reason, READERS
            moved.append(row)
        elif aside[excerpt_of(reject)]:
            aside[excerpt_of(reject)] -= 1
        else:
            fresh.append(reject)
    QuarantinedRecord.objects.bulk_update(moved, ["answer", "answer_index", "reason", "readers"])
    return fresh
