"""Room for raw answers: one partition per month of receipt, so that forgetting a month drops a table."""

from __future__ import annotations

import datetime as dt

from django.db import connection, transaction
from psycopg import sql

from itsm_backup.common.time import month_bounds

MONTHS_AHEAD = 2
_LOCK = 7_315_002
_PARENT, _REST = "monitoring_rawanswer", "monitoring_rawanswer_other"


def ensure_partitions(*, at: dt.datetime) -> list[str]:
    """Make the partitions of the month of `at` and of the two after it; returns the names of those that were missing.

    Months are those of UTC. What the catch-all partition holds of such a month moves over.
    """
    made, start = [], month_bounds(at, "UTC")[0]
    for _ in range(MONTHS_AHEAD + 1):
        start, end = month_bounds(start, "UTC")
        name = f"{_PARENT}_{start:%Y_%m}"
        if _make(name, start, end):
            made.append(name)
        start = end
    return made


@transaction.atomic
def _make(name: str, start: dt.datetime, end: dt.datetime) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])  # two starts at once
        cursor.execute("SELECT to_regclass(%s)", [name])
        if cursor.fetchone()[0] is not None:
            return False
        parts = {"new": sql.Identifier(name), "parent": sql.Identifier(_PARENT), "rest": sql.Identifier(_REST),
                 "start": sql.Literal(start), "end": sql.Literal(end)}  # fmt: skip
        for statement in (
            # Filled before it is attached, because PostgreSQL refuses a partition whose rows lie in the catch-all.
            "CREATE TABLE {new} (LIKE {parent} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)",
            "WITH moved AS (DELETE FROM {rest} WHERE received_at >= {start} AND received_at < {end} RETURNING *)"
            " INSERT INTO {new} SELECT * FROM moved",
            "ALTER TABLE {parent} ATTACH PARTITION {new} FOR VALUES FROM ({start}) TO ({end})",
        ):
            cursor.execute(sql.SQL(statement).format(**parts))
    return True


def drop_empty_partitions(*, before: dt.datetime) -> list[str]:
    """Drop the partitions of months that ended before this instant and hold nothing; returns their names."""
    current, dropped = f"{_PARENT}_{before.astimezone(dt.UTC):%Y_%m}", []
    with connection.cursor() as cursor:
        cursor.execute("SELECT c.relname FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = %s::regclass", [_PARENT])
        past = sorted(name for (name,) in cursor.fetchall() if name != _REST and name < current)
        for name in past:
            with transaction.atomic():
                cursor.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier(name)))
                cursor.execute(sql.SQL("SELECT EXISTS (SELECT 1 FROM {})").format(sql.Identifier(name)))
                if not cursor.fetchone()[0]:
                    cursor.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))
                    dropped.append(name)
    return dropped
