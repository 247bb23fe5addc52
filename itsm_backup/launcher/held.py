"""A program that is loaded while the database is brought up to date, and begins when that is done.

Run as `python -m itsm_backup.launcher.held MODULE [ARGUMENTS]`. Loading takes seconds of each start, and mostly there is a core free
for it while one process migrates or loads the demo. Nothing is asked of the database before the holder of the data folder has
published its services; a program that is started again later finds them published.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import time
from pathlib import Path

HELD_BY = "ITSM_BACKUP_HELD_BY"  # the lock file of the data folder; without it nothing is waited for
LOOK_EVERY_S = 0.05


def wait() -> None:
    """Return as soon as the database is up to date; at once where no launcher holds the program back."""
    lock = os.environ.get(HELD_BY)
    while lock and "services" not in _published(Path(lock)):
        time.sleep(LOOK_EVERY_S)


def _published(lock: Path) -> dict[str, object]:
    try:
        return dict(json.loads(lock.read_text()))
    except (OSError, ValueError):  # read while it was being written
        return {}


def main(arguments: list[str]) -> None:
    """Load the product, wait, and be the program from then on."""
    import django

    django.setup()
    wait()
    sys.argv = arguments
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
