"""What waits in quarantine is read again: by itself once after every change of the readers, by hand when somebody asks. Only that."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import msgspec
from django.db import transaction
from django.db.models import Q

from catalogue import duties
from catalogue.refusing import NotAllowed, NotReady
from itsm_backup.common.time import iso
from monitoring import answers, evaluation, intake, mapping, restating, settling, storing, waking
from monitoring.carrying import each
from monitoring.connectors import READERS
from monitoring.connectors.base import Reading
from monitoring.connectors.mapped import DOCUMENT
from monitoring.models import BackupRun, QuarantinedRecord, QuarantineReading, Tool
from monitoring.restating import Lens
from monitoring.storing import Again

AT_ONCE, MOST_ANSWERS = 100, 2_000
GONE = "Its raw answer is no longer kept, so it cannot be read any more."


class Line(msgspec.Struct, kw_only=True):
    """One record in quarantine: why it waits, and what reading it again comes to."""

    record: int
    before: str
    after: str
    readable: bool
    run: int | None = None


class Reread(msgspec.Struct, kw_only=True):
    """What reading the quarantine again comes to: how many were read, what they are now, which services stand otherwise by it."""

    at: str
    read_now: int = 0
    still: int = 0
    new_runs: int = 0
    left_out: int = 0
    lines: list[Line] = []
    services: list[dict[str, str]] = []


class _Undo(Exception):
    pass


def reread_waiting(*, at: dt.datetime) -> int:
    """Read again what other readers than the present ones could not read; returns the number of answers. Each is tried once."""
    other = Q(readers__lt=READERS) | Q(readers__gt=READERS)  # two ranges of the index, where "not equal" would read all of it
    waiting = QuarantinedRecord.objects.filter(other, resolved_at=None, answer__isnull=False).order_by("readers", "pk")
    ids = dict.fromkeys(answer or 0 for answer in waiting.values_list("answer", flat=True)[:AT_ONCE])
    return each(ids, lambda pk: bool(_reread_alone(pk, at)), "reading again what is in quarantine of answer")


@transaction.atomic
def _reread_alone(answer_id: int, at: dt.datetime) -> list[Line]:
    return _reread_answer(answer_id, at, None, Reread(at=iso(at)))


def check_reader(tool: Tool, by: Any, deed: str = "have the quarantine of {tool} read again") -> None:
    """Raises NotAllowed, naming who can, unless the person may have this tool asked: reading again brings runs in, as asking does."""
    if not by.is_active or not Tool.objects.visible_to(by, "poll").filter(pk=tool.pk).exists():
        able = duties.names(duties.who_may("poll", tool, except_ids=[by.pk]))
        raise NotAllowed(f"You may not {deed.format(tool=tool)}. {f'{able} can.' if able else 'Nobody can yet.'}")


def preview(*, tool: Tool, by: Any, at: dt.datetime) -> Reread:
    """What reading again would come to, worked out by doing it and taking all of it back. Raises NotAllowed."""
    check_reader(tool, by)
    try:
        with transaction.atomic():
            found = _reread_tool(tool, by, at)
            concerned = _services(line.run for line in found.lines)
            stood = restating.standing(concerned, at)
            settling.settle_jobs(at=at)
            evaluation.judge_services(at=at)
            found.services = restating.moved(stood, restating.standing(concerned, at))
            raise _Undo
    except _Undo:
        return found


def reread(*, tool: Tool, by: Any, at: dt.datetime) -> Reread:
    """Read everything that waits in the tool's quarantine again, for good. Raises NotAllowed, NotReady when nothing waits."""
    check_reader(tool, by)
    with transaction.atomic():
        found = _reread_tool(tool, by, at)
        if not found.lines:
            raise NotReady([f"Nothing of {tool} waits in quarantine."])
        transaction.on_commit(waking.wake)
    return found


def _reread_tool(tool: Tool, by: Any, at: dt.datetime) -> Reread:
    waiting = QuarantinedRecord.objects.filter(tool=tool, resolved_at=None, answer__isnull=False).order_by("answer")
    ids = list(dict.fromkeys(waiting.values_list("answer", flat=True)))
    found = Reread(at=iso(at), left_out=max(0, len(ids) - MOST_ANSWERS))
    for answer_id in ids[-MOST_ANSWERS:]:
        found.lines += _reread_answer(answer_id or 0, at, by, found)
    return found


def _reread_answer(answer_id: int, at: dt.datetime, by: Any, found: Reread) -> list[Line]:
    """Read one answer again, store the runs of it that are not there yet, and write into each record's story what came of it."""
    rows = list(QuarantinedRecord.objects.select_for_update().filter(answer=answer_id, resolved_at=None).order_by("answer_index", "pk"))
    try:
        tool, answer = answers.open_answer(answer_id)
    except answers.AnswerGone:
        return _told(rows, {row.pk: Line(record=row.pk, before=row.reason, after=GONE, readable=False) for row in rows}, at, by, found)
    document = mapping.settings_of(tool).get(DOCUMENT, "")
    reading = Lens(intake.meaning_of(tool), document).read(tool, answer)
    refused = {intake.excerpt_of(reject): reject.reason for reject in intake.refused_by(reading)}
    stored = _stored(tool, reading, answer_id, at) if any(row.excerpt not in refused for row in rows) else {}
    found.new_runs += len(stored)
    lines = {row.pk: _line(row, refused, stored) for row in rows}
    return _told(rows, lines, at, by, found)


def _stored(tool: Tool, reading: Reading, answer_id: int, at: dt.datetime) -> dict[int, int]:
    """Place in the answer → the new run of it."""
    told = msgspec.structs.replace(reading, complete=False)  # what an old listing lacks is not gone by that
    stored = storing.store(tool=tool, reading=told, answer_id=answer_id, at=at, again=Again(new_only=True))
    return {row.index: row.run for row in stored.rows}


def _line(row: QuarantinedRecord, refused: dict[str, str], stored: dict[int, int]) -> Line:
    if row.excerpt in refused:
        return Line(record=row.pk, before=row.reason, after=refused[row.excerpt], readable=False)
    run = stored.get(row.answer_index)
    return Line(record=row.pk, before=row.reason, after=_became(run), readable=True, run=run)


def _became(run_id: int | None) -> str:
    run = BackupRun.objects.select_related("job").filter(pk=run_id).first() if run_id else None
    if run is None:
        return "It can be read now and tells of no run that is not known already."
    return f"{run.operation.replace('_', ' ').capitalize()} of {run.job.name}: {run.outcome or run.state}."


def _told(rows: list[QuarantinedRecord], lines: dict[int, Line], at: dt.datetime, by: Any, found: Reread) -> list[Line]:
    for row in rows:
        line = lines[row.pk]
        row.readers, row.resolved_at = READERS, at if line.readable else None
    QuarantinedRecord.objects.bulk_update(rows, ["readers", "resolved_at"])
    QuarantineReading.objects.bulk_create(
        QuarantineReading(
            record=row, at=at, by=by, readers=READERS, readable=lines[row.pk].readable, told=lines[row.pk].after, run=lines[row.pk].run
        )
        for row in rows
    )
    found.read_now += sum(line.readable for line in lines.values())
    found.still += sum(not line.readable for line in lines.values())
    return list(lines.values())


def _services(runs: Iterable[int | None]) -> set[int]:
    jobs = BackupRun.objects.filter(pk__in=[run for run in runs if run], job__service__isnull=False)
    return set(jobs.values_list("job__service", flat=True))


def sentence(found: Reread) -> str:
    """What reading again comes to, in words."""
    parts = [(found.read_now, "can be read now"), (found.still, "still cannot be read")]
    told = " and ".join(f"{count:,} of {len(found.lines):,} {words}" for count, words in parts if count)
    return f"{told or 'Nothing waits in quarantine'}. New runs: {found.new_runs:,}."
