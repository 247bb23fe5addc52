"""Child processes: started in groups of their own, recorded on disk, stopped in order, and found again after a killed supervisor."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from itsm_backup.launcher.accounts import Account
from itsm_backup.launcher.trouble import Trouble

RUN_MARK = "ITSM_BACKUP_RUN"  # every child and grandchild carries it in its environment
PROC = Path("/proc")
STOP_WITHIN_S = 13.0  # the promise is 15; a child that has to be killed takes a little longer


def started(pid: int) -> str | None:
    """When the process began, in words only equal for the very same process; None when it is gone or a zombie."""
    if not (PROC / "self").exists():
        listed = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return listed.stdout.strip() or None
    try:
        state, *rest = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
    return None if state in "ZX" else f"{boot} {rest[18]}"


def processes_in(folder: Path) -> list[int]:
    """Living processes whose working directory is the folder (PostgreSQL's backends stay in theirs to the end)."""
    found = []
    for entry in PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.path.samefile(entry / "cwd", folder) and started(int(entry.name)):
                found.append(int(entry.name))
    return found


def end_processes_in(folder: Path) -> None:
    """End what still works in a folder that is ours now: a server nobody could put on record, or sessions that outlived their server.

    Raises Trouble when that is impossible. SIGINT is PostgreSQL's fast shutdown; after a SIGKILL it recovers from its log.
    """
    for number, patience_s in ((signal.SIGINT, 3.0), (signal.SIGKILL, 3.0)):
        for pid in processes_in(folder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        if _until(lambda: not processes_in(folder), patience_s):
            return
    numbers = " ".join(map(str, processes_in(folder)))
    raise Trouble(
        f"Processes of an earlier start still work in {folder} and cannot be ended: {numbers}. The data is safe.\nRestart the machine."
    )


@dataclass
class Child:
    """One program under supervision."""

    name: str
    command: list[str]
    log: Path
    folder: Path
    environment: dict[str, str]
    account: Account | None = None
    stop_signal: int = signal.SIGTERM
    hard_signal: int = signal.SIGKILL
    patience_s: float = 5.0
    is_ready: Callable[[], bool] = lambda: True
    before_start: Callable[[], None] = lambda: None
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self, mark: str) -> None:
        """Run the program in a session of its own, so that a Ctrl-C in the terminal reaches only the supervisor."""
        self.before_start()
        self.log.parent.mkdir(mode=0o700, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env={**self.environment, RUN_MARK: mark},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **(self.account.drop() if self.account else {}),
            )

    def ending(self) -> str | None:
        """None while it runs; afterwards how it ended. What it left in its process group is killed before its id can be reused."""
        if self.process is None:
            return "was not started"
        if self.process.returncode is None:
            if os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                return None
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        code = self.process.wait()
        return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"

    def wait(self, timeout_s: float) -> bool:
        """Whether it ended within the time."""
        return _until(lambda: self.ending() is not None, timeout_s)

    def stop(self, *, until_s: float) -> None:
        """Ask it to finish, insist after its patience or at `until_s` (monotonic clock), and return when it is gone."""
        patience_s = min(self.patience_s, max(until_s - time.monotonic(), 1.0))
        for number, wait_s in ((self.stop_signal, patience_s), (self.hard_signal, 1.0), (signal.SIGKILL, 5.0)):
            if self.process is None or self.ending() is not None:
                return
            os.kill(self.process.pid, number)  # not yet waited for, so the id is still its own
            if self.wait(wait_s):
                return


class Children:
    """The running children of one supervisor, in the order of their start; kept on record in a file."""

    def __init__(self, record: Path) -> None:
        self.record = record
        self.mark = secrets.token_hex(16)
        self.all: list[Child] = []
        self.is_recorded = False

    def __iter__(self) -> Iterator[Child]:
        return iter(self.all)

    def start(self, child: Child) -> None:
        """Start (or start again) and put on record."""
        if not self.is_recorded:
            self._write()  # the mark first, so that nothing starts that could not be found again
        child.start(self.mark)
        if child not in self.all:
            self.all.append(child)
        try:
            self._write()
        except OSError:  # a full disk: nothing may run that is not on record
            child.stop(until_s=time.monotonic())
            raise

    def forget(self, child: Child) -> None:
        """Take one that has ended off the record."""
        self.all.remove(child)
        self._write()

    def start_and_wait(self, child: Child, *, timeout_s: float = 60.0) -> bool:
        """Whether the child became ready; False when it ended or took too long."""
        self.start(child)
        return _until(lambda: child.ending() is not None or child.is_ready(), timeout_s) and child.ending() is None

    def stop(self) -> None:
        """Stop all, the latest first, and forget the record. Without children the record is somebody else's and stays."""
        end_s = time.monotonic() + STOP_WITHIN_S
        for child in reversed(self.all):
            child.stop(until_s=end_s)
        self.all.clear()
        if self.is_recorded:
            self.record.unlink(missing_ok=True)

    def _write(self) -> None:
        rows = [
            {"name": child.name, "pid": child.process.pid, "started": started(child.process.pid), "signal": int(child.stop_signal)}
            for child in self.all
            if child.process
        ]
        draft = self.record.with_suffix(".new")
        draft.write_text(json.dumps({"mark": self.mark, "children": rows}))
        draft.replace(self.record)
        self.is_recorded = True


def clear_leftovers(record: Path) -> list[str]:
    """Stop what a killed supervisor left running; returns the names. A process id that was reused since is never touched.

    A recorded child counts when its start time is the recorded one; any other process only when it carries the supervisor's mark.
    """
    try:
        known = json.loads(record.read_text())
    except FileNotFoundError:
        return []
    except ValueError:
        known = {"mark": "", "children": []}
    names = []
    for row in reversed(known["children"]):
        if row["started"] and started(row["pid"]) == row["started"]:
            names.append(row["name"])
            _stop_stranger(row["pid"], row["started"], row["signal"])
    for pid in _carrying(known["mark"]):
        _stop_stranger(pid, started(pid), signal.SIGTERM, patience_s=2.0)
    record.unlink(missing_ok=True)
    return names


def _stop_stranger(pid: int, since: str | None, number: int, *, patience_s: float = 8.0) -> None:
    for attempt, wait_s in ((number, patience_s), (signal.SIGKILL, 5.0)):
        if since is None or started(pid) != since:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, attempt)
        _until(lambda: started(pid) != since, wait_s)


def _carrying(mark: str) -> list[int]:
    """Living processes with the mark in their environment (where /proc shows it to us)."""
    wanted = f"{RUN_MARK}={mark}".encode()
    found = []
    for entry in PROC.glob("[0-9]*") if mark else ():
        with contextlib.suppress(OSError):
            if wanted in (entry / "environ").read_bytes().split(b"\0") and int(entry.name) != os.getpid():
                found.append(int(entry.name))
    return found


def _until(question: Callable[[], bool], timeout_s: float) -> bool:
    end = time.monotonic() + timeout_s
    while not question():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
