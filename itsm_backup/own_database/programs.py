"""pg_dump and pg_restore: which ones, with which right, and what they said."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from typing import Any

import msgspec
from django.conf import settings
from django.db import connection

from itsm_backup.launcher.trouble import disk_is_full

LONGEST_S = 6 * 3600
_VARIABLES = {"HOST": "PGHOST", "PORT": "PGPORT", "USER": "PGUSER", "PASSWORD": "PGPASSWORD"}
_OPTIONS = ("host", "port", "sslmode", "sslrootcert", "sslcert", "sslkey", "connect_timeout", "passfile", "service")


class NotPossible(Exception):
    """It cannot be done here; the message says why and what to change."""


class Programs(msgspec.Struct, frozen=True):
    dump: str
    restore: str


def find_programs() -> Programs:
    """The two programs, of the server's own major version. Raises NotPossible."""
    server = connection.cursor().connection.info.server_version // 10_000
    found = []
    for name in ("pg_dump", "pg_restore"):
        path = shutil.which(name, path=settings.PG_PROGRAMS or None)
        if path is None:
            where = settings.PG_PROGRAMS or "PATH"
            raise NotPossible(f"{name} was not found in {where}. Install the client programs of PostgreSQL {server}, or set PG_PROGRAMS.")
        version = _version(path)
        if version != server:
            raise NotPossible(
                f"{path} is version {version or 'unknown'}, the server is {server}. Only the same version reads and writes everything:"
                f" install the client programs of PostgreSQL {server} and name their folder in PG_PROGRAMS."
            )
        found.append(path)
    return Programs(*found)


def _version(path: str) -> int | None:
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"(\d+)(?:\.\d+|devel|beta|rc)", said)
    return int(match[1]) if match else None


def may_create_databases() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user")
        return bool(cursor.fetchone()[0])


def call(arguments: list[str], *, name: str) -> None:
    """Run a program against the product's database server. Raises NotPossible with its own last words."""
    try:
        told: dict[str, Any] = {"capture_output": True, "text": True, "errors": "replace"}
        done = subprocess.run(arguments, env=_environment(), timeout=LONGEST_S, check=False, **told)
    except subprocess.TimeoutExpired:
        raise NotPossible(f"{name} did not end within {LONGEST_S // 3600} h and was stopped.") from None
    except OSError as error:
        raise NotPossible(f"{name} cannot be started: {error.strerror}.") from None
    if done.returncode:
        raise NotPossible(_words(name, done.returncode, done.stderr))


def _environment() -> dict[str, str]:
    """What libpq reads; the password stands in no list of processes."""
    database: dict[str, Any] = connection.settings_dict
    told = {variable: str(database[name]) for name, variable in _VARIABLES.items() if database.get(name)}
    told |= {f"PG{name.upper()}": str(value) for name, value in database.get("OPTIONS", {}).items() if name in _OPTIONS and value}
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", **told}


def _words(name: str, code: int, said: str) -> str:
    lines = [line for line in said.strip().splitlines() if line.strip()]
    if code < 0:
        return f"{name} was ended by signal {signal.Signals(-code).name}."
    if disk_is_full(said):
        return f"No space left on device: {lines[-1] if lines else name}"
    return " ".join(lines[-3:])[:400] or f"{name} ended with code {code}."
