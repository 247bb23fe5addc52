"""Ten years of incidents inside the database: each with its alert and story, and the problems and known errors that came of them.

Every row is a copy of what the product itself made for the failing service of the pattern, put back in time and ended.
"""

from __future__ import annotations

from typing import Any

from django.db import connection

from itsm_backup.bench.pattern import REASON, Pattern
from itsm_backup.common.models import because

YEARS = 10
SIGNATURES = 200
PER_PROBLEM = 20  # incidents
SERVICE = "(SELECT array_agg(id ORDER BY code) FROM catalogue_service WHERE code LIKE 'SVC-%%')"
BEGAN = f"%(at)s::timestamptz - interval '{YEARS} years' * (g - 0.5) / %(incidents)s - interval '8 days'"
# Columns that a copy has of its own, in which `g` is its number, `base` the largest id there was, and `began` when it did.
ALERT = {
    "id": "base + g", "dedup_key": "'history-' || g", "cause_key": "'history-' || g", "state": "'resolved'", "service_id": "service",
    "opened_at": "began", "noticed_at": "began", "last_seen_at": "began", "resolved_at": "began + interval '4 hours'",
}  # fmt: skip
INCIDENT = {
    "id": "base + g", "cause_key": "'history-' || g", "state": "'closed'", "service_id": "service", "opened_at": "began",
    "known_at": "began", "resolved_at": "began + interval '4 hours'", "closed_at": "began + interval '5 days'",
    "updated_at": "began + interval '5 days'", "breach_at": "NULL::timestamptz", "studied_at": "began + interval '1 hour'",
    "resolution": "'recovered'", "signature": f"'failed | storage | case ' || g %% {SIGNATURES}", "assignee_id": "%(person)s",
}  # fmt: skip
STORY = (("opened", "0"), ("state", "10 minutes"), ("note", "1 hour"), ("state", "4 hours"), ("state", "5 days"))


def remember(pattern: Pattern, *, incidents: int) -> None:
    """So many ended incidents of all services, over ten years, one in twenty into a problem; then the statistics are fresh."""
    values = {"at": pattern.at, "incidents": incidents, "person": pattern.person, "failing": pattern.failing, "reason": REASON}
    alerts = _copies("monitoring_alert", ALERT, "p.service_id = %(failing)s", values)
    kept = _copies("incidents_incident", INCIDENT, "p.service_id = %(failing)s", values)
    values |= {"alerts": alerts, "kept": kept}
    _execute(
        "INSERT INTO incidents_incidentalert (incident_id, alert_id, attached_at, told_occurrences) "
        "SELECT %(kept)s + g, %(alerts)s + g, i.opened_at, 1 "
        "FROM generate_series(1, %(incidents)s) g JOIN incidents_incident i ON i.id = %(kept)s + g",
        values,
    )
    for kind, after in STORY:
        _execute(
            "INSERT INTO incidents_incidententry (incident_id, at, kind, text) SELECT i.id, i.opened_at + %(after)s::interval, %(kind)s, "
            "i.title FROM incidents_incident i WHERE i.id > %(kept)s",
            values | {"kind": kind, "after": after},
        )
    _solve(pattern, values)
    _execute("VACUUM ANALYZE", {})


def _copies(table: str, own: dict[str, str], which: str, values: dict[str, Any]) -> int:
    """The copies of one row of the table; returns the largest id that was there before."""
    said = ", ".join(f"'{name}', {sql}" for name, sql in own.items())
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT max(id) FROM {table}")  # noqa: S608
        base = int(cursor.fetchone()[0])
        cursor.execute(
            f"""
            WITH services AS MATERIALIZED (SELECT {SERVICE} AS ids)
            INSERT INTO {table} SELECT r.* FROM (SELECT * FROM {table} p WHERE {which} ORDER BY id LIMIT 1) p, services,
              generate_series(1, %(incidents)s) g, LATERAL (SELECT %(base)s AS base, {BEGAN} AS began,
                services.ids[1 + g %% array_length(services.ids, 1)] AS service) own,
              LATERAL jsonb_populate_record(p::{table}, jsonb_build_object({said})) r
            """,  # noqa: S608 - our own words
            values | {"base": base},
        )
        cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))")  # noqa: S608
    return base


def _solve(pattern: Pattern, values: dict[str, Any]) -> None:
    """Problems of the past, each with the incidents of its signature and time, and one known error for each signature."""
    from django.contrib.auth import get_user_model

    from incidents.models import KnownError

    _execute(
        f"""
        INSERT INTO incidents_problem (signature, service_type, title, state, outcome, because, root_cause, workaround, permanent_fix,
          assignee_id, proposed_at, fixed_at, closed_at, updated_at)
        SELECT 'failed | storage | case ' || g %% {SIGNATURES}, '', 'Storage fails, case ' || g, 'closed', 'fixed', '[]', 'Too small',
          'Make room', 'CHG-' || g, %(person)s, began, began, began, began
        FROM generate_series(1, %(incidents)s / {PER_PROBLEM}) g, LATERAL (SELECT {BEGAN} AS began) own
        """,  # noqa: S608 - our own words
        values,
    )
    _execute(
        f"""
        INSERT INTO incidents_problemincident (problem_id, incident_id, attached_at)
        SELECT p.id, %(kept)s + g, p.proposed_at FROM generate_series(1, %(incidents)s) g
        JOIN (SELECT id, proposed_at, row_number() OVER (ORDER BY id) AS n FROM incidents_problem) p
          ON p.n = 1 + (g - 1) / {PER_PROBLEM}
        """,  # noqa: S608
        values,
    )
    with because(REASON, by=get_user_model().objects.get(pk=pattern.person)):
        for number in range(SIGNATURES):
            KnownError.objects.create(
                signature=f"failed | storage | case {number}", title=f"Storage fails, case {number}", symptom="Storage fails",
                workaround="Make room", state=KnownError.State.PUBLISHED,
            )  # fmt: skip


def _execute(statement: str, values: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
