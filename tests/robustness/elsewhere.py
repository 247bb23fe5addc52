"""The product's code in a process of its own, on a database of its own: what is killed is a real process."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import django
from django.apps import apps

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "itsm_backup.settings")
if not apps.ready:  # in the process that the others are forked from
    django.setup()
    import tests.robustness.facts
    import tests.robustness.killing
    import tests.robustness.world  # noqa: F401  loaded once instead of in every process

PATIENCE_S = 300 + int(os.environ.get("ITSM_CHAOS_RUNS", "600")) / 10


class Database(NamedTuple):
    """Where to work: the settings of Django's connection, and the port of the mail server."""

    settings: dict[str, Any]
    mail_port: int = 9


class Ended(NamedTuple):
    exit_code: int | None
    result: Any


def run(database: Database, act: Callable[..., Any], *arguments: Any, **named: Any) -> Ended:
    """Do the act in a process of its own and wait for its end; a negative exit code is the signal that killed it."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.robustness.elsewhere"])
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(theirs, database, act, arguments, named), daemon=True)
    process.start()
    theirs.close()
    try:
        result = ours.recv() if ours.poll(PATIENCE_S) else None
    except EOFError:  # it died before it could answer
        result = None
    process.join(PATIENCE_S)
    return Ended(process.exitcode, result)


def done(database: Database, act: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """The result of an act that nobody disturbs."""
    ended = run(database, act, *arguments, **named)
    assert ended.exit_code == 0, f"{act.__name__} ended with {ended.exit_code}"
    return ended.result


def _work(answer: Any, database: Database, act: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
    from django.conf import settings
    from django.db import connection

    connection.settings_dict.update(database.settings)
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", database.mail_port, 5
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    answer.send(act(*arguments, **named))


@contextmanager
def copy_of(template: str, name: str, blocker: Any) -> Iterator[Database]:
    """A copy of a database that nobody is connected to, dropped at the end."""
    from django.db import connection

    def say(statement: str) -> None:
        with blocker.unblock(), connection._nodb_cursor() as cursor:
            cursor.execute(statement)

    with blocker.unblock():
        connection.close()
    say(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    # earlier tests with a live server may have left a connection of a thread that is gone
    say(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{template}'")
    say(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield Database({"NAME": name})
    finally:
        say(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
