"""How it is kept who feels an incident: by columns, because ten thousand entries need no names of their own for what they hold."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

SIDES = ("services", "consumers")


class FeltField(models.JSONField):
    """{"at", "services": [entry, ...], "consumers": [entry, ...]}, each entry a dict of the same names; or {} where nothing is known.

    In the database each side is {name: [value of each entry, ...]}.
    """

    def from_db_value(self, value: Any, expression: Any, connection: BaseDatabaseWrapper) -> Any:
        return by_entries(super().from_db_value(value, expression, connection))

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        return super().get_db_prep_value(by_columns(value) if isinstance(value, dict) else value, connection, prepared)


def by_entries(kept: Any) -> Any:
    """What the database keeps, as lists of entries."""
    return _each_side(kept, lambda side: [dict(zip(side, values, strict=True)) for values in zip(*side.values(), strict=True)])


def by_columns(felt: dict[str, Any]) -> dict[str, Any]:
    """Lists of entries, as the database keeps them."""
    return _each_side(felt, lambda side: {name: [one[name] for one in side] for name in (side[0] if side else ())})  # type: ignore[no-any-return]


def _each_side(whole: Any, change: Any) -> Any:
    return {name: change(value) if name in SIDES else value for name, value in whole.items()} if isinstance(whole, dict) else whole
