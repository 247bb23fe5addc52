"""Jobs and items as tools name them: found while reading, remembered for good."""

from __future__ import annotations

import datetime as dt

import msgspec
from django.db import connection

from monitoring.asking import array, fetch
from monitoring.connectors.base import Reading, Record
from monitoring.models import BackupJob, JobState, ProtectedItem, Tool

_FIND = "SELECT external_id, id FROM monitoring_backupjob WHERE tool_id = %s AND external_id = ANY(%s)"
# A job follows what its newest run told; a run that is known late, or a reading of the past, moves nothing back.
_LEARN = """
UPDATE monitoring_backupjob AS job
SET target_name = coalesce(told.target, job.target_name), repository_name = coalesce(told.repository, job.repository_name)
FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[]) AS told(external_id, target, repository, at)
WHERE job.tool_id = %s AND job.external_id = told.external_id
  AND (told.target IS DISTINCT FROM job.target_name AND told.target IS NOT NULL
       OR told.repository IS DISTINCT FROM job.repository_name AND told.repository IS NOT NULL)
  AND NOT EXISTS (SELECT FROM monitoring_backuprun later WHERE later.job_id = job.id AND later.occurred_at > told.at)
"""
_LOCK = "SELECT job_id FROM monitoring_jobstate WHERE job_id = ANY(%s::bigint[]) ORDER BY job_id FOR UPDATE"
_SERVICES = "SELECT id, service_id FROM monitoring_backupjob WHERE id = ANY(%s::bigint[])"


class Series(msgspec.Struct, kw_only=True):
    """What intake needs to know of a job."""

    pk: int
    service_id: int | None


def hold_jobs(*, tool: Tool, reading: Reading, at: dt.datetime) -> dict[str, Series]:
    """The job of every series in the reading by its external id, held until the transaction ends; new ones are made.

    One intake or judgement at a time per job; locked in order, so that two batches never wait for each other. A job may have
    been given to another service while its lock was waited for, so its service is read afterwards.
    """
    ids = register_jobs(tool=tool, reading=reading, at=at)
    held = array(sorted(ids.values()))
    fetch(_LOCK, [held])
    services = dict(fetch(_SERVICES, [held]))
    return {external_id: Series(pk=pk, service_id=services.get(pk)) for external_id, pk in ids.items()}


def register_jobs(*, tool: Tool, reading: Reading, at: dt.datetime) -> dict[str, int]:
    """The id of the job of every series in the reading by its external id; new ones are made with their state and item."""
    named = {record.job_external_id: record for record in sorted(reading.records, key=_began)}  # the newest of each
    wanted = list(dict.fromkeys([*named, *reading.job_ids]))
    known: dict[str, int] = dict(fetch(_FIND, [tool.pk, wanted]))
    _learn(tool, known, named)
    missing = sorted(external_id for external_id in wanted if external_id not in known)  # one order: two batches never block each other
    if missing:
        BackupJob.objects.bulk_create(
            [
                BackupJob(
                    tool=tool,
                    external_id=external_id,
                    name=((named[external_id].job_name if external_id in named else None) or external_id)[:200],
                    target_name=_text(named, external_id, "target_name", 200),
                    repository_name=_text(named, external_id, "repository_name", 300),
                    first_seen_at=at,
                    last_seen_at=at,
                )
                for external_id in missing
            ],
            ignore_conflicts=True,
        )
        jobs = list(tool.jobs.filter(external_id__in=missing).order_by("pk"))
        furnish(jobs=jobs, at=at)
        known |= {job.external_id: job.pk for job in jobs}
    return known


def _began(record: Record) -> dt.datetime:
    return record.started_at or record.created_at


def _learn(tool: Tool, known: dict[str, int], named: dict) -> None:
    """Note what a job protects and where it writes: incidents are grouped by the repository that has the fault."""
    told = [one for one in known if one in named and (named[one].target_name or named[one].repository_name)]
    if told:
        targets = [_text(named, one, "target_name", 200) for one in told]
        repositories = [_text(named, one, "repository_name", 300) for one in told]
        with connection.cursor() as cursor:
            cursor.execute(_LEARN, [told, targets, repositories, [_began(named[one]) for one in told], tool.pk])


def furnish(*, jobs: list[BackupJob], at: dt.datetime) -> None:
    """Give jobs their state row and the item they protect; what exists stays."""
    JobState.objects.bulk_create([JobState(job=job, touched_at=at) for job in jobs], ignore_conflicts=True)
    ProtectedItem.objects.bulk_create(
        [ProtectedItem(tool_id=job.tool_id, job=job, external_id=job.external_id, name=job.name, first_seen_at=at) for job in jobs],
        ignore_conflicts=True,
    )


def _text(named: dict, external_id: str, field: str, length: int) -> str | None:
    value = getattr(named[external_id], field) if external_id in named else None
    return value[:length] if value else None
