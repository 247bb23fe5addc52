"""Processor time of this process, of the programs it ran, and of PostgreSQL where it runs on this machine."""

from __future__ import annotations

import os
import resource
from pathlib import Path

from django.db import connection

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def used_s() -> float:
    """Seconds so far. PostgreSQL counts as a whole: its main process, what that waited for, and every backend."""
    own = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in own) + _postgresql_s()


def is_whole() -> bool:
    """Whether PostgreSQL's share can be read here."""
    return _postmaster() is not None


def _postgresql_s() -> float:
    main = _postmaster()
    if main is None:
        return 0.0
    total = sum(_stat(main)[11:15])  # its own time and that of backends that have ended
    for pid in Path(f"/proc/{main}/task/{main}/children").read_text().split():
        try:
            total += sum(_stat(int(pid))[11:13])
        except OSError:  # it has just ended, and is counted with the main process
            continue
    return total / _TICKS_PER_S


def _postmaster() -> int | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        backend = cursor.fetchone()[0]
    try:
        name = Path(f"/proc/{backend}/comm").read_text().strip()
        return _stat(backend)[1] if name.startswith("postgres") else None
    except OSError:
        return None


def _stat(pid: int) -> list[int]:
    """The numbers of /proc/PID/stat behind the name and the state."""
    return [0, *map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1:])]
