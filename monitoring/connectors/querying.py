"""Read another product's PostgreSQL for a connector: only at allowed addresses, read-only, bounded, and told as steps of an answer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import errors

from itsm_backup.common.http.addresses import Allowed, Unreachable
from monitoring.connectors.base import Query, SettingField, Step
from monitoring.connectors.redaction import redact

CONNECT_TIMEOUT_S, STATEMENT_TIMEOUT_S = 10, 60
CAP_BYTES = 32 * 1024 * 1024
TLS = ("disable", "prefer", "require", "verify-full")
SETTINGS: tuple[SettingField, ...] = (
    SettingField(name="host", label="Database server", help="Name or address, as TOOL_ADDRESSES allows it.", required=True),
    SettingField(name="port", label="Port", help="Of the database server.", default="5432"),
    SettingField(name="database", label="Database", help="The name of the catalogue.", default="bacula"),
    SettingField(name="user", label="User", help="Needs to read and nothing else.", default="bacula"),
    SettingField(name="password", label="Password", help="Of this user of the database.", secret=True),
    SettingField(name="tls", label="TLS", help="disable, prefer, require, or verify-full with the public authorities.", default="prefer"),
)


@contextmanager
def querying(*, allowed: Allowed, settings: Mapping[str, str], secrets: Mapping[str, str]) -> Iterator[Query]:
    """A `Query` for one poll. It connects when it is first asked; what hinders it stands in the step."""
    connection: psycopg.Connection[Any] | None = None

    def query(name: str, statement: str, given: Mapping[str, Any]) -> Step:
        nonlocal connection
        step = Step(name=name, command=" ".join(statement.split()), started_at=dt.datetime.now(dt.UTC))
        try:
            connection = connection or _connect(allowed, settings, secrets)
            step.stdout, step.truncated = _rows(connection, statement, given)
            step.exit_code = 0
        except (Unreachable, ValueError) as error:
            step.stderr = str(error)
        except psycopg.Error as error:
            step.stderr = redact(_sentence(error, settings), list(secrets.values()))
        step.finished_at = dt.datetime.now(dt.UTC)
        return step

    try:
        yield query
    finally:
        if connection is not None:
            connection.close()


def _connect(allowed: Allowed, settings: Mapping[str, str], secrets: Mapping[str, str]) -> psycopg.Connection[Any]:
    host, port, tls = settings.get("host", "").strip(), settings.get("port") or "5432", settings.get("tls") or "prefer"
    if not host or "/" in host or "," in host:
        raise ValueError("Write the name or address of the database server in the settings of this tool, e.g. 192.0.2.7.")
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError("Write the port of the database server in the settings of this tool, e.g. 5432.")
    if tls not in TLS:
        raise ValueError(f"TLS in the settings of this tool must be one of {', '.join(TLS)}.")
    address = allowed.addresses(host, int(port))[0]
    more: dict[str, Any] = {"sslrootcert": "system"} if tls == "verify-full" else {}
    return psycopg.connect(
        host=host,
        hostaddr=address,  # the very address that was checked
        port=int(port),
        dbname=settings.get("database") or "bacula",
        user=settings.get("user") or "bacula",
        password=secrets.get("password") or None,
        passfile="/nowhere",
        sslmode=tls,
        **more,
        connect_timeout=CONNECT_TIMEOUT_S,
        options=f"-c default_transaction_read_only=on -c statement_timeout={STATEMENT_TIMEOUT_S}s -c lock_timeout=5s -c TimeZone=UTC",
        application_name="itsm-backup",
    )


def _rows(connection: psycopg.Connection[Any], statement: str, given: Mapping[str, Any]) -> tuple[str, bool]:
    """The rows as JSON, one a line, and whether some had to be left out. A catalogue may hold bytes that are no text in any encoding."""
    wrapped = f"SELECT convert_to(row_to_json(t)::text, getdatabaseencoding()) FROM ({statement}) AS t"  # noqa: S608 - our own statements
    size, lines = 0, list[str]()
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(wrapped.encode(), given)
        for (row,) in cursor:
            size += len(row)
            if size > CAP_BYTES:
                return "\n".join(lines), True
            lines.append(bytes(row).decode("utf-8", errors="replace"))
    return "\n".join(lines), False


def _sentence(error: psycopg.Error, settings: Mapping[str, str]) -> str:
    host, database, user = settings.get("host"), settings.get("database") or "bacula", settings.get("user") or "bacula"
    said = " ".join(str(error).split())[:300]
    if isinstance(error, errors.UndefinedTable | errors.UndefinedColumn):
        return f"The database {database} is no catalogue that can be read here. Check its name. It said: {said}"
    if isinstance(error, errors.InsufficientPrivilege):
        return f"The user {user} may not read the catalogue: grant it SELECT as the connector's page shows. It said: {said}"
    if isinstance(error, errors.QueryCanceled):
        return f"The database on {host} did not answer within {STATEMENT_TIMEOUT_S} s."
    if not isinstance(error, psycopg.OperationalError):
        return f"The database {database} on {host} refuses the question. It said: {said}"
    return f"The database {database} on {host} cannot be reached, or does not let {user} in. It said: {said}"
