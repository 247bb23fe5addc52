"""What every test has."""

from __future__ import annotations

import datetime as dt
import os
import shutil

import pytest


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test of a real tool is skipped where the tool is missing; in CI, which installs them all, it fails."""
    wanted = [name for mark in item.iter_markers("real_tool") for name in mark.args]
    missing = [name for name in wanted if shutil.which(name) is None]
    if missing:
        refuse = pytest.fail if os.environ.get("CI") else pytest.skip
        refuse(f"not installed: {', '.join(missing)}")


@pytest.fixture(scope="session", autouse=True)
def _truncate_past_the_guards() -> None:
    """Transactional tests empty tables between them; as the database's owner they may pass by the append-only triggers."""
    from django.db.backends.postgresql.operations import DatabaseOperations

    plain = DatabaseOperations.execute_sql_flush

    def past_the_guards(self, sql_list):  # type: ignore[no-untyped-def]
        # Django does not know the partitioned table of raw answers, so it would never be emptied
        emptied = [*sql_list, "TRUNCATE monitoring_rawanswer"]
        return plain(self, ["SET session_replication_role = replica", *emptied, "SET session_replication_role = origin"])

    DatabaseOperations.execute_sql_flush = past_the_guards  # type: ignore[method-assign]


@pytest.fixture(autouse=True)
def _quiet_settings(settings, tmp_path) -> None:  # type: ignore[no-untyped-def]
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}


@pytest.fixture
def noon() -> dt.datetime:
    """A Tuesday without any clock change near it."""
    return dt.datetime(2026, 7, 14, 12, 0, tzinfo=dt.UTC)
