"""Getting it back: the newest dump into a scratch database, counted table by table against what was dumped."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec
from django.db import connection

from itsm_backup.own_database.dumping import Clock, Dump, count_tables, digest_of
from itsm_backup.own_database.programs import NotPossible, Programs, call

MOST_NAMED = 3


class Restored(msgspec.Struct, kw_only=True, frozen=True):
    """What came of a restore: `problem` is empty when every table has as many rows as were dumped."""

    started_at: dt.datetime
    ended_at: dt.datetime
    tables: int = 0
    rows: int = 0
    size_bytes: int | None = None
    problem: str = ""


def scratch_name() -> str:
    return f"{connection.settings_dict['NAME'][:40]}_restore_test"


def restore(*, folder: Path, dump: Dump, programs: Programs, clock: Clock) -> Restored:
    """Restore the dump into a database that is dropped afterwards, whatever happens. A failure is a result, not an error."""
    started_at = ended_at = clock()
    tables: dict[str, int] = {}
    size, problem = None, ""
    try:
        _make_scratch()
        options = ["--exit-on-error", "--no-owner", "--no-privileges", "--no-password", f"--dbname={scratch_name()}"]
        call([programs.restore, *options, str(folder / dump.name)], name="pg_restore")
        ended_at = clock()
        tables, size = _look()
        problem = _differences(dump, tables, folder / dump.name)
    except (NotPossible, OSError) as error:
        ended_at, problem = clock(), str(error)
    finally:
        drop_scratch()
    return Restored(
        started_at=started_at, ended_at=ended_at, tables=len(tables), rows=sum(tables.values()), size_bytes=size, problem=problem
    )


def _make_scratch() -> None:
    drop_scratch()
    with connection.cursor() as cursor:
        cursor.execute(f'CREATE DATABASE "{scratch_name()}" TEMPLATE template0')


def drop_scratch() -> None:
    """Drop the scratch database, also one that a killed restore left behind."""
    with connection.cursor() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{scratch_name()}" WITH (FORCE)')


def _look() -> tuple[dict[str, int], int]:
    scratch = connection.copy()
    scratch.settings_dict = {**scratch.settings_dict, "NAME": scratch_name()}
    try:
        with scratch.cursor() as cursor:
            cursor.execute("SELECT pg_database_size(current_database())")
            size = cursor.fetchone()[0]
            return count_tables(cursor), size
    finally:
        scratch.close()


def _differences(dump: Dump, found: dict[str, int], path: Path) -> str:
    different = [name for name in sorted(dump.tables.keys() | found.keys()) if dump.tables.get(name) != found.get(name)]
    if different:
        told = [f"{name} {found.get(name, 'missing')} of {dump.tables.get(name, 'none')}" for name in different[:MOST_NAMED]]
        more = f" and {len(different) - MOST_NAMED} more" if len(different) > MOST_NAMED else ""
        return f"Rows differ from what was dumped: {', '.join(told)}{more}."
    if digest_of(path) != dump.sha256:
        return "The file is not what was written: its digest differs, although it could be restored."
    return ""
