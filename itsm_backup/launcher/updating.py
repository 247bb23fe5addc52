"""What every start does in the database, in one process: migrations, then roles and demo logins.

Run as `python -m itsm_backup.launcher.updating [--empty]`; what follows FIRST_START_LINE on its output is for the person.
"""

from __future__ import annotations

import os
import sys

FIRST_START_LINE = "== first start =="


def update(*, is_empty: bool) -> None:
    """Migrate, and prepare roles and (unless empty) the demo. Both do nothing when there is nothing to do."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "itsm_backup.settings")
    django.setup()
    from django.core.management import call_command, get_commands

    call_command("migrate", interactive=False)
    print(FIRST_START_LINE, flush=True)
    if "first_start" in get_commands():
        call_command("first_start", *(["--empty"] if is_empty else []))


if __name__ == "__main__":
    update(is_empty="--empty" in sys.argv[1:])
