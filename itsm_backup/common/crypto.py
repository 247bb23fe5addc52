"""Secrets at rest: encrypted with the first key of FIELD_KEYS, readable with any of them (so keys can be rotated)."""

from __future__ import annotations

import json
from typing import Any

import pgtrigger
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, models, transaction


class SecretUnreadable(Exception):
    """The stored secret was encrypted with a key that FIELD_KEYS no longer holds."""


def _cipher() -> MultiFernet:
    try:
        return MultiFernet([Fernet(key) for key in settings.FIELD_KEYS])
    except ValueError:
        raise ImproperlyConfigured("FIELD_KEYS must hold url-safe base64 keys of 32 bytes, separated by commas.") from None


def encrypt(values: dict[str, str]) -> bytes:
    return _cipher().encrypt(json.dumps(values, sort_keys=True).encode())


def decrypt(token: bytes) -> dict[str, str]:
    try:
        return json.loads(_cipher().decrypt(bytes(token)))
    except InvalidToken:
        raise SecretUnreadable("The stored secret cannot be read with the present FIELD_KEYS. Enter it again.") from None


def reencrypt() -> int:
    """Encrypt every stored secret with the first key of FIELD_KEYS, those of earlier versions too; returns how many were.

    What is said stays the same, so no history entry tells of it. Raises SecretUnreadable, and nothing is changed, when a key is missing.
    """
    fields = [(model, field) for model in apps.get_models() for field in model._meta.local_fields if isinstance(field, SecretsField)]
    guards = [trigger.get_uri(model) for model, trigger in pgtrigger.registered() if any(model is held for held, _ in fields)]
    done = 0
    with transaction.atomic(), pgtrigger.ignore(*guards), connection.cursor() as cursor:
        for model, field in fields:
            table, key, column = (connection.ops.quote_name(str(name)) for name in (model._meta.db_table, _key(model), field.column))
            cursor.execute(f"SELECT {key}, {column} FROM {table} WHERE length({column}) > 0 FOR UPDATE")  # noqa: S608 - our own names
            for pk, token in cursor.fetchall():
                cursor.execute(f"UPDATE {table} SET {column} = %s WHERE {key} = %s", [encrypt(decrypt(token)), pk])  # noqa: S608
                done += 1
    return done


def _key(model: Any) -> str:
    return str(model._meta.pk.column)


class SecretsField(models.BinaryField):
    """A dict of secret texts, encrypted in the database; forms only ever write it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("default", dict)
        super().__init__(*args, **kwargs)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> dict[str, str]:
        return decrypt(value) if value else {}

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if isinstance(value, dict):
            value = encrypt(value) if value else b""
        return super().get_db_prep_value(value, connection, prepared)

    def value_to_string(self, obj: Any) -> str:
        return "" if not self.value_from_object(obj) else "(secret)"
