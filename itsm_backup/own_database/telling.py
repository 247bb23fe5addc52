"""What the dumps and restore tests of our own database tell: through the one way in, like every outside script."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from itsm_backup.common.time import iso
from itsm_backup.own_database.dumping import Dump
from itsm_backup.own_database.restoring import Restored
from monitoring import intake
from monitoring.connectors.base import Answer, Step
from monitoring.models import BackupJob, BackupRun

SAME_DISK = "A copy on the same disk covers the loss of an item only."


def tell_begun(*, job: BackupJob, at: dt.datetime) -> None:
    _tell(job, at, {**_dump(at), "state": "running", "started_at": iso(at)})


def tell_dump(*, job: BackupJob, begun_at: dt.datetime, dump: Dump, at: dt.datetime) -> None:
    """A good dump; what it is consistent at is the moment of its snapshot."""
    proof = {"consistent_at": iso(dump.captured_at), "ended_at": iso(dump.ended_at), "artefact_id": dump.name}
    sizes = {"bytes_source": dump.database_bytes, "bytes_stored": dump.size_bytes, "rows_total": dump.rows}
    _tell(job, at, {**_dump(begun_at), "outcome": "success", "started_at": iso(begun_at), **proof, **sizes})


def tell_failure(*, job: BackupJob, begun_at: dt.datetime, problem: str, at: dt.datetime) -> None:
    told = {"outcome": "failed", "started_at": iso(begun_at), "ended_at": iso(max(at, begun_at)), "native_message": problem}
    _tell(job, at, {**_dump(begun_at), **told})


def tell_lost(*, job: BackupJob, at: dt.datetime) -> None:
    """Dumps that began and whose process is gone: nothing of them was kept, so they are neither good nor bad."""
    for run in BackupRun.objects.filter(job=job, state="running"):
        told = {"evidence_kind": "derived", "outcome": "unknown", "started_at": iso(run.started_at or run.occurred_at)}
        lost = {**told, "native_message": "The product was stopped in the middle of it. Nothing of it was kept."}
        _tell(job, at, {**_dump(run.started_at or run.occurred_at), "external_id": run.external_id, **lost})


def tell_restore(*, job: BackupJob, dump: Dump, restored: Restored, at: dt.datetime) -> None:
    good = f"{restored.tables} tables with {restored.rows:,} rows, each as dumped. {SAME_DISK}"
    _tell(
        job,
        at,
        {
            **_test(restored.started_at),
            "outcome": "failed" if restored.problem else "success",
            "verification_state": "failed" if restored.problem else "passed",
            "verification_method": "app_check",
            "started_at": iso(restored.started_at),
            "ended_at": iso(restored.ended_at),
            "artefact_id": dump.name,
            "rows_total": restored.rows if restored.tables else None,
            "bytes_source": restored.size_bytes,
            "native_message": restored.problem or good,
        },
    )


def tell_no_restore(*, job: BackupJob, reason: str, at: dt.datetime) -> None:
    """A restore test that cannot be made here; it proves nothing and says why."""
    _tell(job, at, {**_test(at), "outcome": "skipped", "started_at": iso(at), "ended_at": iso(at), "native_message": reason})


def _dump(begun_at: dt.datetime) -> dict[str, Any]:
    return {"external_id": f"dump {begun_at:%Y-%m-%d %H:%M:%S}", "operation": "backup", "level": "full", "created_at": iso(begun_at)}


def _test(started_at: dt.datetime) -> dict[str, Any]:
    return {"external_id": f"restore {started_at:%Y-%m-%d %H:%M:%S}", "operation": "restore_test", "level": "full"}


def _tell(job: BackupJob, at: dt.datetime, record: dict[str, Any]) -> None:
    step = Step(name="own database", stdout=msgspec.json.encode({"job_external_id": job.external_id, **record}).decode())
    meta = {"content_type": "application/json", "received_at": iso(at)}
    intake.receive(tool=job.tool, answer=Answer(kind="api", steps=[step], meta=meta), at=at)
