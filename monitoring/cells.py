"""Day cells: one row per service and local day, always recounted whole, so that late and corrected runs come right.

`restores` counts the restore tests that passed that day. They are no due occurrences: the letter of the day is not theirs.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from zoneinfo import ZoneInfo

from django.db.models import Max, Min

from itsm_backup.common.time import day_bounds, local_day
from monitoring.models import BackupRun, ExpectedRun, RestoreTest, ServiceDay

COUNTS = ("good", "warned", "late", "failed", "missed", "unknown", "held", "pending", "restores")
# The worst of a day stands in its cell. Warned and late ones are good ones with a remark.
_LETTERS = (("failed", "F"), ("missed", "M"), ("unknown", "?"), ("late", "L"), ("warned", "W"), ("held", "H"))


def recount(*, service_id: int, days: Iterable[dt.date], zone: str = "UTC") -> None:
    """Write the cells of these local days from the ledger, and from runs of jobs that have no schedule."""
    wanted = sorted(set(days))
    if not wanted:
        return
    counts: dict[dt.date, Counter[str]] = {day: Counter() for day in wanted}
    ledger = ExpectedRun.objects.filter(job__service=service_id, local_on__in=wanted)
    for day, state, outcome, attempts in ledger.values_list("local_on", "state", "worst_outcome", "attempts"):
        counts[day].update(kinds_of(state, outcome, attempts))
    start, end = day_bounds(wanted[0], zone)[0], day_bounds(wanted[-1], zone)[1]
    loose = BackupRun.objects.filter(
        service=service_id, job__schedule=None, occurred_at__gte=start, occurred_at__lt=end, state="finished", operation="backup"
    )
    for occurred_at, outcome in loose.values_list("occurred_at", "outcome"):
        day = occurred_at.astimezone(ZoneInfo(zone)).date()
        if day in counts:
            counts[day].update(_kinds_of_run(outcome))
    tests = RestoreTest.objects.filter(job__service=service_id, outcome="passed", started_at__gte=start, started_at__lt=end)
    for started_at in tests.values_list("started_at", flat=True):
        day = local_day(started_at, zone)
        if day in counts:
            counts[day]["restores"] += 1
    _write(service_id, counts)


def kinds_of(state: str, outcome: str | None, attempts: int) -> list[str]:
    """What one due occurrence adds to its day."""
    if state == "excused":
        return ["held"]
    if state == "unconfirmed":
        return ["unknown"]
    if state in ("satisfied", "satisfied_late"):
        return ["good"] + ["warned"] * (outcome == "warning") + ["late"] * (state == "satisfied_late")
    if state == "missed":
        return ["failed" if attempts else "missed"]
    return ["failed"] if outcome in ("failed", "partial", "cancelled") else ["pending"]


def _kinds_of_run(outcome: str | None) -> list[str]:
    if outcome == "success":
        return ["good"]
    if outcome == "warning":
        return ["good", "warned"]
    return {"unknown": ["unknown"], "skipped": [], "missed": ["missed"]}.get(outcome or "", ["failed"])


def _write(service_id: int, counts: dict[dt.date, Counter[str]]) -> None:
    cells = []
    for day, count in counts.items():
        worst = next((letter for name, letter in _LETTERS if count[name]), "")
        cells.append(ServiceDay(service_id=service_id, day=day, worst=worst, **{name: count[name] for name in COUNTS}))
    empty = [cell.day for cell in cells if not any(getattr(cell, name) for name in COUNTS)]
    ServiceDay.objects.filter(service=service_id, day__in=empty).delete()
    ServiceDay.objects.bulk_create(
        [cell for cell in cells if cell.day not in empty],
        update_conflicts=True,
        unique_fields=["service", "day"],
        update_fields=[*COUNTS, "worst"],
    )


def all_days(service_id: int) -> set[dt.date]:
    """Every day that has or should have a cell, for the nightly recount."""
    span = ExpectedRun.objects.filter(job__service=service_id).aggregate(first=Min("local_on"), last=Max("local_on"))
    if span["first"] is None:
        return set()
    return {span["first"] + dt.timedelta(days=n) for n in range((span["last"] - span["first"]).days + 1)}
