"""Pango, without which no PDF can be laid out, for a Debian machine that lacks it: fetched without any privilege.

DIR/pango/lib/     its libraries, from where `itsm_backup.common.pdf` loads what the machine itself does not have
DIR/pango/fonts/   the settings of its font finder
DIR/pango/why-not  when it could not be fetched: the reason, in a sentence
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from itsm_backup.common import pdf
from itsm_backup.launcher.trouble import say

WANTED = ("libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0")
LEFT_OUT = {"libc6", "libgcc-s1", "libcrypt1", "libstdc++6"}  # of every machine; another copy of them would be dangerous
LIBRARY = re.compile(r"lib|zlib|fontconfig-config$")  # what is worth fetching among what packages depend on
SONAME = re.compile(r".+\.so\.\d+")
ALL_WITHIN_S = 60.0
TRY_AGAIN_AFTER_S = 24 * 3600.0


class NotFetched(Exception):
    """Pango could not be fetched; the message says why."""


def ensure(data_folder: Path) -> None:
    """Pango in the data folder when the machine has none; otherwise the reason beside it. Never fails its caller."""
    folder = data_folder / "pango"
    if not pdf.libraries_missing() or (folder / "lib").is_dir() or _tried_lately(folder):
        return
    say("Fetching Pango, with which PDFs are laid out …")
    try:
        _fetch(folder)
    except (NotFetched, OSError) as error:
        folder.mkdir(exist_ok=True)
        (folder / "why-not").write_text(f"{error}\n")
        say(f"  not fetched: {error}\n  Reports are made as HTML and CSV. It is tried again at a start tomorrow or later.")


def _tried_lately(folder: Path) -> bool:
    try:
        return time.time() - (folder / "why-not").stat().st_mtime < TRY_AGAIN_AFTER_S
    except OSError:
        return False


def _fetch(folder: Path) -> None:
    lacking = [name for name in ("apt-get", "apt-cache", "dpkg-deb") if not shutil.which(name)]
    if lacking:
        raise NotFetched(f"this machine has no {lacking[0]}, so packages of Debian cannot be fetched")
    with tempfile.TemporaryDirectory(prefix="pango-", dir=folder.parent) as name:
        work = Path(name)
        apt = _Apt(work, end=time.monotonic() + ALL_WITHIN_S)
        packages = apt.offered(apt.closure(WANTED))  # of what is not offered the machine has its own
        apt.run("apt-get", "download", *packages, folder=work)
        for archive in sorted(work.glob("*.deb")):
            apt.run("dpkg-deb", "-x", str(archive), str(work / "tree"))
        shutil.rmtree(folder, ignore_errors=True)
        _gather(work / "tree", work / "made").replace(folder)


class _Apt:
    """Debian's tools on the machine's sources, with their own state where the machine's lists are empty, as in containers."""

    def __init__(self, work: Path, *, end: float) -> None:
        self.end = end
        self.options = [
            "-qq",
            "-o",
            "Debug::NoLocking=1",
            "-o",
            "Acquire::Retries=1",
            "-o",
            "Acquire::http::Timeout=15",
            "-o",
            "Acquire::https::Timeout=15",
        ]
        if os.geteuid() == 0:
            self.options += ["-o", "APT::Sandbox::User=root"]
        caches = ("pkgcache", "srcpkgcache")  # containers mostly have them switched off, and every question takes seconds
        self.options += [word for name in caches for word in ("-o", f"Dir::Cache::{name}={work / name}.bin")]
        self.run("apt-cache", "gencaches")
        if not self.offered([WANTED[0]]):
            for part in ("state/lists/partial", "cache/archives/partial"):
                (work / part).mkdir(parents=True)
            own = {"Dir::State": work / "state", "Dir::State::status": "/var/lib/dpkg/status", "Dir::Cache": work / "cache"}
            self.options += [word for name, path in own.items() for word in ("-o", f"{name}={path}")]
            self.run("apt-get", "update")
            self.run("apt-cache", "gencaches")

    def offered(self, packages: list[str]) -> list[str]:
        """Those of which the sources have the version that fits this machine."""
        found, package, candidate, is_candidate = [], "", "", False
        for line in self.run("apt-cache", "policy", *packages).splitlines():
            if not line.startswith(" "):
                package, is_candidate = line.rstrip(":"), False
            elif line.startswith("  Candidate: "):
                candidate = line.partition(": ")[2]
            elif line.startswith((" *** ", "     ")) and line[5] != " ":
                is_candidate = line[5:].split()[0] == candidate
            elif is_candidate and "/var/lib/dpkg/status" not in line and package not in found:
                found.append(package)
        return found

    def run(self, program: str, *arguments: str, folder: Path | None = None) -> str:
        """What the program printed. Raises NotFetched with its last words when it fails or takes too long."""
        options = self.options if program.startswith("apt") else []
        try:
            done = subprocess.run(
                [program, *options, *arguments],
                cwd=folder,
                env={**os.environ, "LC_ALL": "C"},
                capture_output=True,
                text=True,
                check=False,
                timeout=max(1.0, self.end - time.monotonic()),
            )
        except subprocess.TimeoutExpired:
            raise NotFetched(f"{program} took longer than {ALL_WITHIN_S:.0f} s") from None
        if done.returncode:
            words = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
            raise NotFetched(f"{program} failed: {words[-1][:300]}")
        return done.stdout

    def closure(self, packages: tuple[str, ...]) -> list[str]:
        """The packages and every library they depend on, of alternatives the first."""
        found: set[str] = set()
        new = set(packages)
        while new:
            found |= new
            new = self._needed_by(sorted(new)) - found - LEFT_OUT
        return sorted(found)

    def _needed_by(self, packages: list[str]) -> set[str]:
        told = self.run("apt-cache", "depends", *packages)
        needed, is_alternative = set(), False
        for line in told.splitlines():
            kind, _, name = line.strip().partition(": ")
            if kind.lstrip("|") in ("Depends", "PreDepends") and not is_alternative and LIBRARY.match(name):
                needed.add(name.partition(":")[0])
            is_alternative = kind.startswith("|")
        return needed


def _gather(tree: Path, made: Path) -> Path:
    """Only what is loaded: each library under the name that others ask for, and the font finder's settings."""
    (made / "lib").mkdir(parents=True)
    for path in sorted(tree.rglob("*.so.*")):
        if SONAME.fullmatch(path.name) and path.is_file():
            shutil.copyfile(path, made / "lib" / path.name)
    if not (made / "lib/libpango-1.0.so.0").exists():
        raise NotFetched("the packages of this machine's sources hold no libpango-1.0.so.0")
    if (tree / "etc/fonts").is_dir():
        shutil.copytree(tree / "etc/fonts", made / "fonts", symlinks=True)
    return made
