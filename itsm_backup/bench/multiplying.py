"""An estate of any size inside the database: every row of the pattern services, copied by generate_series under new ids.

The columns are read from the database, so that a table that grows keeps being copied whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.db import connection, transaction

from itsm_backup.bench.pattern import Pattern

STRIDE = 100_000  # the pattern has fewer rows than this in any table; a copy's id tells its number, and the 20,000th still fits four bytes
FAILING_EVERY = 20
_RUNS_OF = "(SELECT id FROM monitoring_backupjob WHERE service_id = %(service)s)"
# Tables in the order in which their rows need each other, and which rows are the service's.
TABLES = {
    "catalogue_service": "p.id = %(service)s",
    "catalogue_serviceversion": "p.service_id = %(service)s",
    "catalogue_commitment": "p.version_id IN (SELECT id FROM catalogue_serviceversion WHERE service_id = %(service)s)",
    "monitoring_backupjob": "p.service_id = %(service)s",
    "monitoring_jobschedule": f"p.job_id IN {_RUNS_OF}",
    "monitoring_historicaljobschedule": f"p.job_id IN {_RUNS_OF}",
    "monitoring_protecteditem": "p.service_id = %(service)s",
    "monitoring_backuprun": "p.service_id = %(service)s",
    "monitoring_jobstate": f"p.job_id IN {_RUNS_OF}",
    "monitoring_restorepoint": "p.item_id IN (SELECT id FROM monitoring_protecteditem WHERE service_id = %(service)s)",
    "monitoring_expectedrun": f"p.job_id IN {_RUNS_OF}",
    "monitoring_evaluation": "p.service_id = %(service)s",
    "monitoring_servicestate": "p.service_id = %(service)s",
    "catalogue_servicestatus": "p.service_id = %(service)s",
    "catalogue_statuschange": "p.service_id = %(service)s",
    "monitoring_serviceday": "p.service_id = %(service)s",
    "monitoring_alert": "p.service_id = %(service)s",
    "incidents_incident": "p.service_id = %(service)s",
    "incidents_incidentalert": "p.incident_id IN (SELECT id FROM incidents_incident WHERE service_id = %(service)s)",
    "incidents_incidententry": "p.incident_id IN (SELECT id FROM incidents_incident WHERE service_id = %(service)s)",
}
BIG = ("monitoring_backuprun", "monitoring_restorepoint", "monitoring_expectedrun")
# What a copy has of its own; every other column is the pattern's, foreign keys and ids moved by the stride.
OWN = {
    "catalogue_service.code": "'SVC-' || lpad(g::text, 5, '0')",
    "catalogue_serviceversion.state": "'draft'",
    "catalogue_serviceversion.name": "'Service number ' || g",
    "catalogue_serviceversion.short_name": "'service ' || g",
    "catalogue_serviceversion.department": "'Department ' || g %% 20",
    "catalogue_serviceversion.tier": "1 + g %% 4",
    "monitoring_backupjob.external_id": "p.external_id || '-' || g",
    "monitoring_backupjob.name": "'job-' || g",
    "monitoring_backupjob.ping_uuid": "md5('bench' || g)::uuid",
    "monitoring_protecteditem.external_id": "p.external_id || '-' || g",
    "monitoring_backuprun.key": "substr(p.key, 1, 4) || substr(sha256(p.key || int4send(g)), 1, 16)",
    "monitoring_backuprun.seal": "substr(sha256(p.key || int4send(g)), 17, 8)",
    **{f"monitoring_historicaljobschedule.{name}": f"p.{name} + g::bigint * {STRIDE}" for name in ("id", "job_id", "history_id")},
    "monitoring_jobstate.schedule_version": f"p.schedule_version + g::bigint * {STRIDE}",
    "monitoring_servicestate.alerted": f"p.alerted + g::bigint * {STRIDE}",
    "catalogue_servicestatus.evaluation": f"p.evaluation + g::bigint * {STRIDE}",
    "catalogue_statuschange.evaluation": f"p.evaluation + g::bigint * {STRIDE}",
    "monitoring_alert.dedup_key": "p.dedup_key || '-' || g",
    "monitoring_alert.cause_key": "p.cause_key || '-' || g",
    "monitoring_alert.run_ids": f"ARRAY(SELECT run + g::bigint * {STRIDE} FROM unnest(p.run_ids) AS run)",  # noqa: S608
    "incidents_incident.cause_key": "p.cause_key || '-' || g",
}
_FIELDS = """
SELECT a.attname, coalesce(bool_or(c.contype = 'p'), false) AND a.attname = 'id',
  max(c.confrelid::regclass::text) FILTER (WHERE c.contype = 'f')
FROM pg_attribute a LEFT JOIN pg_constraint c ON c.conrelid = a.attrelid AND c.conkey = ARRAY[a.attnum]
WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped GROUP BY a.attname, a.attnum ORDER BY a.attnum
"""
# The copies' schedules are no news: the journey has seen the pattern's.
_SEEN = """
UPDATE monitoring_watermark SET history_id = (SELECT max(history_id) FROM monitoring_historicaljobschedule), latest_entries = 1
WHERE name = 'JobSchedule'
"""
_PARTS = """
SELECT indexdef, 'DROP INDEX ' || indexname FROM pg_indexes i WHERE tablename = ANY(%(tables)s) AND schemaname = current_schema()
AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = i.indexname)
UNION ALL
SELECT format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', conrelid::regclass, conname, pg_get_constraintdef(oid)),
  format('ALTER TABLE %%s DROP CONSTRAINT %%I', conrelid::regclass, conname)
FROM pg_constraint WHERE contype = 'f' AND conrelid::regclass::text = ANY(%(tables)s)
"""


def multiply(pattern: Pattern, *, services: int, own: Mapping[str, str] | None = None) -> None:
    """So many services more, one in twenty of them failing, with all that belongs to them; then the statistics are fresh.

    `own` says further what a copy has of its own: "table.column" to SQL in which `g` is its number.
    """
    columns = {table: _columns(table, {**OWN, **(own or {})}) for table in TABLES}
    with transaction.atomic(), _bare():
        for table in TABLES:
            _copy(table, columns[table], pattern.kept, f"generate_series(1, {services}) g WHERE g % {FAILING_EVERY} <> 0")
            _copy(table, columns[table], pattern.failing, f"generate_series({FAILING_EVERY}, {services}, {FAILING_EVERY}) g WHERE true")
            if table == "catalogue_commitment":
                _execute("UPDATE catalogue_serviceversion SET state = 'approved' WHERE state = 'draft'")
        for table in (name for name, own in columns.items() if "id" in own):
            key = "history_id" if "history_id" in columns[table] else "id"
            _execute(f"SELECT setval(pg_get_serial_sequence('{table}', '{key}'), (SELECT max({key}) FROM {table}))")  # noqa: S608
        _execute(_SEEN)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def lengthen_days(*, days: int) -> None:
    """Day cells back to so many days ago, so that rollups are equally full however long the history of runs is."""
    columns = ", ".join(f'"{name}"' for name in _columns("monitoring_serviceday", OWN) if name not in ("id", "service_id", "day"))
    _execute(f"""
    INSERT INTO monitoring_serviceday (service_id, day, {columns}) SELECT service_id, current_date - n, {columns}
    FROM (SELECT DISTINCT ON (service_id) * FROM monitoring_serviceday WHERE good > 0 ORDER BY service_id, day) p,
      generate_series(1, {days}) n ORDER BY n DESC
    ON CONFLICT DO NOTHING
    """)  # noqa: S608 - our own names
    _execute("ANALYZE monitoring_serviceday")


def _columns(table: str, own: Mapping[str, str]) -> dict[str, str]:
    """Each column of the table and what a copy has in it."""
    with connection.cursor() as cursor:
        cursor.execute(_FIELDS, [table])
        return {
            name: own.get(f"{table}.{name}") or (f'p."{name}" + g::bigint * {STRIDE}' if is_id or points_to in TABLES else f'p."{name}"')
            for name, is_id, points_to in cursor.fetchall()
        }


def _copy(table: str, columns: dict[str, str], service: int, series: str) -> None:
    """The rows of one service, once for every g of the series; runs, points and day cells lie in the order of time, as they come in."""
    names = ", ".join(f'"{name}"' for name in columns)
    instants = {"monitoring_backuprun": "occurred_at", "monitoring_restorepoint": "captured_at", "monitoring_serviceday": "day"}
    by_time = {name: f"ORDER BY p.{column}, g" for name, column in instants.items()}
    sources = f"{table} p, {series.replace('%', '%%')} AND {TABLES[table]}"
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({names}) SELECT {', '.join(columns.values())} FROM {sources} {by_time.get(table, '')}",  # noqa: S608
            {"service": service},
        )


@contextmanager
def _bare() -> Iterator[None]:
    """Without indexes and foreign keys of the big tables, which are cheaper to make afterwards in one go."""
    with connection.cursor() as cursor:
        cursor.execute(_PARTS, {"tables": list(BIG)})
        parts = cursor.fetchall()
        for _, undo in parts:
            cursor.execute(undo)
        yield
        for make, _ in parts:
            cursor.execute(make)


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
