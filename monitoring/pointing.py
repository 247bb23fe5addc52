"""What can be restored: a good backup makes a point, a point that left the listing is gone, a run that turned bad takes it back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from django.db import models

from monitoring.asking import array, fetch
from monitoring.combining import Row
from monitoring.connectors.base import Held, Record
from monitoring.models import BackupJob, BackupRun, JobState, ProtectedItem, RestorePoint, Tool

MAKES_POINTS = ("backup", "copy", "replicate", "log_backup")


def follow_runs(*, ids: dict[bytes, int], rows: dict[bytes, Row], at: dt.datetime) -> None:
    """Make or correct the points of runs that were known and have just been written again."""
    relevant = {ids[key]: row for key, row in rows.items() if _is_about_points(row)}
    if not relevant:
        return
    jobs = {row.job_id for row in relevant.values()}
    items = dict(ProtectedItem.objects.filter(job__in=jobs).order_by("pk").values_list("job", "pk"))
    known = {point.run_id: point for point in RestorePoint.objects.filter(run__in=relevant)}
    made, corrected = [], []
    for run_id, row in relevant.items():
        point = known.get(run_id)
        usable = makes_point(row)
        if point is None and usable:
            made.append(_point(row, run_id, items[row.job_id], at))
        elif point is not None:
            _correct(point, row, usable, at)
            corrected.append(point)
    RestorePoint.objects.bulk_create(made)
    RestorePoint.objects.bulk_update(corrected, ["captured_at", "available_at", "invalid_from", "external_id"])


def _is_about_points(row: Row) -> bool:
    return row.operation in MAKES_POINTS and row.state == "finished"


def makes_point(row: Row) -> bool:
    """Whether something can be restored from this run."""
    return _is_about_points(row) and row.outcome in BackupRun.GOOD and row.captured_at is not None


def name_of(row: Row) -> str:
    return (row.artefact_id or row.external_id)[:200]


def available_at(row: Row) -> dt.datetime | None:
    """From when on it can be restored: when the run was over, never before the instant it holds."""
    return max(row.ended_at or row.captured_at, row.captured_at) if row.captured_at else None


def _point(row: Row, run_id: int, item: int, at: dt.datetime) -> RestorePoint:
    return RestorePoint(
        item_id=item,
        external_id=name_of(row),
        run_id=run_id,
        captured_at=row.captured_at,
        available_at=available_at(row),
        first_seen_at=at,
    )


def _correct(point: RestorePoint, row: Row, usable: bool, at: dt.datetime) -> None:
    available = available_at(row)
    if usable and row.captured_at and available:
        point.captured_at = row.captured_at
        point.available_at, point.external_id = available, name_of(row)
        point.invalid_from = None
    else:
        point.invalid_from = point.invalid_from or at


def follow_listing(*, tool: Tool, listed: set[int], at: dt.datetime, complete: bool) -> None:
    """Note which points a listing holds (the runs in it). From a complete one, what it lost is gone and what is back is back."""
    of_tool = RestorePoint.objects.filter(item__tool=tool)
    here = list(of_tool.filter(gone_at=None).values_list("pk", "run", "listed_at", "item__job"))
    _update([pk for pk, run, seen_at, _ in here if run in listed and seen_at is None], listed_at=at)
    if not complete:
        return
    lost = {pk: job for pk, run, seen_at, job in here if run not in listed and seen_at is not None and seen_at < at}
    gone = of_tool.filter(gone_at__isnull=False).values_list("pk", "run", "item__job")
    back = {pk: job for pk, run, job in gone if run in listed}
    _update(lost, gone_at=at)
    _update(back, gone_at=None)
    JobState.objects.filter(pk__in={*lost.values(), *back.values()}).update(touched_at=at)


# A number that was given anew, as by a tool that was set up again, belongs to the newer copy.
_LET_GO = """
WITH known AS (
  SELECT p.id, i.job_id, p.external_id::bigint AS number,
    row_number() OVER (PARTITION BY p.external_id ORDER BY p.first_seen_at DESC, p.id DESC) AS place
  FROM monitoring_restorepoint p JOIN monitoring_protecteditem i ON i.id = p.item_id
  WHERE i.tool_id = %(tool)s AND p.gone_at IS NULL AND p.external_id ~ '^[0-9]{1,18}$')
UPDATE monitoring_restorepoint AS p SET gone_at = %(at)s FROM known
WHERE p.id = known.id AND (place > 1 OR number <= %(until)s AND NOT EXISTS (
  SELECT 1 FROM unnest(%(first)s::bigint[], %(last)s::bigint[]) AS held(first, last) WHERE number BETWEEN held.first AND held.last))
RETURNING job_id
"""


# What changed since a full copy is worth nothing without it. A full copy that was moved stands at the same instant as the one before.
_UNBASED = """
WITH full_copy AS (
  SELECT f.item_id, f.captured_at, f.gone_at IS NULL AND f.invalid_from IS NULL AS is_there
  FROM monitoring_restorepoint f JOIN monitoring_backuprun b ON b.id = f.run_id JOIN monitoring_protecteditem i ON i.id = f.item_id
  WHERE i.tool_id = %(tool)s AND b.level IN ('full', 'synthetic')),
unbased AS (
  SELECT p.id, i.job_id FROM monitoring_restorepoint p JOIN monitoring_backuprun r ON r.id = p.run_id
  JOIN monitoring_protecteditem i ON i.id = p.item_id
  CROSS JOIN LATERAL (
    SELECT f.is_there FROM full_copy f WHERE f.item_id = p.item_id AND f.captured_at <= p.captured_at
    ORDER BY f.captured_at DESC, f.is_there DESC LIMIT 1) base
  WHERE i.tool_id = %(tool)s AND r.level IN ('incremental', 'differential') AND p.gone_at IS NULL AND p.invalid_from IS NULL
    AND NOT base.is_there)
UPDATE monitoring_restorepoint AS p SET invalid_from = %(at)s FROM unbased WHERE p.id = unbased.id RETURNING unbased.job_id
"""


def base_of(run: BackupRun) -> RestorePoint | None:
    """The full copy that the run's own builds on: the newest before it; None where it builds on none, or none is known."""
    if run.level not in ("incremental", "differential") or not hasattr(run, "point"):
        return None
    older = RestorePoint.objects.filter(
        item=run.point.item_id, captured_at__lte=run.point.captured_at, run__level__in=("full", "synthetic")
    )
    return older.order_by("-captured_at", models.F("gone_at").desc(nulls_first=True)).first()


def follow_numbers(*, tool: Tool, held: Held, at: dt.datetime) -> None:
    """Copies that are named by numbers and are not held any more are gone, and of no use are those that build on a full one of them."""
    stretches = {"first": array(first for first, _ in held.stretches), "last": array(last for _, last in held.stretches)}
    jobs = {job for (job,) in fetch(_LET_GO, {"at": at, "tool": tool.pk, "until": min(held.until, 2**63 - 1), **stretches})}
    jobs |= {job for (job,) in fetch(_UNBASED, {"at": at, "tool": tool.pk})}
    JobState.objects.filter(pk__in=jobs).update(touched_at=at)


def note_gone(*, gone: dict[int, dt.datetime], at: dt.datetime) -> None:
    """Note of these runs since when their copy is gone, as the sender says."""
    points = list(RestorePoint.objects.filter(run__in=gone, gone_at=None).select_related("item"))
    for point in points:
        point.gone_at = gone[point.run_id]
    RestorePoint.objects.bulk_update(points, ["gone_at"])
    JobState.objects.filter(pk__in={point.item.job_id for point in points}).update(touched_at=at)


def has_terms(record: Record) -> bool:
    """Whether the sender says for how long the copy is locked, or kept."""
    return record.immutable_until is not None or record.retention_until is not None


def note_terms(said: Mapping[int, Record], at: dt.datetime) -> None:
    """Note of these runs until when their copy is locked and kept, as the sender says; what was said last counts.

    An end that lies before the instant the copy holds says nothing.
    """
    changed = []
    for point in RestorePoint.objects.filter(run__in=said).select_related("item"):
        before, record = (point.locked_until, point.expires_at), said[point.run_id]
        point.locked_until = record.immutable_until or point.locked_until
        if record.retention_until and record.retention_until > point.captured_at:
            point.expires_at = record.retention_until
        if (point.locked_until, point.expires_at) != before:
            changed.append(point)
    RestorePoint.objects.bulk_update(changed, ["locked_until", "expires_at"])
    JobState.objects.filter(pk__in={point.item.job_id for point in changed}).update(touched_at=at)


def keep_only(*, job: BackupJob, names: Iterable[str], at: dt.datetime) -> None:
    """Note that of a job's copies only these are still there: the one who keeps them says so."""
    lost = RestorePoint.objects.filter(item__job=job, gone_at=None).exclude(external_id__in=list(names))
    if lost.update(gone_at=at):
        JobState.objects.filter(job=job).update(touched_at=at)


def _update(ids: Iterable[int], **changes: dt.datetime | None) -> None:
    for some in _batched(ids, 1_000):
        RestorePoint.objects.filter(pk__in=some).update(**changes)


def _batched(ids: Iterable[int], size: int) -> Iterator[list[int]]:
    rest = iter(ids)
    while some := list(islice(rest, size)):
        yield some
