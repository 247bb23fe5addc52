"""Rollups that grow with every arrival are what a recount of the raw runs gives, in five zones and across both changes of clocks."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db.models import Sum

from catalogue.models import Service
from itsm_backup import journey
from monitoring import attaining, cells, storing
from monitoring.methods import measure
from monitoring.methods.rpo import Point, exposure
from monitoring.models import BackupRun, Evaluation, ExpectedRun, RestorePoint, ServiceDay
from tests.factories import make_job, make_schedule, make_service, make_tool, push, run_record

pytestmark = [pytest.mark.django_db, pytest.mark.req("3.2"), pytest.mark.req("3.6")]
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
ZONES = ("Europe/Berlin", "America/New_York", "America/Santiago", "Australia/Lord_Howe", "Pacific/Auckland")
CHANGES = ("first", "second")


def change_of_clocks(zone: str, which: str) -> dt.datetime:
    """When the clocks of the zone change in 2025, to the hour."""
    known, found = ZoneInfo(zone), []
    for hour in range(1, 365 * 24):
        instant = dt.datetime(2025, 1, 1, tzinfo=dt.UTC) + hour * HOUR
        if instant.astimezone(known).utcoffset() != (instant - HOUR).astimezone(known).utcoffset():
            found.append(instant)
    assert len(found) == 2, "clocks change twice a year"
    return found[CHANGES.index(which)]


def watched(code: str, zone: str, start: dt.datetime) -> tuple[Any, Service]:
    """A service with a job that is due four times a day, twice in the hours in which clocks change."""
    service = make_service(
        code, at=start, rpo_s=8 * 3600, zone=zone, success_rate=0.9, promise={"rpo_attainment_rate": 0.95, "on_time_rate": 0.9}
    )
    tool = make_tool(at=start)
    make_schedule(make_job(tool, "job", at=start, service=service), local_times="00:30,02:30,12:00,18:00", grace_s=3600, zone=zone)
    return tool, service


def history(rng: random.Random, start: dt.datetime, days: int) -> list[dict[str, Any]]:
    """Runs of all outcomes, some due, some not, several of one occurrence, and a correction of some of them."""
    found = []
    for hour in range(2, days * 24, 3):
        if rng.random() < 0.8:
            when = start + hour * HOUR + rng.randrange(0, 60) * dt.timedelta(minutes=1)
            outcome = rng.choice(("success", "success", "success", "warning", "partial", "failed"))
            found.append(
                run_record("job", outcome, when, minutes=rng.choice((5, 40)), external_id=f"run{hour}", created_at=when.isoformat())
            )
    return found


def cells_of(service: Service) -> list[tuple[Any, ...]]:
    return list(ServiceDay.objects.filter(service=service).order_by("day").values_list("day", "worst", *cells.COUNTS))


def arrive(tool: Any, records: list[dict[str, Any]], rng: random.Random, at: dt.datetime) -> None:
    """In batches of any size and any order; the journey comes by in between, or not."""
    left = rng.sample(records, len(records))
    while left:
        size = rng.randrange(1, 12)
        push(tool, *left[:size], at=at)
        left = left[size:]
        if rng.random() < 0.4:
            journey.advance(at=at)
    journey.advance(at=at)


@pytest.mark.parametrize("which", CHANGES)
@pytest.mark.parametrize("zone", ZONES)
def test_any_order_of_arrival_ends_in_what_a_recount_gives(zone, which):
    turn = change_of_clocks(zone, which)
    start, at = turn.replace(hour=12) - 3 * DAY, turn.replace(hour=12) + 2 * DAY
    rng = random.Random(f"{zone} {which}")
    first = history(rng, start, 5)
    wrong = [{**one, "outcome": rng.choice(("failed", "success"))} for one in rng.sample(first, 6)]  # what a tool said before it knew
    wrong = [{key: value for key, value in one.items() if key != "consistent_at"} for one in wrong]
    extra = [run_record("job", "failed", start + 50 * HOUR + n * HOUR, external_id=f"gone{n}") for n in range(3)]

    told, (plain_tool, plain) = watched("SVC-A", zone, start), watched("SVC-B", zone, start)
    tool, service = told
    push(tool, *wrong, at=at)
    arrive(tool, [*first, *extra], rng, at)
    gone = list(BackupRun.objects.filter(job__tool=tool, external_id__startswith="gone"))
    BackupRun.objects.filter(pk__in=[run.pk for run in gone]).delete()
    storing._touch(gone, at)
    journey.advance(at=at)
    push(plain_tool, *first, at=at)
    journey.advance(at=at)

    assert cells_of(service) == cells_of(plain), "what was corrected and deleted has left no trace"
    before = cells_of(service)
    cells.recount(days={service.pk: cells.all_days(service.pk)}, zones={service.pk: zone})
    assert cells_of(service) == before, "counting again changes nothing"
    _totals_do_not_depend_on_the_breakdown(service)
    _rates_are_rates(service, at)
    _exposure_grows_between_points(service, start, at)


def _totals_do_not_depend_on_the_breakdown(service: Service) -> None:
    """Days, the ledger, and the two halves of a period say the same."""
    by_day = ServiceDay.objects.filter(service=service).aggregate(**{name: Sum(name) for name in cells.COUNTS})
    by_occurrence: Counter[str] = Counter()
    for row in ExpectedRun.objects.filter(job__service=service):
        by_occurrence.update(cells.kinds_of(row.state, row.worst_outcome, row.attempts))
    counted = ("good", "warned", "late", "failed", "missed", "unknown", "held", "pending")
    assert {name: by_day[name] for name in counted} == {name: by_occurrence[name] for name in counted}
    days = list(ServiceDay.objects.filter(service=service).order_by("day").values_list("good", "failed", "missed"))
    halves = [days[: len(days) // 2], days[len(days) // 2 :]]
    assert [sum(column) for column in zip(*days, strict=True)] == [sum(sum(one[n] for one in half) for half in halves) for n in range(3)]


def _rates_are_rates(service: Service, at: dt.datetime) -> None:
    version, evaluation = service.version_at(at), Evaluation.objects.filter(service=service).latest("pk")
    standing = attaining.standing_of(version=version, evaluation=evaluation, at=at, known_at=at)
    shares = [one for one in standing.attainments if one.objective.unit in ("share", "usual")]
    assert {one.objective.key for one in shares} >= {"success_rate", "on_time_rate", "rpo_attainment_rate"}
    for one in shares:
        found = [value for value in (one.actual, one.low, one.high) if value is not None]
        assert all(0 <= value <= 1 for value in found), one
        assert one.part is None or 0 <= one.part <= one.whole
    assert all(0 <= on_time <= good <= total for _, good, on_time, total in standing.months)


def _exposure_grows_between_points(service: Service, start: dt.datetime, at: dt.datetime) -> None:
    """It grows second for second, falls only when a copy arrives, and what is within the RPO is a share of the time looked at."""
    rows = RestorePoint.objects.filter(item__service=service)
    points = [Point(captured_at=row.captured_at, available_at=row.available_at) for row in rows]
    arrivals = {max(point.available_at, point.captured_at) for point in points}
    instants = [start + n * dt.timedelta(minutes=20) for n in range(int((at - start) / dt.timedelta(minutes=20)))]
    measured = [exposure(points, instant, start)[0] for instant in instants]
    for (earlier, was), (later, now) in zip(
        zip(instants, measured, strict=True), list(zip(instants, measured, strict=True))[1:], strict=False
    ):
        if not any(earlier < one <= later for one in arrivals):
            assert now - was == (later - earlier).total_seconds()
    known = [{"captured_at": row.captured_at.isoformat(), "available_at": row.available_at.isoformat()} for row in rows]
    asked = {"commissioned_at": start.isoformat(), "period": [start.isoformat(), at.isoformat()], "rpo_seconds": 8 * 3600, "points": known}
    found = measure("BM-RPO-TW", asked)
    assert 0 <= found["attainment"] <= 1 and found["max_exposure_seconds"] >= max(measured)
