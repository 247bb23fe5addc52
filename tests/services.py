"""Loaded before Django: one embedded PostgreSQL and Valkey for the whole run; every worker has its own database."""

from __future__ import annotations

import atexit
import os

if not all(os.environ.get(name) for name in ("DATABASE_URL", "REDIS_URL")):
    from itsm_backup.embedded import throwaway_services

    _running = throwaway_services()
    for _name, _value in _running.__enter__().items():
        if not os.environ.get(_name):  # a server that was named is used: PostgreSQL 15 in .ci/run
            os.environ[_name] = _value
    atexit.register(_running.__exit__, None, None, None)

for _name, _value in {
    "SECRET_KEY": "for tests only",
    "FIELD_KEYS": "cKqRPSAVKIPDzR3cZ2XlHpbNKAUV-NVVc7BPrC0XgMo=",
    "EMAIL_URL": "smtp://127.0.0.1:9",
    "LOG_LEVEL": "WARNING",
}.items():
    os.environ.setdefault(_name, _value)
