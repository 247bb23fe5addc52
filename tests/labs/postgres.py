"""PostgreSQL for the labs. It refuses to run for root, so it runs as its own account then."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

BINARIES = max(Path("/usr/lib/postgresql").glob("*/bin/initdb"), default=Path("/nowhere/initdb")).parent


def as_postgres(*argv: str) -> list[str]:
    """The call, made by the account of PostgreSQL where this is root."""
    return ["runuser", "-u", "postgres", "--", *argv] if os.geteuid() == 0 else list(argv)


def account() -> str:
    """Under which account PostgreSQL runs."""
    return "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name


def give(path: Path) -> None:
    """Let that account have a file, or a folder and all in it."""
    if os.geteuid() != 0:
        return
    owner = pwd.getpwnam(account())
    for each in (path, *path.rglob("*")):
        os.chown(each, owner.pw_uid, owner.pw_gid, follow_symlinks=False)
