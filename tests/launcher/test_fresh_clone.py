"""An ordinary user with nothing but python3 and git: clone, start, stop, start again. The packages are really installed."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import NOBODY, REPOSITORY, Product, get, only_as_root


@pytest.fixture
def home() -> Iterator[Path]:
    only_as_root()
    home = Path(tempfile.mkdtemp(prefix="itsm-home-", dir="/tmp"))  # pytest's own folders cannot be entered by others
    os.chown(home, NOBODY, NOBODY)
    home.chmod(0o700)
    yield home
    shutil.rmtree(home)


def python_of_everybody() -> str:
    """A Python that an ordinary user can run (the one of the tests may lie in root's home)."""
    for candidate in (sys._base_executable, "/usr/bin/python3", "/usr/local/bin/python3"):  # type: ignore[attr-defined]
        probe = [candidate, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
        try:
            if subprocess.run(probe, user=NOBODY, group=NOBODY, extra_groups=[], cwd="/", capture_output=True, check=False).returncode == 0:
                return str(candidate)
        except OSError:
            continue
    pytest.fail("this machine has no Python 3.11 that an ordinary user can run (Debian: apt-get install python3)")


def cloned(target: Path) -> Path:
    if (REPOSITORY / ".git").exists():
        subprocess.run(["git", "-c", "safe.directory=*", "clone", "-q", REPOSITORY, target], check=True)
    else:
        shutil.copytree(REPOSITORY, target, ignore=shutil.ignore_patterns(".venv", "var", "__pycache__", ".*_cache"))
    for path in (target, *target.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    return target


def without_pip(python: str) -> list[str]:
    """A prefix for commands that hides pip and ensurepip, as on a bare machine; empty where namespaces are forbidden."""
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        return []
    asked = (
        "import importlib.util as u; print(*(u.find_spec(n).submodule_search_locations[0] for n in ('pip', 'ensurepip') if u.find_spec(n)))"
    )
    found = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True).stdout.split()
    hidden = [folder for folder in (*found, "/usr/share/python-wheels") if Path(folder).is_dir()]
    script = "".join(f"mount -t tmpfs none '{folder}'; " for folder in hidden)
    drop = f"setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups"
    return ["unshare", "-m", "sh", "-ec", f'{script}exec {drop} "$@"', "sh"]


def owner_of(pid: int) -> int:
    return os.stat(f"/proc/{pid}").st_uid


def test_an_ordinary_user_in_a_private_home_clones_starts_and_starts_again(home):
    product = Product(cloned(home / "clone"), python=python_of_everybody(), user=NOBODY, HOME=str(home))
    product.environment.pop("ITSM_BACKUP_VENV", None)
    product.environment["PATH"] = os.defpath
    try:
        bare = without_pip(product.python)
        product.user, product.prefix = (None, bare) if bare else (NOBODY, [])
        said = product.run("version", timeout_s=300)
        assert "Installing" in said
        assert not bare or "This Python has no pip: fetching it" in said
        product.user, product.prefix = NOBODY, []
        assert "packages into" in said
        assert said.splitlines()[-1].startswith("5.2")
        assert not (product.clone / "var").exists()
        first = product.up("--empty")
        assert "Installing" not in first.said
        assert get(first.address() + "healthz") == 200
        assert {owner_of(pid) for pid in product.children().values()} == {NOBODY}
        assert (product.clone / "var/services").resolve() == product.clone / "var/services"
        first.stop()
        again = product.up("--empty")
        assert get(again.address() + "healthz") == 200
        again.stop()
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
    finally:
        product.end()
