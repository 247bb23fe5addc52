"""What can be restored: a good backup makes a point, a point that left the listing is gone, a run that turned bad takes it back."""

from __future__ import annotations

import datetime as dt

from monitoring.combining import Row
from monitoring.models import BackupJob, BackupRun, JobState, ProtectedItem, RestorePoint, Tool

MAKES_POINTS = ("backup", "copy", "replicate", "log_backup")


def follow_runs(*, tool: Tool, jobs: dict[str, BackupJob], ids: dict[bytes, int], rows: dict[bytes, Row], at: dt.datetime) -> None:
    """Make or correct the points of runs that were just written."""
    relevant = {ids[key]: row for key, row in rows.items() if row.operation in MAKES_POINTS and row.state == "finished"}
    if not relevant:
        return
    items = dict(ProtectedItem.objects.filter(job__in=[job.pk for job in jobs.values()]).order_by("pk").values_list("job", "pk"))
    known = {point.run_id: point for point in RestorePoint.objects.filter(run__in=relevant)}
    made, corrected = [], []
    for run_id, row in relevant.items():
        point = known.get(run_id)
        usable = row.outcome in BackupRun.GOOD and row.captured_at is not None
        if point is None and usable:
            made.append(_point(row, run_id, items[row.job_id], at))
        elif point is not None:
            _correct(point, row, usable, at)
            corrected.append(point)
    RestorePoint.objects.bulk_create(made)
    RestorePoint.objects.bulk_update(corrected, ["captured_at", "available_at", "invalid_from", "external_id"])


def _point(row: Row, run_id: int, item: int, at: dt.datetime) -> RestorePoint:
    return RestorePoint(
        item_id=item,
        external_id=(row.artefact_id or row.external_id)[:200],
        run_id=run_id,
        captured_at=row.captured_at,
        available_at=max(row.ended_at or row.captured_at, row.captured_at),
        first_seen_at=at,
    )


def _correct(point: RestorePoint, row: Row, usable: bool, at: dt.datetime) -> None:
    if usable:
        point.captured_at = row.captured_at
        point.available_at = max(row.ended_at or row.captured_at, row.captured_at)
        point.external_id = (row.artefact_id or row.external_id)[:200]
        point.invalid_from = None
    else:
        point.invalid_from = point.invalid_from or at


def follow_listing(*, tool: Tool, listed: set[int], at: dt.datetime) -> None:
    """Compare a complete listing (the runs it holds) with the points it once held: what it lost is gone, what is back is back."""
    of_tool = RestorePoint.objects.filter(item__tool=tool)
    of_tool.filter(run__in=listed, listed_at=None).update(listed_at=at)
    lost = of_tool.filter(listed_at__lt=at, gone_at=None).exclude(run__in=listed)
    back = of_tool.filter(run__in=listed, gone_at__isnull=False)
    touched = set(lost.values_list("item__job", flat=True)) | set(back.values_list("item__job", flat=True))
    lost.update(gone_at=at)
    back.update(gone_at=None)
    JobState.objects.filter(pk__in=touched).update(touched_at=at)
