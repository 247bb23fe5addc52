"""Secrets at rest: encrypted with the first key of FIELD_KEYS, readable with any of them (so keys can be rotated)."""

from __future__ import annotations

import json
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models


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
