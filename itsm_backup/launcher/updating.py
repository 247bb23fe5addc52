"""What every start does in the database, in one process: migrations, then roles and demo logins.

Run as `python -m itsm_backup.launcher.updating [--empty]`; what follows FIRST_START_LINE or TROUBLE_LINE on its output, or
PROGRESS on a line of it, is for the person.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

FIRST_START_LINE = "== first start =="
TROUBLE_LINE = "== trouble =="
LOCK = 7_315_005  # several nodes may start at once on one database
PROGRESS = "== progress == "
LAST_OF_THE_MANY_STEPS = "e6876b0"  # the commit whose migrations the first one of every app replaces


def update(*, is_empty: bool) -> None:
    """Migrate, and prepare roles and (unless empty) the demo. Both do nothing when there is nothing to do."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "itsm_backup.settings")
    django.setup()
    from django.core.management import call_command, get_commands

    with _alone():
        refuse_half_made()
        call_command("migrate", interactive=False)
        print(FIRST_START_LINE, flush=True)
        if "first_start" in get_commands():
            call_command("first_start", *(["--empty"] if is_empty else []))


def refuse_half_made() -> None:
    """Nothing when the database is empty or at least as new as the steps that became one; otherwise HalfMade, and nothing was changed."""
    from django.db import connection
    from django.db.migrations.loader import MigrationLoader
    from django.db.migrations.recorder import MigrationRecorder

    done = set(MigrationRecorder(connection).applied_migrations())
    for (app, name), step in MigrationLoader(None).disk_migrations.items():
        left = [old for old in step.replaces if old not in done]
        if (app, name) not in done and left and len(left) < len(step.replaces):
            raise HalfMade(
                f"The database was made by a version older than {LAST_OF_THE_MANY_STEPS} and never updated to it: {app} lacks "
                f"{len(left)} of the {len(step.replaces)} steps that are one now. Nothing was changed. Start that version once "
                f"(git checkout {LAST_OF_THE_MANY_STEPS}), then this one; or begin anew with --data and an empty folder."
            )


class HalfMade(Exception):
    """The database lies between two versions that no step leads out of; says the way out."""


@contextmanager
def _alone() -> Iterator[None]:
    """One node at a time: a second one waits for the first and then finds everything done."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
    try:
        yield
    finally:
        if connection.connection is not None and not connection.needs_rollback:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


def main(arguments: list[str]) -> int:
    """Update; a wrong setting or a database that cannot be reached is told in a sentence. Returns the exit code."""
    from django.core.exceptions import ImproperlyConfigured
    from django.db import OperationalError

    try:
        update(is_empty="--empty" in arguments)
    except (ImproperlyConfigured, HalfMade) as error:
        print(f"{TROUBLE_LINE}\n{error}")
        return 1
    except OperationalError as error:
        if "connection" not in str(error):
            raise
        print(f"{TROUBLE_LINE}\nThe database that DATABASE_URL names cannot be reached: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
