"""Pings: which job they are about, which run they begin or end."""

from __future__ import annotations

import datetime as dt
import re

import msgspec
from django.db import transaction

from itsm_backup.common.time import iso
from monitoring import intake, quick_pings
from monitoring.combining import created_at
from monitoring.connectors.base import Answer, Step
from monitoring.connectors.ping_paths import PingAddress
from monitoring.models import BackupJob, BackupRun, JobState, Tool
from monitoring.quick_pings import LOOKED_BACK, OPEN_AT_MOST, Said, Written
from monitoring.registering import furnish

MOST_JOBS = 1_000
STARTED_AGAIN = "Started again before it finished."
_RID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class MayNotCreate(Exception):
    """The tool behind this ping key does not let pings make new jobs."""


def find_job(address: PingAddress) -> BackupJob | None:
    """The job that an address is about, with its tool."""
    jobs = BackupJob.objects.select_related("tool")
    if address.uuid:
        return jobs.filter(ping_uuid=address.uuid).first()
    return jobs.filter(tool__ping_key=address.ping_key, external_id=address.slug).first()


def create_job(*, address: PingAddress, at: dt.datetime) -> BackupJob | None:
    """Make the job that a ping with `?create=1` names; None when the ping key is unknown. Raises MayNotCreate.

    Two first pings at once make one job.
    """
    tool = Tool.objects.filter(ping_key=address.ping_key).first() if address.ping_key else None
    if tool is None:
        return None
    if not tool.enabled or tool.settings.get("create_jobs", "yes") == "no" or tool.jobs.count() >= MOST_JOBS:
        raise MayNotCreate
    job, _ = BackupJob.objects.get_or_create(
        tool=tool, external_id=address.slug, defaults={"name": address.slug, "declared": True, "first_seen_at": at}
    )
    job.tool = tool
    furnish(jobs=[job], at=at)
    return job


def receive(*, address: PingAddress, said: Said) -> Written | None:
    """Record a ping that came to an address; None when there is no such job. Raises MayNotCreate."""
    if written := quick_pings.take(about=address, said=said):
        return written
    job, made = find_job(address), False
    if job is None and address.create:
        job = create_job(address=address, at=said.at)
        made = job is not None
    if job is None:
        return None
    return msgspec.structs.replace(_take(job, said), made_job=made)


def take(
    *, job: BackupJob, suffix: str, rid: str | None, body: str, left_out_bytes: int = 0, user_agent: str = "", at: dt.datetime
) -> Written:
    """Record one ping of a job. `suffix` is empty, start, fail, log or an exit code; `rid` ties a start to its end.

    An end without rid closes the newest start that is still open, or stands alone. A start without rid ends, as unknown,
    what was started before and never finished.
    """
    said = Said(suffix=suffix, rid=rid, body=body, left_out_bytes=left_out_bytes, user_agent=user_agent, at=at)
    return quick_pings.take(about=job.pk, said=said) or _take(job, said)


def _take(job: BackupJob, said: Said) -> Written:
    """Under the job's lock, through the same intake as everything else."""
    suffix, rid, at = said.suffix, said.rid, said.at
    with transaction.atomic():
        if not JobState.objects.select_for_update().filter(pk=job.pk).values_list("pk"):
            furnish(jobs=[job], at=at)
        if suffix == "start" and rid is None:
            _give_up_open_runs(job, at)
        run = None if suffix in ("log", "start") and rid is None else _run_of(job, rid, at)
        answer = quick_pings.answer_of(job=job, profile=_profile(job), secrets=job.tool.secrets.values(), said=said, known=run)
        receipt = intake.receive(tool=job.tool, answer=answer, at=at)
    stored = receipt.results[0] if receipt.results else None
    return Written(answer=receipt.answer, run=stored.run if stored else None, external_id=stored.external_id if stored else None)


def _profile(job: BackupJob) -> str:
    return job.profile if job.profile != "default" else str(job.tool.settings.get("profile") or "default")


def _run_of(job: BackupJob, rid: str | None, at: dt.datetime) -> BackupRun | None:
    """The run that a ping belongs to: the one with its rid, else the newest that is open."""
    runs = BackupRun.objects.filter(job=job, evidence_kind="push", occurred_at__gte=at - OPEN_AT_MOST, occurred_at__lte=at)
    runs = runs.filter(external_id=rid) if rid else runs.filter(state="running")
    return runs.order_by("-occurred_at").first()


def _give_up_open_runs(job: BackupJob, at: dt.datetime) -> None:
    """Runs with a rid may go on side by side with a new one; what has none can no longer be ended."""
    runs = BackupRun.objects.filter(job=job, evidence_kind="push", state="running", occurred_at__gte=at - LOOKED_BACK)
    lost = [run for run in runs if not _RID.fullmatch(run.external_id) or run.occurred_at < at - OPEN_AT_MOST]
    if not lost:
        return
    records = [
        {
            "external_id": run.external_id,
            "job_external_id": job.external_id,
            "identity": [job.external_id, run.external_id],
            "created_at": iso(created_at(run)),
            "evidence_kind": "derived",
            "outcome": "unknown",
            "native_message": STARTED_AGAIN,
            "started_at": iso(run.started_at or run.occurred_at),
            "time_quality": "received",
        }
        for run in lost
    ]
    step = Step(name="a new start", stdout=msgspec.json.encode(records).decode())
    answer = Answer(kind="api", steps=[step], meta={"content_type": "application/json", "received_at": iso(at)})
    intake.receive(tool=job.tool, answer=answer, at=at)
