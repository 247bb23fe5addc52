"""Real starts of the real product, each in a copy of the source tree and with a data folder of its own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from itsm_backup.launcher.children import RUN_MARK, started

REPOSITORY = Path(__file__).resolve().parents[2]
OF_THIS_RUN = (
    "DATABASE_URL",
    "REDIS_URL",
    "DATA_DIR",
    "SECRET_KEY",
    "FIELD_KEYS",
    "DJANGO_SETTINGS_MODULE",
    "ALLOWED_HOSTS",
    "BASE_URL",
    RUN_MARK,
)
NOBODY = 65534
PATIENCE_S = 180.0  # a crowded machine is no failure; what is promised is asserted where it is promised


def plain_environment(**more: str) -> dict[str, str]:
    """The environment of a person at a terminal: nothing of this test run in it."""
    kept = {name: value for name, value in os.environ.items() if name not in OF_THIS_RUN and not name.startswith(("PYTEST_", "COV_"))}
    return {**kept, **more}


class Start:
    """One `manage.py …` under way, and what it has printed so far."""

    def __init__(self, command: list[str], *, folder: Path, output: Path, environment: dict[str, str], user: int | None) -> None:
        self.output = output
        who = {"user": user, "group": user, "extra_groups": []} if user is not None else {}
        with output.open("w") as file:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                # a test run in the background ignores Ctrl-C and hands that on; a person's terminal does not
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
                **who,
            )

    @property
    def said(self) -> str:
        return self.output.read_text()

    def wait_for(self, text: str, *, timeout_s: float = PATIENCE_S) -> str:
        """The output once the text is in it."""
        end = time.monotonic() + timeout_s
        while text not in self.said:
            assert time.monotonic() < end, f"never said {text!r}:\n{self.said}"
            assert self.process.poll() is None or text in self.said, f"ended without {text!r}:\n{self.said}"
            time.sleep(0.05)
        return self.said

    def address(self) -> str:
        """Where the product answers, once it is ready."""
        self.wait_for("\nready ")
        found = re.search(r"^ready (http://\S+/)$", self.said, re.MULTILINE)
        assert found, self.said
        return found[1]

    def stop(self, number: int = signal.SIGTERM, *, timeout_s: float = 30) -> float:
        """Seconds until it ended."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(timeout=timeout_s)
        return time.monotonic() - began


class Product:
    """A copy of the source tree that is started and stopped like a person would."""

    def __init__(self, clone: Path, *, python: str = sys.executable, user: int | None = None, **environment: str) -> None:
        self.clone, self.python, self.user = clone, python, user
        self.prefix: list[str] = []
        self.environment = plain_environment(**environment)
        self.starts: list[Start] = []

    def start(self, *arguments: str, **environment: str) -> Start:
        """`python3 manage.py …`, in the background."""
        output = self.clone.parent / f"output-{len(self.starts)}.txt"
        start = Start(
            [*self.prefix, self.python, "manage.py", *arguments],
            folder=self.clone, output=output, environment={**self.environment, **environment}, user=self.user,
        )  # fmt: skip
        self.starts.append(start)
        return start

    def up(self, *arguments: str, **environment: str) -> Start:
        """`manage.py up` on a free port, ready."""
        start = self.start("up", "--port", "0", *arguments, **environment)
        start.address()
        return start

    def run(self, *arguments: str, timeout_s: float = PATIENCE_S, **environment: str) -> str:
        """What a command printed, once it ended without an error."""
        start = self.start(*arguments, **environment)
        assert start.process.wait(timeout=timeout_s) == 0, start.said
        return start.said

    def fails(self, *arguments: str, timeout_s: float = PATIENCE_S, **environment: str) -> str:
        """What a command printed that ended with an error a person can read."""
        start = self.start(*arguments, **environment)
        assert start.process.wait(timeout=timeout_s) == 1, start.said
        assert "Traceback" not in start.said
        return start.said

    def children(self, data: Path | None = None) -> dict[str, int]:
        """Name and process id of everything on record."""
        record = json.loads(((data or self.clone / "var") / "children.json").read_text())
        return {row["name"]: row["pid"] for row in record["children"]}

    def end(self) -> None:
        """Leave nothing behind, whatever the test did."""
        for start in self.starts:
            if start.process.poll() is None:
                start.process.terminate()
        for start in self.starts:
            try:
                start.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                start.process.kill()


@pytest.fixture
def copy_of_source(tmp_path: Path) -> Callable[[Path], Path]:
    """Copies the source tree (without environment, data and caches) to a folder."""

    def copy(target: Path) -> Path:
        ignored = shutil.ignore_patterns(
            ".venv", ".git", "var", "__pycache__", ".*_cache", ".hypothesis", "tests", "test-results", "staticfiles"
        )
        shutil.copytree(REPOSITORY, target, ignore=ignored, symlinks=True)
        return target

    return copy


@pytest.fixture
def product(tmp_path: Path, copy_of_source: Callable[[Path], Path]) -> Iterator[Product]:
    """The product in a 0700 folder, using the environment that runs the tests."""
    tmp_path.chmod(0o700)
    product = Product(copy_of_source(tmp_path / "clone"), ITSM_BACKUP_VENV=sys.prefix)
    yield product
    product.end()
    _remove_services(tmp_path)


def _remove_services(folder: Path) -> None:
    for link in folder.glob("**/services"):
        if link.is_symlink():
            shutil.rmtree(link.resolve(), ignore_errors=True)


def alive(pid: int) -> bool:
    """Whether the process runs (a zombie does not)."""
    return started(pid) is not None


def get(address: str) -> int:
    """The status code of a page."""
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address, timeout=10) as answer:
        return int(answer.status)


def only_as_root() -> None:
    """Skip on a person's machine; on a CI machine the test must run."""
    if os.geteuid() != 0:
        if os.environ.get("CI") == "true":
            pytest.fail("this test needs root, and CI must run it")
        pytest.skip("needs root: it runs the product as another user or mounts a small disk")


@contextlib.contextmanager
def small_disk(size: str) -> Iterator[Path]:
    """A file system of its own with little room; skips where mounting is forbidden, as in most containers."""
    only_as_root()
    disk = Path(tempfile.mkdtemp(prefix="itsm-disk-", dir="/tmp"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "tmpfs", disk], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        disk.rmdir()
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)
        disk.rmdir()
