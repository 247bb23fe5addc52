"""The data folder: one owner at a time, secrets made once, and the part that PostgreSQL and Valkey write.

DIR/lock            held by the `up` or the command that runs the services; tells others who that is
DIR/secrets.env     SECRET_KEY and FIELD_KEYS, made once, mode 0600
DIR/organisation    with the demo estate: whose name pages and mails carry where ORGANISATION says none
DIR/children.json   what is running, for the start after a killed supervisor
DIR/logs/           one log for each program
DIR/services/       PostgreSQL, Valkey and their sockets; for root mostly a link into /var/lib/itsm-backup/data
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import Any

from itsm_backup.launcher.accounts import Account, system_folder
from itsm_backup.launcher.trouble import Trouble

SOCKET_PATH_LIMIT = 100  # the kernel allows 107 bytes; PostgreSQL and Valkey each add their own name
LONGEST_SOCKET_NAME = len("/.s.PGSQL.5432")
FIRST_START_BYTES = 250 * 1024**2
LATER_START_BYTES = 50 * 1024**2
ORGANISATION_FILE = "organisation"
DEMO_ORGANISATION = "Northmoor Hospitals"  # as itsm_backup/demo/estate.yaml says; a test compares


class DataFolder:
    """A data folder that exists and is ours. Opening it changes nothing of what others put beside it."""

    def __init__(self, path: Path, *, account: Account | None, is_default: bool) -> None:
        self.path = path.expanduser().absolute()
        self.account = account
        self.is_default = is_default
        self._lock_file: int | None = None
        self._make()

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def _make(self) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise Trouble(f"{self.path} is a file, not a folder. Nothing was changed.\nName a folder for the data: --data DIR")
        self.path.mkdir(parents=True, exist_ok=True)
        if not self.is_default and not (self / "lock").exists() and any(self.path.iterdir()):
            raise Trouble(
                f"{self.path} is not empty and is no data folder of itsm-backup. Nothing was changed.\n"
                "Name an empty or a new folder, or the folder of an earlier start: --data DIR"
            )
        (self / "lock").touch(mode=0o644)
        (self / "logs").mkdir(mode=0o700, exist_ok=True)

    # One owner at a time

    def take(self, command: str) -> bool:
        """Whether the folder is now ours until the process ends; False when somebody else holds it."""
        handle = os.open(self / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self._lock_file = handle
        self.publish(command=command)
        return True

    def publish(self, **facts: Any) -> None:
        """Tell others who holds the folder, and what they may use while it is held."""
        if self._lock_file is None:
            raise RuntimeError("publish() before take()")
        line = json.dumps({"pid": os.getpid(), **facts}).encode()
        os.ftruncate(self._lock_file, 0)
        os.pwrite(self._lock_file, line, 0)

    def holder(self) -> dict[str, Any]:
        """What the present holder published; without meaning while nobody holds the folder."""
        try:
            return dict(json.loads((self / "lock").read_text()))
        except (OSError, ValueError):  # read while it was being written
            return {}

    def leave(self) -> None:
        """Let the next one take the folder."""
        if self._lock_file is not None:
            os.ftruncate(self._lock_file, 0)
            os.close(self._lock_file)
            self._lock_file = None

    # Secrets

    def secrets(self) -> dict[str, str]:
        """SECRET_KEY and FIELD_KEYS of this folder, made at its first use."""
        path = self / "secrets.env"
        if not path.exists():
            draft = self / "secrets.env.new"
            draft.unlink(missing_ok=True)
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.writelines(f"{name}={value}\n" for name, value in new_secrets().items())
            draft.rename(path)
        return dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)

    # Whose pages these are

    def begin_demo(self) -> None:
        """At the first start with the demo estate: pages and mails carry the name of its organisation. Nothing at a later one."""
        if not (self / "secrets.env").exists():
            (self / ORGANISATION_FILE).write_text(DEMO_ORGANISATION)

    def names(self) -> dict[str, str]:
        """ORGANISATION where the folder knows it."""
        path = self / ORGANISATION_FILE
        return {"ORGANISATION": path.read_text().strip()} if path.exists() else {}

    # The part the services write

    def services(self) -> Path:
        """The folder that holds PostgreSQL, Valkey and their sockets, owned by the user who runs them."""
        link = self / "services"
        if link.is_symlink() and not link.exists():
            raise Trouble(
                f"The data of {self.path} was in {os.readlink(link)}, which is no longer there.\n"
                f"Bring that folder back and start again, or begin anew without the data: rm {link}"
            )
        if self.account and not link.exists() and (self.is_default or not self.account.may_enter(self.path)):
            outside = Path(tempfile.mkdtemp(prefix=f"{self.path.parent.name or 'data'}-", dir=system_folder("data")))
            link.symlink_to(outside)
        link.mkdir(mode=0o700, exist_ok=True)
        services = link.resolve()
        for folder in (services, services / "sockets"):
            folder.mkdir(mode=0o700, exist_ok=True)
            if self.account:
                self.account.own(folder)
        return services

    def sockets(self) -> Path:
        """A 0700 folder whose path is short enough for sockets."""
        usual = self.services() / "sockets"
        if len(os.fsencode(usual)) + LONGEST_SOCKET_NAME <= SOCKET_PATH_LIMIT:
            return usual
        noted = self / "sockets-folder"
        if not noted.exists() or not Path(noted.read_text()).is_dir():
            short = Path(tempfile.mkdtemp(prefix="itsm-backup-", dir="/tmp"))  # private, and TMPDIR may be long too
            if self.account:
                self.account.own(short)
            noted.write_text(str(short))
        return Path(noted.read_text())

    def check_room(self) -> None:
        """Raise before anything is half written when the disk is too full to start."""
        services = self.services()
        needed = LATER_START_BYTES if (services / "postgres").exists() else FIRST_START_BYTES
        for folder in (self.path, services):
            free = shutil.disk_usage(folder).free
            if free < needed:
                raise Trouble(
                    f"The disk is almost full: {free // 1024**2} MB are free for {folder}, a start needs {needed // 1024**2} MB. "
                    "What was stored before is kept.\nFree some room and start again, or name a folder on another disk: --data DIR"
                )

    def remove(self) -> None:
        """Delete the folder with everything the services wrote (only for throw-away folders)."""
        for folder in {self.services(), self.sockets(), self.path}:
            shutil.rmtree(folder, ignore_errors=True)


def new_secrets() -> dict[str, str]:
    """Fresh random secrets: Django's signing key and one Fernet key for fields."""
    return {"SECRET_KEY": secrets.token_urlsafe(50), "FIELD_KEYS": base64.urlsafe_b64encode(os.urandom(32)).decode()}
