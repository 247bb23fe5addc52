"""Canonical records → rows: one upsert per batch, revisions for what changed later, points, and marks for the journey."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import msgspec
from django.db import connection
from django.db.models import Q

from monitoring import merging, pointing
from monitoring.asking import array, fetch
from monitoring.combining import JUDGED, Row, changes, combine, key_of
from monitoring.connectors.base import Reading, Record, Reject
from monitoring.models import BackupRun, RunRevision, ServiceState, Tool, ToolState
from monitoring.registering import hold_jobs

COLUMNS = Row.__struct_fields__
_COPY = f"COPY incoming_run ({', '.join(COLUMNS)}) FROM STDIN"
_INCOMING = """
CREATE TEMP TABLE IF NOT EXISTS incoming_run (LIKE monitoring_backuprun) ON COMMIT DELETE ROWS;
ALTER TABLE incoming_run ALTER id DROP NOT NULL;
DELETE FROM incoming_run
"""
_KEPT = ("key", "first_seen_at")
_SET = ", ".join(f"{name} = EXCLUDED.{name}" for name in COLUMNS if name not in _KEPT)
_KNOWN = f"SELECT id, {', '.join(COLUMNS)} FROM monitoring_backuprun WHERE key = ANY(%s::bytea[]) ORDER BY id"  # noqa: S608 - our own names
# A run that is new and from which something can be restored gets its point at once; `pointing` follows those that were known.
_UPSERT = f"""
WITH stored AS (
  INSERT INTO monitoring_backuprun ({", ".join(COLUMNS)}) SELECT {", ".join(COLUMNS)} FROM incoming_run
  ON CONFLICT (key) DO UPDATE SET {_SET} RETURNING *, xmax = 0 AS is_new),
made AS (
  INSERT INTO monitoring_restorepoint (item_id, external_id, run_id, captured_at, available_at, first_seen_at)
  SELECT (SELECT max(i.id) FROM monitoring_protecteditem i WHERE i.job_id = s.job_id), coalesce(nullif(s.artefact_id, ''), s.external_id),
    s.id, s.captured_at, greatest(s.ended_at, s.captured_at), %(at)s
  FROM stored s WHERE s.is_new AND s.state = 'finished' AND s.captured_at IS NOT NULL
    AND s.operation = ANY(%(making)s) AND s.outcome = ANY(%(good)s))
SELECT key, id FROM stored
"""  # noqa: S608
_TOUCH = """
UPDATE monitoring_jobstate SET touched_at = %s, touched_from = least(coalesce(touched_from, seen.since), seen.since)
FROM unnest(%s::bigint[], %s::timestamptz[]) AS seen(job, since) WHERE job_id = seen.job
"""
ANSWER_NOTED_EVERY_S = 60  # a busy pushing tool must not make its state row hot


class StoredRow(msgspec.Struct, kw_only=True):
    index: int
    external_id: str
    run: int
    changed: bool


class Stored(msgspec.Struct, kw_only=True):
    rows: list[StoredRow] = []
    rejects: list[Reject] = []


class Again(msgspec.Struct, kw_only=True):
    """Part of an answer that is read again: only these places of it, or only runs that are not there yet; which status map says so."""

    only: set[int] | None = None
    new_only: bool = False
    status_map: int | None = None

    def places(self, places: list[tuple[int, Record]]) -> list[tuple[int, Record]]:
        return places if self.only is None else [(index, record) for index, record in places if index in self.only]


def store(*, tool: Tool, reading: Reading, answer_id: int, at: dt.datetime, again: Again | None = None) -> Stored:
    """Store what a reading holds and return what became of each record. Call inside a transaction.

    A batch is reduced to one row per key, the later record winning; a row that would not change is not written.
    """
    jobs = hold_jobs(tool=tool, reading=reading, at=at)
    places, rejects = indexed(reading)
    if again is not None:
        places, rejects = again.places(places), []
    records = [record for _, record in places]
    own = [key_of(tool.pk, record) for record in records]
    before, ids = _known(set(own))
    keys = merging.keys_for(jobs=jobs, records=records, own=own, finished={key for key, row in before.items() if row.state == "finished"})
    if moved := set(keys) - set(own):
        before, ids = _known(set(keys))
    if again is not None and again.new_only:
        fresh = [number for number, key in enumerate(keys) if key not in before]
        places, own, keys = [places[one] for one in fresh], [own[one] for one in fresh], [keys[one] for one in fresh]
    rows: dict[bytes, Row] = {}
    for (index, record), key in zip(places, keys, strict=True):
        known = rows.get(key) or before.get(key)
        job = jobs[record.job_external_id]
        rows[key] = combine(known, record, key=key, tool=tool, job=job, answer=answer_id, index=index, at=at)
    written = {key: row for key, row in rows.items() if key not in before or changes(before[key], row)}
    written = {key: row.sealed() for key, row in written.items()}
    ids |= _write(written.values(), at)
    _revise(before, written, ids, answer_id, at, again.status_map if again else None)
    pointing.follow_runs(ids=ids, rows={key: row for key, row in written.items() if key in before}, at=at)
    listed = {ids[key] for (_, record), key in zip(places, keys, strict=True) if record.evidence_kind == "artefact"}
    if listed or reading.complete:
        pointing.follow_listing(tool=tool, listed=listed, at=at, complete=reading.complete)
    if reading.held is not None and again is None:
        pointing.follow_numbers(tool=tool, held=reading.held, at=at)
    if gone := {ids[key]: record.artefact_gone_at for (_, record), key in zip(places, keys, strict=True) if record.artefact_gone_at}:
        pointing.note_gone(gone=gone, at=at)
    if terms := {ids[key]: record for (_, record), key in zip(places, keys, strict=True) if pointing.has_terms(record)}:
        pointing.note_terms(terms, at)
    overtaken = merging.overtaken(own=own, keys=keys) if moved else []
    BackupRun.objects.filter(pk__in=[run.pk for run in overtaken]).delete()
    _touch([*written.values(), *(before[key] for key in written if key in before), *overtaken], at)
    if again is None:
        _note_answer(tool, at)
    return Stored(
        rows=[
            StoredRow(index=index, external_id=record.external_id, run=ids[key], changed=key in written)
            for (index, record), key in zip(places, keys, strict=True)
        ],
        rejects=rejects,
    )


def indexed(reading: Reading) -> tuple[list[tuple[int, Record]], list[Reject]]:
    """Records with their place in the answer (the places that the connector's rejects left free), and what cannot be keyed."""
    taken = {reject.index for reject in reading.rejects}
    free = (index for index in range(len(reading.records) + len(taken) + 1) if index not in taken)
    placed, rejects = [], []
    for index, record in zip(free, reading.records, strict=False):
        if 0 <= record.created_at.timestamp() < 2**32:
            placed.append((index, record))
        else:
            reason = f"created_at is {record.created_at.isoformat()}, which no backup of ours can be. Check the sender's clock."
            rejects.append(Reject(index=index, reason=reason, excerpt=record.external_id))
    return placed, rejects


def _known(keys: set[bytes]) -> tuple[dict[bytes, Row], dict[bytes, int]]:
    """The runs that are there under these keys, and their ids."""
    rows: dict[bytes, Row] = {}
    ids: dict[bytes, int] = {}
    for pk, *values in fetch(_KNOWN, [array(keys)]):
        row = Row(**dict(zip(COLUMNS, values, strict=True)))
        row.key, row.seal = bytes(row.key), bytes(row.seal)
        rows[row.key], ids[row.key] = row, pk
    return rows, ids


def _write(rows: Iterable[Row], at: dt.datetime) -> dict[bytes, int]:
    rows = list(rows)
    if not rows:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_INCOMING)
        with cursor.copy(_COPY) as copy:
            for row in rows:
                copy.write_row(msgspec.structs.astuple(row))
        cursor.execute(_UPSERT, {"at": at, "making": list(pointing.MAKES_POINTS), "good": list(BackupRun.GOOD)})
        return {bytes(key): pk for key, pk in cursor.fetchall()}


def _revise(
    before: dict[bytes, Row], written: dict[bytes, Row], ids: dict[bytes, int], answer_id: int, at: dt.datetime, status_map: int | None
) -> None:
    revisions = []
    for key, row in written.items():
        old = before.get(key)
        if old is None or old.state != "finished":
            continue
        differing = [name for name in JUDGED if getattr(old, name) != getattr(row, name)]
        if differing:
            was, now = ({name: _plain(getattr(side, name)) for name in differing} for side in (old, row))
            revisions.append(RunRevision(run_id=ids[key], at=at, before=was, after=now, answer=answer_id, status_map=status_map))
    RunRevision.objects.bulk_create(revisions)


def _plain(value: object) -> object:
    return msgspec.to_builtins(value)


def _touch(rows: Iterable[Row | BackupRun], at: dt.datetime) -> None:
    earliest: dict[int, dt.datetime] = {}
    for row in rows:
        earliest[row.job_id] = min(row.occurred_at, earliest.get(row.job_id, row.occurred_at))
    if not earliest:
        return
    with connection.cursor() as cursor:
        cursor.execute(_TOUCH, [at, array(earliest), array(earliest.values())])


def _note_answer(tool: Tool, at: dt.datetime) -> None:
    stale = Q(latest_answer_at=None) | Q(latest_answer_at__lt=at - dt.timedelta(seconds=ANSWER_NOTED_EVERY_S))
    ToolState.objects.filter(stale, pk=tool.pk).update(latest_answer_at=at)


def judge_again(service_ids: Iterable[int], at: dt.datetime) -> None:
    """Have these services judged at the next step of the journey."""
    due = Q(next_judgement_at=None) | Q(next_judgement_at__gt=at)
    ServiceState.objects.filter(due, pk__in=list(service_ids)).update(next_judgement_at=at)
