"""Kept answers read again under another map: first only to see what it would change, then for good."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
from django.db import transaction

from catalogue.models import ServiceStatus, ServiceVersion
from itsm_backup.common.time import iso
from monitoring import answers, evaluation, intake, settling, storing, waking
from monitoring.combining import key_of
from monitoring.connectors import reader_of
from monitoring.connectors.base import Answer, Reading
from monitoring.connectors.mapped import DOCUMENT
from monitoring.meaning import GOOD, Meaning
from monitoring.models import BackupJob, BackupRun, QuarantinedRecord, RawAnswer, Tool
from monitoring.storing import Again

LOOK_BACK = dt.timedelta(days=90)
MOST_ANSWERS, MOST_EXAMPLES, MOST_TOLD = 5_000, 50, 40
FEW_NAMES = 3  # so few copies, each with a word of its own, may have words
_SHOWN = ("outcome", "bytes_source", "bytes_stored")


class Lens(NamedTuple):
    """How answers are read: the meaning laid over them, and for mapped tools the document in place of the one they carry."""

    meaning: Meaning
    document: str = ""

    def read(self, tool: Tool, answer: Answer) -> Reading:
        if self.document and DOCUMENT in answer.meta:
            answer = msgspec.structs.replace(answer, meta={**answer.meta, DOCUMENT: self.document})
        return self.meaning.applied(reader_of(answer.kind, tool.kind).read(answer))


class Example(msgspec.Struct, kw_only=True):
    """One run that reads otherwise."""

    run: int
    job: str
    at: str
    before: dict[str, Any]
    after: dict[str, Any]


class Effect(msgspec.Struct, kw_only=True):
    """What reading again changes: how many answers were read, which runs say something else, what leaves quarantine, who moves."""

    since: str
    answers: int = 0
    left_out: int = 0
    moves: dict[str, int] = {}  # "failed → success": 3
    turned_good: int = 0
    sizes: int = 0
    new_runs: int = 0
    read_now: int = 0
    newly_quarantined: int = 0
    examples: list[Example] = []
    services: list[dict[str, str]] = []


class _Undo(Exception):
    pass


def preview(*, tool: Tool, before: Lens, after: Lens, at: dt.datetime) -> Effect:
    """What the other map would change, worked out by doing it and taking all of it back: nothing is changed.

    Services are judged by it, too, so that one sees which of them would stand otherwise.
    """
    found = Effect(since=iso(at - LOOK_BACK))
    try:
        with transaction.atomic():
            restate(tool=tool, before=before, after=after, at=at, effect=found)
            concerned = _services(found)
            stood = standing(concerned, at)
            settling.settle_jobs(at=at)
            evaluation.judge_services(at=at)
            found.services = moved(stood, standing(concerned, at))
            raise _Undo
    except _Undo:
        return found


def restate(
    *, tool: Tool, before: Lens, after: Lens, at: dt.datetime, status_map: int | None = None, effect: Effect | None = None
) -> Effect:
    """Read the tool's answers of the last 90 days again, and store what reads otherwise. Call inside a transaction.

    A run is read again from the answer that decided it; reports are all read again. The journey judges what was restated.
    """
    found = effect or Effect(since=iso(at - LOOK_BACK))
    for answer_id, keys in _answers(tool, at, found):
        _, answer = answers.open_answer(answer_id)
        was, now = before.read(tool, answer), after.read(tool, answer)
        found.answers += 1
        known = {(one.evidence_kind, one.identity): one for one in was.records}
        chosen = {
            index
            for index, record in storing.indexed(now)[0]
            if known.get((record.evidence_kind, record.identity)) != record
            and (answer.kind != "poll" or (record.evidence_kind, record.identity) not in known or key_of(tool.pk, record) in keys)
        }
        _release(tool, was, now, answer_id, at, found)
        if chosen:
            _store(tool, now, chosen, answer_id, at, status_map, found)
    transaction.on_commit(waking.wake)
    return found


def _answers(tool: Tool, at: dt.datetime, found: Effect) -> Iterator[tuple[int, set[bytes]]]:
    """Answers to read again, oldest first, with the keys of the runs that each decided."""
    since = at - LOOK_BACK
    decided: dict[int, set[bytes]] = {}
    runs = BackupRun.objects.filter(job__tool=tool, occurred_at__gte=since, answer__isnull=False)
    for answer, key in runs.values_list("answer", "key").iterator():
        decided.setdefault(answer or 0, set()).add(bytes(key))
    kept = RawAnswer.objects.filter(tool_id=tool.pk, received_at__gte=since)
    reports = set(kept.exclude(kind="poll").values_list("pk", flat=True))
    waiting = set(QuarantinedRecord.objects.filter(tool=tool, resolved_at=None, answer__isnull=False).values_list("answer", flat=True))
    wanted = sorted({*decided, *reports, *waiting})
    there = sorted(RawAnswer.objects.filter(tool_id=tool.pk, pk__in=wanted).values_list("pk", flat=True))
    found.left_out = max(0, len(there) - MOST_ANSWERS)
    for pk in there[-MOST_ANSWERS:]:
        yield pk, decided.get(pk, set())


def _release(tool: Tool, was: Reading, now: Reading, answer_id: int, at: dt.datetime, found: Effect) -> None:
    """What can be read now leaves quarantine; what cannot any more goes there."""
    refused = {intake.excerpt_of(reject) for reject in intake.refused_by(now)}
    open_rows = QuarantinedRecord.objects.filter(tool=tool, answer=answer_id, resolved_at=None)
    solved = [row.pk for row in open_rows if row.excerpt not in refused]
    found.read_now += QuarantinedRecord.objects.filter(pk__in=solved).update(resolved_at=at)
    before = {intake.excerpt_of(reject) for reject in was.rejects}
    fresh = [reject for reject in now.rejects if intake.excerpt_of(reject) not in before]
    found.newly_quarantined += len(intake.quarantine(tool, fresh, answer_id, at))


def _store(tool: Tool, now: Reading, chosen: set[int], answer_id: int, at: dt.datetime, status_map: int | None, found: Effect) -> None:
    keys = [key_of(tool.pk, record) for index, record in storing.indexed(now)[0] if index in chosen]
    held = BackupRun.objects.filter(key__in=keys) | BackupRun.objects.filter(job__tool=tool, answer=answer_id)
    before = {run.pk: {name: getattr(run, name) for name in _SHOWN} for run in held}
    reading = msgspec.structs.replace(now, complete=False)  # what an old listing lacks is not gone by that
    stored = storing.store(tool=tool, reading=reading, answer_id=answer_id, at=at, again=Again(only=chosen, status_map=status_map))
    changed = {row.run for row in stored.rows if row.changed}
    for run in BackupRun.objects.filter(pk__in=changed).select_related("job").order_by("occurred_at"):
        _count(run, before.get(run.pk), found)


def _count(run: BackupRun, before: dict[str, Any] | None, found: Effect) -> None:
    after = {name: getattr(run, name) for name in _SHOWN}
    if before is None:
        found.new_runs += 1
    else:
        was, now = before["outcome"] or "running", after["outcome"] or "running"
        if was != now:
            move = f"{was} → {now}"
            found.moves[move] = found.moves.get(move, 0) + 1
        found.turned_good += was not in GOOD and now in GOOD
        found.sizes += any(before[name] != after[name] for name in ("bytes_source", "bytes_stored"))
    if len(found.examples) < MOST_EXAMPLES and before != after:
        found.examples.append(Example(run=run.pk, job=run.job.name, at=iso(run.occurred_at), before=before or {}, after=after))


def _services(found: Effect) -> set[int]:
    runs = BackupRun.objects.filter(pk__in=[one.run for one in found.examples])
    jobs = BackupJob.objects.filter(pk__in=runs.values("job"), service__isnull=False)
    return set(jobs.values_list("service", flat=True))


def standing(services: set[int], at: dt.datetime) -> dict[tuple[str, str], str]:
    """How these services stand: (code, name in the catalogue) → status."""
    names = dict(ServiceVersion.objects.in_force(at).filter(service__in=services).values_list("service", "name"))
    rows = ServiceStatus.objects.filter(service__in=services).select_related("service")
    return {(row.service.code, names.get(row.service_id, row.service.code)): row.status for row in rows}


def moved(before: dict[tuple[str, str], str], after: dict[tuple[str, str], str]) -> list[dict[str, str]]:
    """The services that stand otherwise than before."""
    return [
        {"code": code, "name": name, "before": before.get((code, name), "unknown"), "after": now}
        for (code, name), now in sorted(after.items())
        if before.get((code, name), "unknown") != now
    ]


def sentence(found: Effect) -> str:
    """What another map changes, in words."""
    runs = [(sum(found.moves.values()), "would end otherwise"), (found.sizes, "would have other sizes"), (found.new_runs, "would be new")]
    head = ", ".join(f"{_many(count, 'run')} {words}" for count, words in runs if count) or "No run would read otherwise"
    moved = f"{_many(len(found.services), 'service')} would stand otherwise" if found.services else "no service would stand otherwise"
    return f"{head}; {moved}. Kept answers read again: {found.answers:,}."


def quarantine_sentence(found: Effect) -> str:
    """What leaves quarantine and what goes there; empty when nothing does."""
    told = [(found.read_now, "would leave quarantine"), (found.newly_quarantined, "would go into quarantine")]
    words = " and ".join(f"{_many(count, 'record')} {words}" for count, words in told if count)
    return f"{words}." if words else ""


def _many(count: int, one: str) -> str:
    return f"{count:,} {one if count == 1 else one + 's'}"


def told(tool: Tool, at: dt.datetime, *, looked_at: int = 40) -> list[tuple[str, str, int]]:
    """(word, outcome that the connector gives it, how often) in the latest kept answers, the most frequent first.

    Where every copy of a listing has a word of its own, these are names, which mean nothing.
    """
    seen: Counter[tuple[str, str]] = Counter()
    listed: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for answer in answers.latest(tool=tool, at=at, most=looked_at):
        for record in reader_of(answer.kind, tool.kind).read(answer).records:
            if record.native_status and record.state == "finished":
                word = record.native_status[:120]
                seen[(word, record.outcome or "unknown")] += 1
                if record.evidence_kind == "artefact":
                    listed[word].add(record.identity)
    names = listed if len(listed) > FEW_NAMES and all(len(one) == 1 for one in listed.values()) else {}
    return [(word, outcome, count) for (word, outcome), count in seen.most_common() if word not in names][:MOST_TOLD]
