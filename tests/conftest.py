"""One embedded PostgreSQL and Valkey for the whole run; every worker has its own database."""

from __future__ import annotations

import datetime as dt
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def _services() -> None:
    if all(os.environ.get(name) for name in ("DATABASE_URL", "REDIS_URL")):
        return
    from itsm_backup.embedded import throwaway_services

    running = throwaway_services()
    os.environ.update(running.__enter__())
    import atexit

    atexit.register(running.__exit__, None, None, None)


_services()
for _name, _value in {
    "SECRET_KEY": "for tests only",
    "FIELD_KEYS": "cKqRPSAVKIPDzR3cZ2XlHpbNKAUV-NVVc7BPrC0XgMo=",
    "EMAIL_URL": "smtp://127.0.0.1:9",
    "LOG_LEVEL": "WARNING",
}.items():
    os.environ.setdefault(_name, _value)


@pytest.fixture(scope="session", autouse=True)
def _truncate_past_the_guards() -> None:
    """Transactional tests empty tables between them; as the database's owner they may pass by the append-only triggers."""
    from django.db.backends.postgresql.operations import DatabaseOperations

    plain = DatabaseOperations.execute_sql_flush

    def past_the_guards(self, sql_list):  # type: ignore[no-untyped-def]
        return plain(self, ["SET session_replication_role = replica", *sql_list, "SET session_replication_role = origin"])

    DatabaseOperations.execute_sql_flush = past_the_guards  # type: ignore[method-assign]


@pytest.fixture(autouse=True)
def _quiet_settings(settings, tmp_path) -> None:  # type: ignore[no-untyped-def]
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}


@pytest.fixture
def noon() -> dt.datetime:
    """A Tuesday without any clock change near it."""
    return dt.datetime(2026, 7, 14, 12, 0, tzinfo=dt.UTC)
