"""PostgreSQL 18 and Valkey for a machine that has neither, started from the wheels in the environment.

Both listen on sockets in a 0700 folder only, so that being the same user (or root) is the permission. Whoever starts them owns them: `up`,
one command, or one test run. In production DATABASE_URL and REDIS_URL name real servers and nothing here runs.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from itsm_backup.launcher.accounts import Account, program_folders, service_account
from itsm_backup.launcher.children import Child, Children, clear_leftovers, end_processes_in
from itsm_backup.launcher.data_folder import DataFolder
from itsm_backup.launcher.trouble import Trouble, disk_is_full

NAME = "itsm_backup"  # of the database and of its owner
MAJOR = "18"
PLAIN_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}  # no PG… variable of the person who starts us
SERVICE_VARIABLES = ("DATABASE_URL", "REDIS_URL")
THROWAWAY_SETTINGS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200")
THROWAWAY_PREFIX = "itsm-backup-test-"


@dataclass(frozen=True)
class Place:
    """Where the services of one data folder live, and as whom they run."""

    services: Path
    sockets: Path
    logs: Path
    account: Account | None


class PostgreSQL:
    """One PostgreSQL server on a folder of its own."""

    def __init__(self, place: Place, *, programs: Path, settings: tuple[str, ...] = ()) -> None:
        self.place, self.programs, self.folder = place, programs, place.services / "postgres"
        options = (
            "listen_addresses=",
            f'unix_socket_directories="{place.sockets}"',
            "unix_socket_permissions=0700",
            "timezone=UTC",
            "log_timezone=UTC",
            *settings,
        )
        self.child = Child(
            name=f"PostgreSQL {MAJOR}",
            command=[str(programs / "postgres"), "-D", str(self.folder), *(word for option in options for word in ("-c", option))],
            log=place.logs / "postgresql.log",
            folder=place.services,
            environment=PLAIN_ENVIRONMENT,
            account=place.account,
            stop_signal=signal.SIGINT,  # "fast": sessions end, everything committed is on disk
            hard_signal=signal.SIGQUIT,  # "immediate": recovered from the log at the next start
            patience_s=10.0,
            is_ready=self.is_ready,
            before_start=self.clear_stale_lock,
        )

    @property
    def url(self) -> str:
        """The form that libpq, psycopg and django-environ all understand."""
        return f"postgresql://{NAME}@/{NAME}?host={quote(str(self.place.sockets), safe='')}"

    def make(self) -> None:
        """Create the cluster at the first start. It gets its name when it is whole: an interrupted start leaves no half cluster."""
        if self.folder.exists():
            version = (self.folder / "PG_VERSION").read_text().strip()
            if version != MAJOR:
                raise Trouble(
                    f"The data in {self.folder} was written by PostgreSQL {version}; this is PostgreSQL {MAJOR}. Nothing was changed.\n"
                    "See docs/operations.md, 'Another PostgreSQL version'."
                )
            return
        draft = self.folder.with_name("postgres.new")
        for folder in (draft.parent, draft):  # an initdb whose supervisor was killed goes on by itself, and takes away its folder
            end_processes_in(folder)
        shutil.rmtree(draft, ignore_errors=True)
        self._run(
            "initdb", "-D", str(draft), "-U", NAME, "-E", "UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
            "--auth-local=trust", "--auth-host=scram-sha-256", "--no-instructions",
        )  # fmt: skip
        draft.rename(self.folder)

    def make_database(self) -> None:
        """Create the product's database in the running server if it is not there yet."""
        there = self._run("psql", "-h", str(self.place.sockets), "-U", NAME, "-d", "postgres", "-Atc", "SELECT datname FROM pg_database")
        if NAME not in there.split():
            self._run("createdb", "-h", str(self.place.sockets), "-U", NAME, NAME)

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [str(self.programs / program), *arguments],
            cwd=self.folder.parent,
            env=PLAIN_ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
            **(self.place.account.drop() if self.place.account else {}),
        )
        if done.returncode:
            raise _stopped(f"PostgreSQL's {program}", done.stdout + done.stderr, log=None)
        return str(done.stdout)

    def is_ready(self) -> bool:
        """Whether the server accepts connections: it says so itself in the last line of its lock file."""
        try:
            return (self.folder / "postmaster.pid").read_text().rstrip().endswith("ready")
        except OSError:
            return False

    def clear_stale_lock(self) -> None:
        """After a kill -9 or a power cut the lock files name a process that is gone, or by now somebody else's; then they may go."""
        end_processes_in(self.folder)
        if Path("/proc/self").exists():
            for lock in (self.folder / "postmaster.pid", self.place.sockets / ".s.PGSQL.5432.lock"):
                lock.unlink(missing_ok=True)


class Valkey:
    """One Valkey server on a folder of its own; what it holds survives a restart."""

    def __init__(self, place: Place, *, programs: Path) -> None:
        self.place, self.folder, self.socket = place, place.services / "valkey", place.sockets / "valkey.sock"
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "appendonly": "yes",
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        self.child = Child(
            name="Valkey",
            command=[str(programs / "valkey-server"), *(word for name, value in options.items() for word in (f"--{name}", value))],
            log=place.logs / "valkey.log",
            folder=place.services,
            environment=PLAIN_ENVIRONMENT,
            account=place.account,
            patience_s=1.5,
            is_ready=self.is_ready,
            before_start=lambda: end_processes_in(self.folder),
        )

    @property
    def url(self) -> str:
        """As redis-py reads it."""
        return f"unix://{quote(str(self.socket))}?db=0"

    def make(self) -> None:
        """Create its folder at the first start."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        if self.place.account:
            self.place.account.own(self.folder)

    def is_ready(self) -> bool:
        """Whether it answers PING with PONG (while it still loads its file it answers otherwise)."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(2)
            connection.connect(str(self.socket))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
        return False


def given(name: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a setting was configured, directly or as NAME_FILE."""
    return bool(environment.get(name) or environment.get(f"{name}_FILE"))


def start_services(data: DataFolder, children: Children, *, settings: tuple[str, ...] = ()) -> dict[str, str]:
    """Start whichever of the two services is not configured; returns DATABASE_URL and REDIS_URL of those started, and PG_PROGRAMS.

    Raises Trouble.
    """
    wanted = [name for name in SERVICE_VARIABLES if not given(name)]
    if not wanted:
        return {}
    data.check_room()
    postgres_programs, valkey_programs = program_folders(data.account)
    place = Place(services=data.services(), sockets=data.sockets(), logs=data / "logs", account=data.account)
    urls = {}
    if "DATABASE_URL" in wanted:
        postgres = PostgreSQL(place, programs=postgres_programs, settings=settings)
        postgres.make()
        _start(children, postgres.child)
        postgres.make_database()
        urls["DATABASE_URL"] = postgres.url
        urls["PG_PROGRAMS"] = str(postgres_programs)
    if "REDIS_URL" in wanted:
        valkey = Valkey(place, programs=valkey_programs)
        valkey.make()
        _start(children, valkey.child)
        urls["REDIS_URL"] = valkey.url
    return urls


def _start(children: Children, child: Child) -> None:
    before = child.log.stat().st_size if child.log.exists() else 0
    if not children.start_and_wait(child):
        with child.log.open(errors="replace") as log:
            log.seek(before)
            words = log.read()
        raise _stopped(child.name, words, log=child.log)


def _stopped(program: str, words: str, *, log: Path | None) -> Trouble:
    tail = "\n".join(f"    {line}" for line in words.strip().splitlines()[-8:])
    if disk_is_full(words):
        return Trouble(
            f"{program} could not start because the disk is full. What was stored before is kept.\n"
            f"Free some room and start again, or name a folder on another disk: --data DIR\n{tail}"
        )
    return Trouble(
        f"{program} could not start. What was stored before is kept. Its last words:\n{tail}" + (f"\nIts log: {log}" if log else "")
    )


@contextlib.contextmanager
def throwaway_services() -> Iterator[dict[str, str]]:
    """Both services on a fresh folder that is deleted afterwards, for one test run; quick rather than durable.

    Yields the environment to run with: DATABASE_URL, REDIS_URL, DATA_DIR, SECRET_KEY, FIELD_KEYS. What is configured is not started.
    """
    _remove_abandoned()
    data = DataFolder(Path(tempfile.mkdtemp(prefix=THROWAWAY_PREFIX)), account=service_account(), is_default=False)
    data.take("test")
    children = Children(data / "children.json")
    try:
        yield {**data.secrets(), "DATA_DIR": str(data.path), **start_services(data, children, settings=THROWAWAY_SETTINGS)}
    finally:
        children.stop()
        data.remove()


def _remove_abandoned() -> None:
    """End and delete what killed test runs left behind; a folder somebody holds, or has only just made, is left alone."""
    for folder in Path(tempfile.gettempdir()).glob(f"{THROWAWAY_PREFIX}*"):
        with contextlib.suppress(OSError, Trouble):
            if (folder / "lock").exists() and time.time() - folder.stat().st_mtime > 60:
                data = DataFolder(folder, account=service_account(), is_default=False)
                if data.take("cleaning"):
                    clear_leftovers(data / "children.json")
                    data.remove()
