"""Throw-away databases beside the product's own: made from one migrated template, dropped whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg
from django.db import connection
from psycopg import sql

SUFFIX = "_bench"
LOCK = 7_315_020


class Occupied(Exception):
    """Another benchmark runs against the same database server for the same product; two at once would measure each other."""


class NotAllowed(Exception):
    """The database user may not create databases."""


def named(url: str, name: str) -> str:
    """The same server and user, another database."""
    return urlsplit(url)._replace(path=f"/{name}").geturl()


def name_in(url: str) -> str:
    return unquote(urlsplit(url).path.lstrip("/"))


@contextmanager
def throwaway(url: str) -> Iterator[str]:
    """An empty database; yields its URL. It and every clone of it are dropped at the end, and so is what a killed run left.

    Raises Occupied while another benchmark runs, NotAllowed when the user may not create databases.
    """
    base = name_in(url)[:40] + SUFFIX
    with psycopg.connect(url, autocommit=True) as control:
        if not control.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone()[0]:  # type: ignore[index]
            raise Occupied("Another benchmark is running. Wait for its end: two at once would measure each other.")
        _drop_all(control, base)
        try:
            control.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(sql.Identifier(base)))
        except psycopg.errors.InsufficientPrivilege:
            raise NotAllowed(
                "The database user may not create databases, so nothing can be measured. Allow it: ALTER ROLE … CREATEDB"
            ) from None
        try:
            yield named(url, base)
        finally:
            _drop_all(control, base)


def _drop_all(control: psycopg.Connection[Any], base: str) -> None:
    found = control.execute("SELECT datname FROM pg_database WHERE datname = %s OR starts_with(datname, %s)", [base, f"{base}_"]).fetchall()
    for (name,) in found:
        control.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def clone(url: str, label: str) -> str:
    """A copy of the throw-away database under a name of its own; returns its URL."""
    base = name_in(url)
    name = f"{base}_{label}"
    connection.close()  # a template that somebody is connected to cannot be copied
    with psycopg.connect(named(url, "postgres"), autocommit=True) as control:
        control.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        control.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(base)))
    return named(url, name)


def drop(url: str) -> None:
    connection.close()
    with psycopg.connect(named(url, "postgres"), autocommit=True) as control:
        control.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name_in(url))))


def use(url: str) -> None:
    """From here on Django's connection of this process leads to that database."""
    if connection.settings_dict["NAME"] != name_in(url):
        connection.close()
        connection.settings_dict["NAME"] = name_in(url)
