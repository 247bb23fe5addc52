"""PDFs on a machine without Pango: its libraries are fetched by an ordinary user and loaded from the data folder, or the reason is told."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from itsm_backup.common import pdf
from itsm_backup.launcher import pango
from itsm_backup.portal.fonts import ensure_fonts

from .conftest import NOBODY, REPOSITORY, only_as_root, plain_environment

HIDDEN = ("libpango*", "libharfbuzz*", "libfontconfig*", "libfreetype*", "libfribidi*", "libthai*", "libgraphite2*", "libdatrie*")
FETCH_AND_WRITE = """
import datetime as dt, json, os, sys
from pathlib import Path
import django
django.setup()
from itsm_backup.common import pdf
from itsm_backup.launcher import pango
before = pdf.libraries_missing()
os.environ["PATH"] = sys.argv[2]
pango.ensure(Path(sys.argv[1]))
at = dt.datetime(2026, 7, 1, tzinfo=dt.UTC)
html = "<!doctype html><html lang='en'><title>A</title><h1>Affinity</h1>"
made = "" if pdf.why_off() else pdf.write(html, at=at)[:5].decode()
print("told", json.dumps([before, pdf.why_off(), made]))
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder of an ordinary user."""
    folder = Path(tempfile.mkdtemp(prefix="itsm-pango-", dir="/tmp"))
    shutil.copytree(ensure_fonts(settings.FONTS_DIR), folder / "fonts")
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    yield folder
    shutil.rmtree(folder)


def as_ordinary_user() -> list[str]:
    """A prefix that runs Python as nobody, with the packages of the tests; where nobody may run no Python like ours, it stays ours."""
    user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    for python in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        probe = [*user, "env", python, "-c", f"import sys; sys.exit(sys.version_info[:2] != {tuple(sys.version_info[:2])})"]
        if subprocess.run(probe, cwd="/", capture_output=True, check=False).returncode == 0:
            return [*user, "env", f"PYTHONPATH={sysconfig.get_path('purelib')}", python]
    return [sys.executable]


def without_pango(folder: Path, *, path: str = os.environ.get("PATH", os.defpath)) -> tuple[str, str, str]:
    """What an ordinary user sees who fetches and writes where the machine's own libraries cannot be opened."""
    only_as_root()
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("namespaces are forbidden here")
    libraries = sorted({path.resolve() for pattern in HIDDEN for path in Path("/usr/lib").glob(f"*-linux-gnu/{pattern}.so*")})
    hide = "".join(f"mount --bind /dev/null '{path}'; " for path in libraries)
    program = [*as_ordinary_user(), "-c", FETCH_AND_WRITE, str(folder), path]
    more = {"DJANGO_SETTINGS_MODULE": "itsm_backup.settings", "DATA_DIR": str(folder), "HOME": str(folder), "ITSM_BACKUP_OFFLINE": "1"}
    keys = {"SECRET_KEY": "s" * 50, "FIELD_KEYS": os.environ["FIELD_KEYS"]}
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", f'{hide}exec "$@"', "sh", *program],
        cwd=REPOSITORY,
        env=plain_environment(**more, **keys),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    before, why, made = json.loads(done.stdout.rsplit("told ", 1)[1])
    assert before == list(pdf.LIBRARIES)  # they were really hidden
    return why, made, done.stdout


@pytest.mark.skipif(not shutil.which("apt-get"), reason="this is not Debian")
def test_an_ordinary_user_gets_pdfs_on_a_machine_without_pango(folder):
    why, made, said = without_pango(folder)
    if "not fetched: apt-get" in said:
        pytest.skip(f"the package sources cannot be reached: {why}")
    assert (why, made) == ("", "%PDF-")
    assert (folder / "pango/lib/libpango-1.0.so.0").exists()
    assert "Fetching" not in without_pango(folder)[2]  # kept for the next start
    assert not list(folder.glob("pango-*"))


def test_a_machine_without_debians_tools_is_told_why_and_is_not_asked_again_at_once(folder):
    why, made, said = without_pango(folder, path="/nowhere")
    assert made == ""
    assert why == (
        "PDF is off: Pango, PangoFT2, HarfBuzz and Fontconfig cannot be found on this machine and could not be fetched: "
        "this machine has no apt-get, so packages of Debian cannot be fetched. "
        "Install libpango-1.0-0, libpangoft2-1.0-0 and libharfbuzz-subset0, then restart. HTML, CSV and JSON are made all the same."
    )
    assert "not fetched" in said and "Fetching" not in without_pango(folder, path="/nowhere")[2]


def test_a_fetch_that_fails_leaves_its_reason_and_no_half_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr(pdf, "libraries_missing", lambda: ["Pango"])
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("apt-get", "apt-cache", "dpkg-deb"):
        (tools / name).write_text("#!/bin/sh\necho 'E: Could not resolve deb.example.org' >&2\nexit 100\n")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    pango.ensure(tmp_path)
    assert (tmp_path / "pango/why-not").read_text() == "apt-cache failed: E: Could not resolve deb.example.org\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pango", "tools"]
    os.utime(tmp_path / "pango/why-not", (0, 0))  # a day later it is tried again
    for name in ("apt-cache", "apt-get"):
        (tools / name).write_text("#!/bin/sh\nexit 0\n")
    pango.ensure(tmp_path)
    assert (tmp_path / "pango/why-not").read_text() == "the packages of this machine's sources hold no libpango-1.0.so.0\n"


def test_of_alternatives_it_takes_the_first_and_of_packages_only_libraries(tmp_path, monkeypatch):
    told = {
        "libpango": "  Depends: libc6\n |Depends: fontconfig\n  Depends: libother\n  Depends: libglib:amd64\n  Recommends: libmore\n",
        "libglib": " |Depends: libffi8\n  Depends: libffi7\n  PreDepends: zlib1g\n  Depends: debconf\n  Depends: <libvirtual>\n",
    }

    class Answers(pango._Apt):
        def __init__(self) -> None:
            pass

        def run(self, program, *arguments, folder=None):
            return "".join(f"{name}\n{told.get(name, '')}" for name in arguments[1:])

    assert Answers().closure(("libpango",)) == ["libffi8", "libglib", "libpango", "zlib1g"]
