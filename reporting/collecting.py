"""What a report reads of a batch of services: a fixed number of bounded queries, whatever the size of the batch.

Everything is read as it stands now about the month; what came later than the month's end (a resolution, say) is left out, so
that the same month read on two days gives the same inputs unless facts about it arrived.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.models import Sum

from catalogue.models import ServiceVersion, Window
from incidents.models import IncidentAlert
from itsm_backup.common.time import iso
from monitoring.models import BackupJob, Evaluation, RestoreTest, ServiceDay
from monitoring.planning import COUNTED
from reporting.scoping import Month

MOST_LISTED = 60  # occurrences, incidents and windows that one service lists; counts are always of all
MONTHS_OF_BASELINE = 6

Lines = dict[int, dict[str, Any]]

_BATCH = "unnest(%(services)s::bigint[], %(starts)s::timestamptz[], %(ends)s::timestamptz[]) AS b(service, since, until)"
_LEDGER = f"""
SELECT b.service, CASE WHEN e.counts THEN e.state ELSE 'uncounted' END, e.settled_at IS NOT NULL,
       e.opens_at >= b.since AND e.opens_at < b.until,
       e.local_on BETWEEN %(first)s AND %(last)s, count(*)
FROM {_BATCH} JOIN monitoring_backupjob j ON j.service_id = b.service
JOIN monitoring_expectedrun e ON e.job_id = j.id AND e.local_on BETWEEN %(first)s - 3 AND %(last)s + 3
GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
"""  # noqa: S608 - our own text
_UNUSUAL = f"""
SELECT * FROM (
  SELECT b.service, e.due_at, j.name, e.state, e.worst_outcome, e.attempts,
    row_number() OVER (PARTITION BY b.service ORDER BY e.due_at, j.id) AS n
  FROM {_BATCH} JOIN monitoring_backupjob j ON j.service_id = b.service
  JOIN monitoring_expectedrun e ON e.job_id = j.id AND e.local_on BETWEEN %(first)s - 3 AND %(last)s + 3
    AND e.opens_at >= b.since AND e.opens_at < b.until
  WHERE e.counts AND e.state IN ('missed', 'satisfied_late', 'unconfirmed', 'excused')
) found WHERE n <= %(most)s ORDER BY 1, n
"""  # noqa: S608


# What the measurement calendar leaves out, whatever came of it, by reason.
_UNCOUNTED = f"""
SELECT b.service, e.excuse, count(*) FROM {_BATCH} JOIN monitoring_backupjob j ON j.service_id = b.service
JOIN monitoring_expectedrun e ON e.job_id = j.id AND NOT e.counts AND e.local_on BETWEEN %(first)s - 3 AND %(last)s + 3
  AND e.opens_at >= b.since AND e.opens_at < b.until
GROUP BY 1, 2 ORDER BY 1, min(e.opens_at)
"""  # noqa: S608


def _text(instant: str) -> str:
    """An instant as `iso` writes it, made by PostgreSQL: a month of copies is many thousand instants that are only passed on."""
    return f"""replace(to_char({instant} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z')"""


# An end after the month is not of this month.
_ENDS_AT = "least(p.expires_at, p.gone_at, p.invalid_from)"
_POINTS = f"""
SELECT b.service, i.id, i.name, {_text("p.captured_at")}, {_text("greatest(p.available_at, p.captured_at)")},
  CASE WHEN {_ENDS_AT} < b.until THEN {_text(_ENDS_AT)} END
FROM {_BATCH} JOIN monitoring_protecteditem i ON i.service_id = b.service AND i.first_seen_at < b.until LEFT JOIN LATERAL (
  (SELECT * FROM monitoring_restorepoint p WHERE p.item_id = i.id AND p.captured_at >= b.since AND p.captured_at < b.until)
  UNION ALL
  (SELECT * FROM monitoring_restorepoint p WHERE p.item_id = i.id AND p.captured_at < b.since
     AND (p.expires_at IS NULL OR p.expires_at > b.since) AND (p.gone_at IS NULL OR p.gone_at > b.since)
     AND (p.invalid_from IS NULL OR p.invalid_from > b.since) ORDER BY p.captured_at DESC LIMIT 3)
) p ON true ORDER BY b.service, i.id, p.captured_at, greatest(p.available_at, p.captured_at)
"""  # noqa: S608
_DAYS = """
SELECT service_id, day - %(first)s::date, good, failed + missed, uncounted, worst FROM monitoring_serviceday
WHERE service_id = ANY(%(services)s) AND day BETWEEN %(first)s AND %(last)s
"""
_RUNS = f"""
SELECT b.service, count(*), count(DISTINCT (r.job_id, r.external_id)),
  count(*) FILTER (WHERE r.ended_at < r.started_at OR r.ended_at > r.first_seen_at + %(skew)s * interval '1 second'),
  count(*) FILTER (WHERE EXISTS (SELECT 1 FROM catalogue_serviceversion v WHERE v.service_id = b.service AND v.state = 'approved'
                                 AND v.effective @> r.occurred_at)),
  coalesce(sum(coalesce(r.bytes_stored, r.bytes_source)) FILTER (WHERE r.outcome IN ('success', 'warning')), 0)
FROM {_BATCH} JOIN monitoring_backuprun r ON r.service_id = b.service AND r.occurred_at >= b.since AND r.occurred_at < b.until
WHERE r.state = 'finished' AND r.operation = ANY(%(counted)s) GROUP BY 1
"""  # noqa: S608
SKEW_S = 300


def read(*, versions: Sequence[int], month: Month) -> list[dict[str, Any]]:
    """The inputs of each service in JSON values, in the order of `versions` (ids of the versions that name the services)."""
    rows = list(ServiceVersion.objects.filter(pk__in=versions).select_related("service", "owner", "approver"))
    rows.sort(key=lambda row: versions.index(row.pk))
    lines = {row.service_id: _begin(row, month) for row in rows}
    given = {
        "services": list(lines),
        "starts": [line["period"][0] for line in lines.values()],
        "ends": [line["period"][1] for line in lines.values()],
        "first": month.first,
        "last": month.days[-1],
        "most": MOST_LISTED,
        "skew": SKEW_S,
        "counted": list(COUNTED),
    }
    _promises(lines)
    _ledger(lines, given)
    _points(lines, given)
    _runs(lines, given)
    _days(lines, given, month)
    _restores(lines, month)
    _incidents(lines, month)
    _windows(lines, month)
    _jobs_and_judgements(lines, month)
    return list(lines.values())


def _begin(row: ServiceVersion, month: Month) -> dict[str, Any]:
    start, end = month.bounds_in(row.zone)
    return {
        "service": {
            "id": row.service_id,
            "code": row.service.code,
            "name": row.name,
            "tier": row.tier,
            "department": row.department,
            "application_type": row.application_type,
            "labels": sorted(row.labels),
            "zone": row.zone,
        },
        "version": {
            "id": row.pk,
            "number": row.number,
            "owner": _name(row.owner),
            "approved_by": _name(row.approver),
            "approved_at": iso(row.approved_at),
        },
        "commissioned_at": iso(row.commissioned_at),
        "period": [iso(start), iso(end)],
        "promises": [],
        "ledger": [],
        "cells_due": [0, 0],
        "unusual": [],
        "items": [],
        "runs": {"received": 0, "distinct": 0, "skewed": 0, "sound": 0, "moved_bytes": 0},
        "days": "",
        "cells": [0, 0],
        "baseline": [0, 0],
        "restores": [],
        "incidents": [],
        "windows": [],
        "jobs": 0,
        "unscheduled_jobs": 0,
        "judged_by": None,
    }


def _name(person: Any) -> str:
    return str(person.get_full_name() or person.get_username()) if person else ""


def _promises(lines: Lines) -> None:
    """What the entry promised in the month, version by version, cut to the month."""
    found = ServiceVersion.objects.approved().filter(service__in=lines).select_related("commitment").order_by("service_id", "effective")
    found = found.prefetch_related("offerings")
    earliest = min((line["period"][0] for line in lines.values()), default=None)
    for row in found.filter(effective__endswith__gt=earliest) | found.filter(effective__endswith=None):
        line = lines[row.service_id]
        since, until = (dt.datetime.fromisoformat(text) for text in line["period"])
        starts_at, ends_at = max(row.effective.lower, row.commissioned_at, since), min(row.effective.upper or until, until)
        if starts_at >= ends_at:
            continue
        promise = getattr(row, "commitment", None)
        line["promises"].append(
            {
                "version": row.number,
                "version_id": row.pk,
                "from": iso(starts_at),
                "until": iso(ends_at),
                "rpo_s": promise.rpo_s if promise else None,
                "rto_s": promise.rto_s if promise else None,
                "success_rate": float(promise.success_rate) if promise and promise.success_rate is not None else None,
                **_offerings(row),
            }
        )


def _offerings(row: ServiceVersion) -> dict[str, Any]:
    """Levels of its own that an offering of the version has, of those that a report measures; no key where none has any."""
    told = [
        {"name": one.name, "rpo_s": one.rpo_s, "success_rate": float(one.success_rate) if one.success_rate is not None else None}
        for one in sorted(row.offerings.all(), key=lambda one: one.name)
        if one.rpo_s is not None or one.success_rate is not None
    ]
    return {"offerings": told} if told else {}


def _fetch(sql: str, given: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, given)
        return list(cursor.fetchall())


def _ledger(lines: Lines, given: dict[str, Any]) -> None:
    counts: dict[int, dict[tuple[str, bool], int]] = defaultdict(lambda: defaultdict(int))
    for service, state, settled, opens_in, falls_in, count in _fetch(_LEDGER, given):
        if opens_in:
            counts[service][state, settled] += count
        if falls_in and settled and state in ("satisfied", "satisfied_late", "missed"):
            lines[service]["cells_due"][state == "missed"] += count
    for service, found in counts.items():
        lines[service]["ledger"] = [[state, settled, count] for (state, settled), count in sorted(found.items())]
    for service, due_at, job, state, outcome, attempts, _ in _fetch(_UNUSUAL, given):
        kind = "failed" if state == "missed" and attempts else state
        lines[service]["unusual"].append({"due_at": iso(due_at), "job": job, "state": kind, "outcome": outcome})
    if any(state == "uncounted" for found in counts.values() for state, _ in found):  # a line says nothing of it where there is none
        for service, reason, count in _fetch(_UNCOUNTED, given):
            lines[service].setdefault("uncounted", []).append([reason, count])


def _points(lines: Lines, given: dict[str, Any]) -> None:
    items: dict[tuple[int, int], dict[str, Any]] = {}
    for service, item, name, captured_at, available_at, until in _fetch(_POINTS, given):
        if (service, item) not in items:
            items[service, item] = {"item": item, "name": name, "points": []}
            lines[service]["items"].append(items[service, item])
        if captured_at is not None:
            items[service, item]["points"].append([captured_at, available_at, until])


def _runs(lines: Lines, given: dict[str, Any]) -> None:
    for service, received, distinct, skewed, sound, moved in _fetch(_RUNS, given):
        lines[service]["runs"] = {
            "received": received,
            "distinct": distinct,
            "skewed": skewed,
            "sound": sound,
            "moved_bytes": int(moved),
        }


def _days(lines: Lines, given: dict[str, Any], month: Month) -> None:
    """The letters of the month's day cells, one a day, and what the months before were like."""
    names = [day.isoformat() for day in month.days]
    letters = {service: ["·"] * len(names) for service in lines}
    for service, place, good, bad, uncounted, worst in _fetch(_DAYS, given):
        letters[service][place] = worst or ("G" if good or uncounted else "·")
        line = lines[service]
        line["cells"] = [line["cells"][0] + good, line["cells"][1] + bad]
        line.setdefault("by_day", {})[names[place]] = [good, good + bad]
    for service, line in lines.items():
        line["days"] = "".join(letters[service])
    back = month.first
    for _ in range(MONTHS_OF_BASELINE):
        back = (back - dt.timedelta(days=1)).replace(day=1)
    before = ServiceDay.objects.filter(service__in=lines, day__gte=back, day__lt=month.first).values("service").order_by("service")
    for found in before.annotate(all_good=Sum("good"), bad=Sum("failed") + Sum("missed")):
        lines[found["service"]]["baseline"] = [found["all_good"], found["all_good"] + found["bad"]]


def _restores(lines: Lines, month: Month) -> None:
    """Restore tests that ended in the month."""
    tests = RestoreTest.objects.filter(job__service__in=lines, ended_at__gte=month.starts_at, ended_at__lt=month.ends_at)
    found = tests.order_by("job__service", "ended_at", "pk")
    for service, at, outcome, scope, verified, duration_s in found.values_list(
        "job__service", "ended_at", "outcome", "scope", "verified", "duration_s"
    ):
        lines[service]["restores"].append(
            {
                "at": iso(at),
                "outcome": outcome,
                "passed": outcome == "passed",
                "scope": scope,
                "verified": verified,
                "took_s": duration_s,
            }
        )


def _incidents(lines: Lines, month: Month) -> None:
    """Incidents that touched a service in the month, each once, with their state at the month's end."""
    alerts = IncidentAlert.objects.filter(
        alert__service__in=lines, incident__opened_at__lt=month.ends_at, alert__opened_at__lt=month.ends_at
    ).exclude(incident__resolved_at__lt=month.starts_at)
    for row in (
        alerts.exclude(incident__state="cancelled").select_related("incident", "alert").order_by("incident_id", "alert__opened_at", "pk")
    ):
        told = lines[row.alert.service_id or 0]["incidents"]
        resolved_at = row.incident.resolved_at
        if resolved_at is not None and resolved_at >= month.ends_at:
            resolved_at = None
        if len(told) < MOST_LISTED and all(one["number"] != row.incident.number for one in told):
            told.append(
                {
                    "number": row.incident.number,
                    "title": row.incident.title,
                    "cause": row.alert.cause_title,
                    "opened_at": iso(row.incident.opened_at),
                    "known_at": iso(row.incident.known_at),
                    "resolved_at": iso(resolved_at),
                }
            )


def _windows(lines: Lines, month: Month) -> None:
    held = Window.objects.filter(service__in=lines, starts_at__lt=month.ends_at, ends_at__gt=month.starts_at).order_by("starts_at", "pk")
    for window in held:
        told = lines[window.service_id]["windows"]
        if len(told) < MOST_LISTED:
            told.append({"purpose": window.purpose, "from": iso(window.starts_at), "until": iso(window.ends_at)})


def _jobs_and_judgements(lines: Lines, month: Month) -> None:
    for service, scheduled in BackupJob.objects.filter(service__in=lines).values_list("service", "schedule"):
        lines[service]["jobs"] += 1
        lines[service]["unscheduled_jobs"] += scheduled is None
    judged = Evaluation.objects.filter(service__in=lines, at__lt=month.ends_at).order_by("service_id", "-at", "-id").distinct("service_id")
    for pk, service, version in judged.values_list("pk", "service", "version"):
        lines[service]["judged_by"] = {"evaluation": pk, "version_id": version}
