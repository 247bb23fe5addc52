from __future__ import annotations

import contextlib
import ensurepip
import functools
import hashlib
import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from itsm_backup.launcher import pip_wheel
from itsm_backup.launcher.trouble import Trouble

from .conftest import PATIENCE_S, REPOSITORY, Start, plain_environment

ENTRY = """
import sys
from itsm_backup.launcher import preparing, trouble
try:
    preparing.ensure()
except trouble.Trouble as error:
    sys.exit(str(error))
import PACKAGES
print("inside", sys.prefix)
"""


def locked(*names: str) -> str:
    """The lines of the real lock for these packages."""
    lock = (REPOSITORY / "requirements.txt").read_text()
    blocks = [re.search(rf"^{name}==.*?(?=^[a-z])", lock, re.MULTILINE | re.DOTALL | re.IGNORECASE) for name in names]
    assert all(blocks), f"the lock no longer names one of {names}"
    return "".join(block[0] for block in blocks if block)


class SmallClone:
    """A source tree whose lock names two small packages, so that an installation takes seconds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "itsm_backup").mkdir(parents=True)
        (folder / "itsm_backup/__init__.py").touch()
        shutil.copytree(REPOSITORY / "itsm_backup/launcher", folder / "itsm_backup/launcher", ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "requirements.txt").write_text(locked("sqlparse", "tzdata"))
        (folder / "requirements-dev.txt").write_text("")
        (folder / "enter.py").write_text(ENTRY.replace("PACKAGES", "sqlparse, tzdata"))
        self.count = 0

    def start(self, **more: str) -> Start:
        self.count += 1
        environment = plain_environment(**more)
        environment.pop("ITSM_BACKUP_VENV", None)
        return Start(
            [sys.executable, "enter.py"], folder=self.folder, output=self.folder / f"said-{self.count}", environment=environment, user=None
        )

    def run(self, **more: str) -> tuple[int, str]:
        start = self.start(**more)
        return start.process.wait(timeout=PATIENCE_S), start.said

    def marker(self) -> dict[str, str]:
        return json.loads((self.folder / ".venv/itsm-backup.json").read_text())


@pytest.fixture
def clone(tmp_path):
    return SmallClone(tmp_path / "clone")


def test_it_installs_once_and_is_silent_afterwards(clone):
    code, said = clone.run()
    assert code == 0, said
    assert "Making the Python environment" in said
    assert "Installing 2 packages" in said
    assert f"inside {clone.folder / '.venv'}" in said
    began = time.monotonic()
    code, said = clone.run()
    assert (code, said) == (0, f"inside {clone.folder / '.venv'}\n")
    assert time.monotonic() - began < 3


def test_it_installs_again_when_the_lock_changed(clone):
    assert clone.run()[0] == 0
    with (clone.folder / "requirements.txt").open("a") as lock:
        lock.write(locked("idna"))
    code, said = clone.run()
    assert code == 0, said
    assert "Installing 3 packages" in said
    assert "Making" not in said


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_begins_anew_after_an_interrupted_installation(clone, number):
    first = clone.start()
    first.wait_for("Installing 2 packages")
    first.process.send_signal(number)
    assert first.process.wait(timeout=PATIENCE_S) != 0
    assert clone.marker()["state"] == "installing"
    code, said = clone.run()
    assert code == 0, said
    assert "was interrupted" in said
    assert f"inside {clone.folder / '.venv'}" in said


def test_it_repairs_an_environment_whose_python_is_gone(clone):
    (clone.folder / ".venv/bin").mkdir(parents=True)
    (clone.folder / ".venv/bin/python").symlink_to("/nowhere/python3")
    code, said = clone.run()
    assert code == 0, said


def test_two_commands_at_once_share_one_installation(clone):
    both = [clone.start(), clone.start()]
    assert [start.process.wait(timeout=PATIENCE_S) for start in both] == [0, 0]
    assert sum("Installing 2 packages" in start.said for start in both) == 1


def test_it_says_what_to_do_when_the_index_cannot_be_reached(clone):
    code, said = clone.run(
        PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_CONFIG_FILE=os.devnull, PIP_FIND_LINKS="", PIP_RETRIES="0", PIP_NO_CACHE_DIR="1"
    )
    assert code == 1
    assert "The packages could not be installed" in said
    assert "PIP_INDEX_URL" in said
    assert "Traceback" not in said
    assert clone.run()[0] == 0  # and with the index back it goes on


def test_it_refuses_a_package_that_is_not_the_locked_one(clone):
    lock = clone.folder / "requirements.txt"
    lock.write_text(re.sub(r"sha256:[0-9a-f]{64}", "sha256:" + "0" * 64, lock.read_text()))
    code, said = clone.run()
    assert code == 1
    assert "HASH" in said.upper()


def test_it_prefers_uv_and_falls_back_to_pip(clone, tmp_path):
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "uv").write_text(f'#!/bin/sh\necho "$@" > {tools}/asked\nexit 2\n')
    (tools / "uv").chmod(0o755)
    code, said = clone.run(PATH=f"{tools}:{os.environ['PATH']}")
    assert code == 0, said
    assert "uv could not install them; trying pip" in said
    assert "--require-hashes" in (tools / "asked").read_text()


_WHEELS = (Path(ensurepip.__file__).parent / "_bundled", Path("/usr/share/python-wheels"))  # as python.org, or Debian, ships them


@contextlib.contextmanager
def index(folder: Path):
    """A package index on this machine that offers the pip that Python ships, once withdrawn and once in a version too new."""
    wheel = next(wheel for kept in _WHEELS for wheel in kept.glob("pip-*.whl"))
    (folder / "simple/pip").mkdir(parents=True)
    shutil.copy(wheel, folder / wheel.name)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (folder / "simple/pip/index.html").write_text(
        f'<a href="../../{wheel.name}#sha256={digest}" data-requires-python="&gt;=3.7">{wheel.name}</a>'
        '<a href="../../pip-98.0-py3-none-any.whl" data-yanked="">withdrawn</a>'
        '<a href="../../pip-99.0-py3-none-any.whl" data-requires-python="&gt;=3.99">too new</a>'
    )
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/simple"
    finally:
        server.shutdown()
        server.server_close()


def test_it_fetches_pip_from_the_configured_index_when_there_is_none(tmp_path, monkeypatch):
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    with index(tmp_path / "index") as address:
        monkeypatch.setenv("PIP_INDEX_URL", address)
        wheel = pip_wheel.fetch(environment)
    answer = subprocess.run([environment / "bin/python", wheel / "pip", "--version"], capture_output=True, text=True, check=True)
    assert answer.stdout.startswith("pip ")


def test_it_refuses_a_pip_that_the_index_did_not_announce(tmp_path, monkeypatch):
    with index(tmp_path / "index") as address:
        page = tmp_path / "index/simple/pip/index.html"
        page.write_text(re.sub("sha256=[0-9a-f]{64}", "sha256=" + "0" * 64, page.read_text()))
        monkeypatch.setenv("PIP_INDEX_URL", address)
        with pytest.raises(Trouble, match="not the one the index announced"):
            pip_wheel.fetch(tmp_path)
    assert not list(tmp_path.glob("*.whl"))


def test_it_says_what_to_install_when_pip_cannot_be_had(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://user:secret@127.0.0.1:9/simple")
    with pytest.raises(Trouble, match="apt-get install python3-pip") as trouble:
        pip_wheel.fetch(tmp_path)
    assert "secret" not in str(trouble.value)


def test_it_reads_pip_s_settings_for_uv(tmp_path, monkeypatch):
    file = tmp_path / "pip.conf"
    file.write_text(
        "[global]\nindex-url = https://mirror.example/simple\nextra-index-url =\n    https://one.example\n    https://two.example\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    known = pip_wheel.settings_for_uv()
    assert known["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    assert known["UV_INDEX"] == "https://one.example https://two.example"
