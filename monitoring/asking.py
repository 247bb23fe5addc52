"""Statements in SQL, where rows are wanted as they are and not as objects."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import psycopg
from django.db import OperationalError, connection, models
from psycopg.types.numeric import Int8


def fetch(statement: str, given: Sequence[Any] | Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """All rows of the statement."""
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        return list(cursor.fetchall())


def array(values: Iterable[int | str | bytes | dt.date | None]) -> str:
    """The values as one PostgreSQL array, to be cast by the statement: many times quicker than quoting each of them."""
    return "{" + ",".join(map(_element, values)) + "}"


def _element(value: int | str | bytes | dt.date | None) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f'"\\\\x{value.hex()}"'
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f'"{value.isoformat()}"' if isinstance(value, dt.date) else str(value)


def write_back(rows: Sequence[models.Model], names: Sequence[str]) -> None:
    """Save these fields of rows of one model: one statement, however many rows there are."""
    if not rows:
        return
    meta = rows[0]._meta
    fields: list[Any] = [meta.pk, *map(meta.get_field, names)]
    columns = [field.column for field in fields]
    kinds = [field.db_type(connection).partition("(")[0] for field in fields]  # without a length: what is too long is refused, not cut
    told = ", ".join(f"%s::{kind}[]" for kind in kinds)
    statement = (
        f"UPDATE {meta.db_table} AS kept SET {', '.join(f'{name} = told.{name}' for name in columns[1:])} "  # noqa: S608 - our own names
        f"FROM unnest({told}) AS told({', '.join(columns)}) WHERE kept.{columns[0]} = told.{columns[0]}"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [array(getattr(row, field.attname) for row in rows) for field in fields])


def fetch_prepared(statement: str, given: Mapping[str, Any], *, changes_nothing: bool = False) -> tuple[Any, ...] | None:
    """The first row of the statement, which is planned at its first use on this connection and kept: for the few doors where
    planning costs more than doing.

    One that changes nothing is asked again on a new connection when the kept one turns out to be dead.
    """
    try:
        return _fetch_one(statement, given)
    except OperationalError:
        if not changes_nothing or connection.in_atomic_block or connection.is_usable():
            raise
    connection.close()
    return _fetch_one(statement, given)


def _fetch_one(statement: str, given: Mapping[str, Any]) -> tuple[Any, ...] | None:
    connection.ensure_connection()
    raw = connection.connection
    raw.prepare_threshold = 0  # Django's own cursors never prepare; only this one does
    whole = {name: Int8(value) if isinstance(value, int) and not isinstance(value, bool) else value for name, value in given.items()}
    with connection.wrap_database_errors, psycopg.Cursor(raw) as cursor:
        cursor.execute(statement, whole, prepare=True)
        return cursor.fetchone()
