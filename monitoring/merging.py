"""A pushed report and the artefact found later are one run: which key a record belongs under."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict

from django.db.models import Q
from django.db.models.functions import Left

from monitoring.combining import NEAR_S, PROOFS, fits, key_of
from monitoring.connectors.base import Record
from monitoring.models import BackupJob, BackupRun, Tool

_OTHER = {"artefact": "push", "push": "artefact"}
SHORT = 8  # tools of older versions tell only the first eight digits of an artefact's id


def keys_for(*, tool: Tool, jobs: dict[str, BackupJob], records: list[Record]) -> list[bytes]:
    """The key of each record: its own, or that of the one run it is plainly another view of. Ambiguous pairs stay apart."""
    own = [key_of(tool.pk, record) for record in records]
    finished = {bytes(key) for key in BackupRun.objects.filter(key__in=set(own), state="finished").values_list("key", flat=True)}
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


def overtaken(*, tool: Tool, records: list[Record], keys: list[bytes]) -> list[BackupRun]:
    """Open runs whose end turned out to be the report of a copy that was listed meanwhile: that copy's run tells their whole story."""
    moved = [own for record, key in zip(records, keys, strict=True) if (own := key_of(tool.pk, record)) != key]
    return list(BackupRun.objects.filter(key__in=moved).exclude(state="finished")) if moved else []


def _same_artefact(candidates: list[tuple[str, bytes]], artefact_id: str) -> bytes | None:
    fitting = {key for known, key in candidates if known.startswith(artefact_id) or artefact_id.startswith(known)}
    return fitting.pop() if len(fitting) == 1 else None


def _same_time(candidates: list[BackupRun], record: Record, batch: list[Record]) -> bytes | None:
    """The one known run that this record fits in time, if it fits no other and no other of the batch fits it."""
    fitting = [run for run in candidates if _pair(run, record)]
    if len(fitting) != 1:
        return None
    rivals = [other for other in batch if other.job_external_id == record.job_external_id and _pair(fitting[0], other)]
    return bytes(fitting[0].key) if len(rivals) == 1 else None


def _pair(run: BackupRun, record: Record) -> bool:
    """An artefact and a good report that named no artefact, near in time."""
    if record.evidence_kind == "artefact" and run.evidence_kind == "push" and run.artefact_id is None:
        return run.outcome in BackupRun.GOOD and fits(record.consistent_at, run.started_at, run.ended_at)
    if record.evidence_kind == "push" and record.artefact_id is None and run.evidence_kind == "artefact":
        return record.outcome in BackupRun.GOOD and fits(run.captured_at, record.started_at, record.ended_at)
    return False


def _runs_by_artefact(jobs: dict[str, BackupJob], records: list[Record]) -> dict[tuple[int, str], list[tuple[str, bytes]]]:
    short = {record.artefact_id[:SHORT] for record in records if record.artefact_id}
    found: dict[tuple[int, str], list[tuple[str, bytes]]] = defaultdict(list)
    if not short:
        return found
    runs = BackupRun.objects.annotate(short=Left("artefact_id", SHORT)).filter(
        job__in=[job.pk for job in jobs.values()], artefact_id__isnull=False, short__in=short
    )
    runs = runs.exclude(operation__in=PROOFS)
    for job, artefact_id, key in runs.values_list("job_id", "artefact_id", "key"):
        if artefact_id:
            found[job, artefact_id[:SHORT]].append((artefact_id, bytes(key)))
    return found


def _runs_by_time(jobs: dict[str, BackupJob], records: list[Record]) -> dict[int, list[BackupRun]]:
    """Known backups that could be the other view of a record: in its time (a day before, for long runs), of the other kind."""
    found: dict[int, list[BackupRun]] = defaultdict(list)
    relevant = [r for r in records if r.operation == "backup" and r.state == "finished" and r.evidence_kind in _OTHER]
    instants = [instant for r in relevant for instant in (r.consistent_at, r.started_at, r.ended_at) if instant]
    if not instants:
        return found
    near = dt.timedelta(seconds=NEAR_S)
    kinds = {_OTHER[record.evidence_kind] for record in relevant}
    runs = BackupRun.objects.filter(
        Q(evidence_kind="artefact") | Q(evidence_kind="push", artefact_id=None),
        job__in=[job.pk for job in jobs.values()],
        occurred_at__range=(min(instants) - near - dt.timedelta(days=1), max(instants) + near),
        evidence_kind__in=kinds,
        operation="backup",
        outcome__in=BackupRun.GOOD,
    ).only("key", "job_id", "evidence_kind", "artefact_id", "outcome", "started_at", "ended_at", "captured_at")
    for run in runs:
        found[run.job_id].append(run)
    return found
