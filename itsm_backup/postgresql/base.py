"""PostgreSQL as Django speaks it; only instants are read in another way, which takes a fraction of the time.

Django's reader of `timestamptz` matches a pattern in Python and makes four objects for each value: of a thousand rows with one instant
each, that was most of the time between the question and its answer. All else is Django's.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db.backends.postgresql import base
from django.db.backends.postgresql.psycopg_any import BaseTzLoader


class InstantLoader(BaseTzLoader):
    """An instant in UTC, as sessions of the product get it; what the standard library cannot read is left to Django's own reader."""

    timezone = dt.UTC

    def load(self, data: Any) -> dt.datetime:
        try:
            found = dt.datetime.fromisoformat(str(data, "ascii"))
        except ValueError:
            return super().load(data)
        return found if found.tzinfo is dt.UTC else found.astimezone(dt.UTC)


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: Any) -> Any:
        """A connection that reads instants so, unless the database is set to another zone than UTC."""
        connection = super().get_new_connection(conn_params)
        if self.timezone == dt.UTC:
            connection.adapters.register_loader("timestamptz", InstantLoader)
        return connection
