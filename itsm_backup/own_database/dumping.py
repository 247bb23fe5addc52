"""One dump: written beside the others, whole or not at all, with the counts of its own snapshot."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from django.db import connection
from django.db.utils import DatabaseError

from itsm_backup.own_database.programs import NotPossible, Programs, call

Clock = Callable[[], dt.datetime]
PARTIAL = ".partial"
KEPT = 14  # dumps: three and a half days at four a day
_TABLES = """
SELECT n.nspname || '.' || c.relname, format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_toast'
ORDER BY 1
"""


class Dump(msgspec.Struct, kw_only=True, frozen=True):
    """A dump that is whole, as the file beside it tells."""

    name: str
    captured_at: dt.datetime
    ended_at: dt.datetime
    size_bytes: int
    database_bytes: int
    sha256: str
    tables: dict[str, int]

    @property
    def rows(self) -> int:
        return sum(self.tables.values())


def dump(*, folder: Path, programs: Programs, clock: Clock) -> Dump:
    """Dump the database in pg_dump's custom format. Raises NotPossible; then nothing of it is left."""
    begun_at = clock()
    name = f"{begun_at:%Y%m%dT%H%M%SZ}.dump"
    partial = folder / f"{name}{PARTIAL}"
    try:
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with _snapshot() as (snapshot, tables, database_bytes):
            arguments = ["--format=custom", "--no-password", f"--snapshot={snapshot}", f"--file={partial}"]
            call([programs.dump, *arguments, f"--dbname={connection.settings_dict['NAME']}"], name="pg_dump")
        made = Dump(
            name=name,
            captured_at=begun_at,
            ended_at=clock(),
            size_bytes=partial.stat().st_size,
            database_bytes=database_bytes,
            sha256=digest_of(partial),
            tables=tables,
        )
        _write(folder / f"{name}.json", msgspec.json.format(msgspec.json.encode(made)))
        _sync(partial)
        partial.rename(folder / name)  # only now it counts
        _sync(folder)
    except (OSError, DatabaseError) as error:
        raise NotPossible(f"The dump could not be written: {error}".strip()[:400]) from None
    finally:
        partial.unlink(missing_ok=True)
    return made


@contextmanager
def _snapshot() -> Iterator[tuple[str, dict[str, int], int]]:
    """A transaction of its own that pg_dump joins: what is counted here is exactly what is dumped."""
    own = connection.copy()
    try:
        with own.cursor() as cursor:
            cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            cursor.execute("SELECT pg_export_snapshot(), pg_database_size(current_database())")
            snapshot, size = cursor.fetchone()
            yield snapshot, count_tables(cursor), size
    finally:
        own.close()


def count_tables(cursor: object) -> dict[str, int]:
    """Rows of every table, exactly, in the transaction of the cursor."""
    cursor.execute(_TABLES)  # type: ignore[attr-defined]
    counts = {}
    for name, quoted in cursor.fetchall():  # type: ignore[attr-defined]
        cursor.execute(f"SELECT count(*) FROM {quoted}")  # type: ignore[attr-defined]  # noqa: S608 - the database's own name, quoted by it
        counts[name] = cursor.fetchone()[0]  # type: ignore[attr-defined]
    return counts


def digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def dumps_in(folder: Path) -> list[Dump]:
    """The dumps that are whole, newest first."""
    found = []
    for path in folder.glob("*.dump"):
        try:
            found.append(msgspec.json.decode((folder / f"{path.name}.json").read_bytes(), type=Dump))
        except (OSError, msgspec.MsgspecError):
            continue  # without its counts it proves nothing; it leaves with the next rotation
    return sorted(found, key=lambda one: one.name, reverse=True)


def tidy(*, folder: Path) -> list[str]:
    """Remove what a killed dump left behind, and all but the newest dumps; returns the names of those that stay."""
    kept = [one.name for one in dumps_in(folder)[:KEPT]]
    for path in folder.iterdir():
        if path.name.removesuffix(".json") not in kept and path.suffix in (PARTIAL, ".dump", ".json"):
            path.unlink(missing_ok=True)
    return kept
