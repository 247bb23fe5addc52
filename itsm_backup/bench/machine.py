"""The machine a figure belongs to."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from django.db import connection

SETTINGS = (
    "shared_buffers", "work_mem", "maintenance_work_mem", "max_wal_size", "wal_compression", "fsync", "synchronous_commit", "jit",
    "random_page_cost",
)  # fmt: skip


def machine() -> dict[str, Any]:
    """Processor, memory, Python, and PostgreSQL with what was set in it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version')")
        version = cursor.fetchone()[0]
        cursor.execute("SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY(%s) ORDER BY name", [list(SETTINGS)])
        settings = dict(cursor.fetchall())
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load_1_min": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "postgresql": version,
        "settings": settings,
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
