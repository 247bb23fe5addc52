"""A pushed report and the artefact found later are one run: which key a record belongs under."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict

import msgspec

from monitoring.asking import array, fetch
from monitoring.combining import NEAR_S, PROOFS, fits
from monitoring.connectors.base import Record
from monitoring.models import BackupRun
from monitoring.registering import Series

_OTHER = {"artefact": "push", "push": "artefact"}
SHORT = 8  # tools of older versions tell only the first eight digits of an artefact's id
_SEEN = ("key", "job_id", "evidence_kind", "artefact_id", "outcome", "started_at", "ended_at", "captured_at")
_BY_ARTEFACT = f"""
SELECT job_id, artefact_id, key FROM monitoring_backuprun
WHERE job_id = ANY(%s::bigint[]) AND artefact_id IS NOT NULL AND artefact_id <> '' AND left(artefact_id, {SHORT}) = ANY(%s)
  AND operation NOT IN {PROOFS} ORDER BY id
"""  # noqa: S608 - our own number and words
# One statement for each kind, so that the partial index of what was listed can serve the usual question.
_BY_TIME = {
    kind: f"""
SELECT {", ".join(_SEEN)} FROM monitoring_backuprun
WHERE job_id = ANY(%(jobs)s::bigint[]) AND occurred_at BETWEEN %(since)s AND %(until)s AND {condition}
  AND operation = 'backup' AND outcome = ANY(%(good)s) ORDER BY id
"""  # noqa: S608 - our own names
    for kind, condition in (
        ("artefact", "evidence_kind = 'artefact'"),
        ("push", "evidence_kind = 'push' AND artefact_id IS NULL"),
    )
}


class Seen(msgspec.Struct, kw_only=True):
    """What pairing needs to know of a run that is there."""

    key: bytes
    job_id: int
    evidence_kind: str
    artefact_id: str | None
    outcome: str | None
    started_at: dt.datetime | None
    ended_at: dt.datetime | None
    captured_at: dt.datetime | None


def keys_for(*, jobs: dict[str, Series], records: list[Record], own: list[bytes], finished: set[bytes]) -> list[bytes]:
    """The key of each record: its own, or that of the one run it is plainly another view of. Ambiguous pairs stay apart.

    `own` are the records' own keys, `finished` those under which a finished run is there already.
    """
    by_artefact = _runs_by_artefact(jobs, records)
    by_time = _runs_by_time(jobs, records)
    keys = []
    for record, key in zip(records, own, strict=True):
        job = jobs[record.job_external_id].pk
        found = None
        made = record.artefact_id if record.operation not in PROOFS else None  # a test names the copy it read, not one it made
        if made:
            found = _same_artefact(by_artefact[job, made[:SHORT]], made)
        if found is None and key not in finished and record.operation == "backup":
            found = _same_time(by_time[job], record, records)
        keys.append(found or key)
        if made:
            by_artefact[job, made[:SHORT]].append((made, keys[-1]))
    return keys


def overtaken(*, own: list[bytes], keys: list[bytes]) -> list[BackupRun]:
    """Open runs whose end turned out to be the report of a copy that was listed meanwhile: that copy's run tells their whole story."""
    moved = [one for one, key in zip(own, keys, strict=True) if one != key]
    return list(BackupRun.objects.filter(key__in=moved).exclude(state="finished")) if moved else []


def _same_artefact(candidates: list[tuple[str, bytes]], artefact_id: str) -> bytes | None:
    fitting = {key for known, key in candidates if known.startswith(artefact_id) or artefact_id.startswith(known)}
    return fitting.pop() if len(fitting) == 1 else None


def _same_time(candidates: list[Seen], record: Record, batch: list[Record]) -> bytes | None:
    """The one known run that this record fits in time, if it fits no other and no other of the batch fits it."""
    fitting = [run for run in candidates if _pair(run, record)]
    if len(fitting) != 1:
        return None
    rivals = [other for other in batch if other.job_external_id == record.job_external_id and _pair(fitting[0], other)]
    return fitting[0].key if len(rivals) == 1 else None


def _pair(run: Seen, record: Record) -> bool:
    """An artefact and a good report that named no artefact, near in time."""
    if record.evidence_kind == "artefact" and run.evidence_kind == "push" and run.artefact_id is None:
        return run.outcome in BackupRun.GOOD and fits(record.consistent_at, run.started_at, run.ended_at)
    if record.evidence_kind == "push" and record.artefact_id is None and run.evidence_kind == "artefact":
        return record.outcome in BackupRun.GOOD and fits(run.captured_at, record.started_at, record.ended_at)
    return False


def _runs_by_artefact(jobs: dict[str, Series], records: list[Record]) -> dict[tuple[int, str], list[tuple[str, bytes]]]:
    short = list({record.artefact_id[:SHORT] for record in records if record.artefact_id})
    found: dict[tuple[int, str], list[tuple[str, bytes]]] = defaultdict(list)
    for job, artefact_id, key in fetch(_BY_ARTEFACT, [array(job.pk for job in jobs.values()), short]) if short else ():
        found[job, artefact_id[:SHORT]].append((artefact_id, bytes(key)))
    return found


def _runs_by_time(jobs: dict[str, Series], records: list[Record]) -> dict[int, list[Seen]]:
    """Known backups that could be the other view of a record: in its time (a day before, for long runs), of the other kind."""
    found: dict[int, list[Seen]] = defaultdict(list)
    relevant = [r for r in records if r.operation == "backup" and r.state == "finished" and r.evidence_kind in _OTHER]
    instants = [instant for r in relevant for instant in (r.consistent_at, r.started_at, r.ended_at) if instant]
    if not instants:
        return found
    near = dt.timedelta(seconds=NEAR_S)
    given = {
        "jobs": array({jobs[record.job_external_id].pk for record in relevant}),
        "since": min(instants) - near - dt.timedelta(days=1),
        "until": max(instants) + near,
        "good": list(BackupRun.GOOD),
    }
    kinds = sorted({_OTHER[record.evidence_kind] for record in relevant})
    for values in (row for kind in kinds for row in fetch(_BY_TIME[kind], given)):
        run = Seen(**dict(zip(_SEEN, values, strict=True)))
        run.key = bytes(run.key)
        found[run.job_id].append(run)
    return found
