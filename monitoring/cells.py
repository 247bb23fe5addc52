"""Day cells: one row per service and local day, always recounted whole, so that late and corrected runs come right.

Beside what was due stand the restore tests that passed (`restores`), which give no letter, and what went wrong without being due:
failed runs outside the schedule (`besides`) and failed restore tests (`refuted`). Those make the day failed, but no rate counts them.
What falls on a day that does not count by the measurement calendar stands apart (`uncounted`), failed runs beside the schedule, too;
the letter tells what came of it.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from django.db import connection
from django.db.models import Max, Min

from catalogue.models import ServiceVersion
from itsm_backup.common.time import day_bounds, local_day
from monitoring import recalling
from monitoring.asking import array, fetch
from monitoring.matching import uncounted
from monitoring.models import ExpectedRun, ServiceDay

COUNTS = ("good", "warned", "late", "failed", "missed", "unknown", "held", "pending", "restores", "besides", "refuted", "uncounted")
# The worst of a day stands in its cell. Warned and late ones are good ones with a remark.
_LETTERS = (
    ("failed", "F"), ("besides", "F"), ("refuted", "F"), ("missed", "M"), ("unknown", "?"), ("late", "L"), ("warned", "W"), ("held", "H"),
)  # fmt: skip
# On a day that does not count these show, and count nowhere. A restore test says the same of a copy on any day.
_APART = ("good", "warned", "late", "failed", "missed", "unknown", "besides")
_TESTED = {"passed": "restores", "failed": "refuted"}


_LEDGER = """
SELECT asked.service, asked.day, e.state, e.worst_outcome, e.attempts, e.counts
FROM unnest(%s::bigint[], %s::date[]) AS asked(service, day) JOIN monitoring_backupjob j ON j.service_id = asked.service
JOIN monitoring_expectedrun e ON e.job_id = j.id AND e.local_on = asked.day
"""
_SPANS = "unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) AS asked(service, since, until)"
_LOOSE = f"""
SELECT r.service_id, r.occurred_at, r.outcome FROM {_SPANS}
JOIN monitoring_backuprun r ON r.service_id = asked.service AND r.occurred_at >= asked.since AND r.occurred_at < asked.until
WHERE r.state = 'finished' AND r.operation = 'backup' AND NOT EXISTS (SELECT FROM monitoring_jobschedule s WHERE s.job_id = r.job_id)
"""  # noqa: S608 - our own words
_TESTS = f"""
SELECT asked.service, t.started_at, t.outcome FROM {_SPANS} JOIN monitoring_backupjob j ON j.service_id = asked.service
JOIN monitoring_restoretest t ON t.job_id = j.id AND t.started_at >= asked.since AND t.started_at < asked.until
WHERE t.outcome IN ('passed', 'failed')
"""  # noqa: S608
# Of scheduled jobs the failed runs for which nothing was due, or no longer: they are seen, though nobody waited for them.
_BESIDES = f"""
SELECT r.service_id, r.occurred_at FROM {_SPANS}
JOIN monitoring_backuprun r ON r.service_id = asked.service AND r.occurred_at >= asked.since AND r.occurred_at < asked.until
WHERE r.state = 'finished' AND r.operation IN ('backup', 'copy', 'replicate', 'log_backup')
  AND r.outcome IN ('failed', 'partial', 'cancelled')
  AND EXISTS (SELECT FROM monitoring_jobschedule s WHERE s.job_id = r.job_id)
  AND NOT EXISTS (SELECT FROM monitoring_expectedrun e WHERE e.job_id = r.job_id AND e.opens_at <= r.occurred_at
    AND e.cutoff_at > r.occurred_at AND NOT (e.state IN ('satisfied', 'satisfied_late') AND e.settled_at <= r.occurred_at))
"""  # noqa: S608
_EMPTY = """
DELETE FROM monitoring_serviceday c USING unnest(%s::bigint[], %s::date[]) AS empty(service, day)
WHERE c.service_id = empty.service AND c.day = empty.day
"""


def recount(*, days: Mapping[int, Collection[dt.date]], zones: Mapping[int, str]) -> None:
    """Write the cells of these local days of each service from the ledger, and from runs of jobs that have no schedule.

    As many statements for many services as for one.
    """
    wanted = {service: sorted(set(some)) for service, some in sorted(days.items()) if some}
    counts: dict[tuple[int, dt.date], Counter[str]] = {(service, day): Counter() for service, some in wanted.items() for day in some}
    if not counts:
        return
    for service, day, state, outcome, attempts, counting in fetch(_LEDGER, _columns(counts)):
        kinds = kinds_of(state, outcome, attempts)
        counts[service, day].update(kinds if counting else _apart(kinds))
    bounds = [(day_bounds(some[0], zones[service])[0], day_bounds(some[-1], zones[service])[1]) for service, some in wanted.items()]
    spans = [array(wanted), array(since for since, _ in bounds), array(until for _, until in bounds)]
    runs = [(service, occurred_at, _kinds_of_run(outcome)) for service, occurred_at, outcome in fetch(_LOOSE, spans)]
    runs += [(service, occurred_at, ["besides"]) for service, occurred_at in fetch(_BESIDES, spans)]
    calendars = recalling.counted_days_of({service for service, _, _ in runs}) if runs else {}
    for service, occurred_at, kinds in runs:
        counting = not uncounted(occurred_at, calendars.get(service, ()))
        _count(counts, service, local_day(occurred_at, zones[service]), kinds if counting else _apart(kinds))
    for service, started_at, outcome in fetch(_TESTS, spans):
        _count(counts, service, local_day(started_at, zones[service]), [_TESTED[outcome]])
    _write(counts)


def _columns(cells: Collection[tuple[int, dt.date]]) -> list[str]:
    return [array(service for service, _ in cells), array(day for _, day in cells)]


def _count(counts: dict[tuple[int, dt.date], Counter[str]], service: int, day: dt.date, kinds: list[str]) -> None:
    if (service, day) in counts:
        counts[service, day].update(kinds)


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


def _apart(kinds: Iterable[str]) -> list[str]:
    """The same on a day that does not count: one that is left out, whose result the cell's letter still tells."""
    told = list(kinds)
    kept = [kind for kind in told if kind not in _APART]
    return [*kept, *(f"{kind} apart" for kind in told if kind in _APART), *["uncounted"] * (len(kept) < len(told))]


def _kinds_of_run(outcome: str | None) -> list[str]:
    if outcome == "success":
        return ["good"]
    if outcome == "warning":
        return ["good", "warned"]
    return {"unknown": ["unknown"], "skipped": [], "missed": ["missed"]}.get(outcome or "", ["failed"])


def _write(counts: dict[tuple[int, dt.date], Counter[str]]) -> None:
    empty = [cell for cell, count in counts.items() if not any(count[name] for name in COUNTS)]
    if empty:
        with connection.cursor() as cursor:
            cursor.execute(_EMPTY, _columns(empty))
    ServiceDay.objects.bulk_create(
        [
            ServiceDay(service_id=service, day=day, worst=_letter(count), **{name: count[name] for name in COUNTS})
            for (service, day), count in counts.items()
            if any(count[name] for name in COUNTS)
        ],
        update_conflicts=True,
        unique_fields=["service", "day"],
        update_fields=[*COUNTS, "worst"],
    )


def _letter(count: Counter[str]) -> str:
    return next((letter for name, letter in _LETTERS if count[name] or count[f"{name} apart"]), "")


def zones_of(service_ids: Iterable[int], at: dt.datetime) -> dict[int, str]:
    """The zone in which the days of each service are counted: that of its version in force, else UTC."""
    wanted = set(service_ids)
    found = dict(ServiceVersion.objects.in_force(at).filter(service__in=wanted).values_list("service_id", "zone"))
    return {service: found.get(service, "UTC") for service in wanted}


def all_days(service_id: int) -> set[dt.date]:
    """Every day that has or should have a cell, for the nightly recount."""
    span = ExpectedRun.objects.filter(job__service=service_id).aggregate(first=Min("local_on"), last=Max("local_on"))
    if span["first"] is None:
        return set()
    return {span["first"] + dt.timedelta(days=n) for n in range((span["last"] - span["first"]).days + 1)}
