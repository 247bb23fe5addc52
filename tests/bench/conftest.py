"""One benchmark runs at a time, also where several workers share the tests."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    with (Path(tempfile.gettempdir()) / f"itsm-backup-bench-tests-{run}").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
