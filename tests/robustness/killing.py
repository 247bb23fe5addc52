"""Death at a named point: the process that runs this ends itself by SIGKILL there, as a power cut or the OOM killer would.

Nothing in the product knows of it: what is wrapped here is wrapped in the dying process alone.
"""

from __future__ import annotations

import datetime as dt
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import psycopg
from django.db import connection

from itsm_backup import journey
from itsm_backup.common import outbox
from monitoring import answers, intake, polling, quick_pings


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def after(module: Any, name: str, *, nth: int = 1) -> None:
    """Die when the function has done its work for the nth time, before its caller learns of it."""
    _wrap(module, name, nth, dies_before=False)


def before(module: Any, name: str, *, nth: int = 1) -> None:
    """Die when the function is called for the nth time."""
    _wrap(module, name, nth, dies_before=True)


def before_commit(*, within: str, nth: int = 1) -> None:
    """Die instead of the nth commit of this stage of the journey."""
    stage, commits = journey.STAGES[within], [0]

    def watched(*, at: dt.datetime) -> int:
        commit = connection._commit

        def counted() -> None:
            commits[0] += 1
            if commits[0] == nth:
                die()
            commit()

        connection._commit = counted
        try:
            return stage(at=at)
        finally:
            connection._commit = commit

    journey.STAGES[within] = watched


def _wrap(module: Any, name: str, nth: int, *, dies_before: bool) -> None:
    inner, calls = getattr(module, name), [0]

    def wrapped(*arguments: Any, **named: Any) -> Any:
        calls[0] += 1
        if dies_before and calls[0] == nth:
            die()
        result = inner(*arguments, **named)
        if calls[0] == nth:
            die()
        return result

    setattr(module, name, wrapped)


EVERYWHERE = {
    "after a claim": lambda nth: after(outbox, "_claim", nth=nth),
    "after the mail server's 250": lambda nth: after(outbox, "_deliver", nth=nth),
    "in the middle of a COPY": lambda nth: before(psycopg.Copy, "write_row", nth=nth),
    "after the answer was kept, before its runs": lambda nth: after(answers, "keep", nth=nth),
    "before the commit of an answer": lambda nth: after(intake, "_store", nth=nth),
    "before a ping is written": lambda nth: before(quick_pings, "_write", nth=nth),
    "after a ping was written": lambda nth: after(quick_pings, "_write", nth=nth),
    "after the commit of an answer": lambda nth: after(intake, "receive", nth=nth),
    "after a poll was claimed": lambda nth: after(polling, "claim_due", nth=nth),
    "after a tool answered": lambda nth: after(polling, "ask", nth=nth),
}


def at_point(name: str, nth: int) -> None:
    """Arrange death at this point in this process."""
    if name in EVERYWHERE:
        EVERYWHERE[name](nth)
    else:
        before_commit(within=name.removeprefix("before the commit of "), nth=nth)


def killed(point: tuple[str, int], act: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Do the act in this process, which dies at the point."""
    at_point(*point)
    return act(*arguments, **named)


def wait_until_alone() -> None:
    """Return once the server has noticed the death of every other process that worked on this database."""
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with connection.cursor() as cursor:
        for _ in range(200):
            cursor.execute(others + " AND backend_type = 'client backend'")
            if cursor.fetchone()[0] == 0:
                return
            time.sleep(0.05)
    raise AssertionError("Somebody still works on this database.")
