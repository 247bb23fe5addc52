"""The Python environment: made and filled once, repaired when it was interrupted, left alone when it is complete.

A marker inside the environment holds the digests of the locks that were installed. It says "installing" before the first package
is written and gets the digests last, so an interrupted installation is recognised and made anew.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from itsm_backup.launcher import pip_wheel
from itsm_backup.launcher.trouble import Trouble, disk_is_full, log_tail, say

REPOSITORY = Path(__file__).resolve().parents[2]
RUNTIME_LOCK = REPOSITORY / "requirements.txt"
TEST_LOCK = REPOSITORY / "requirements-dev.txt"
REENTERED = "ITSM_BACKUP_REENTERED"


def environment_folder() -> Path:
    """`.venv` in the clone, or the folder that ITSM_BACKUP_VENV names."""
    return Path(os.environ.get("ITSM_BACKUP_VENV") or REPOSITORY / ".venv").absolute()


def ensure(*, with_tests: bool = False) -> None:
    """Return inside the environment with all packages installed. Otherwise install what is missing and run the same command in it again."""
    folder = environment_folder()
    locks = [RUNTIME_LOCK, TEST_LOCK] if with_tests else [RUNTIME_LOCK]
    inside = Path(sys.prefix).resolve() == folder.resolve()
    if not _is_complete(folder, locks, inside=inside):
        with _alone(folder):
            if not _is_complete(folder, locks, inside=inside):
                _install(folder, locks)
                inside = False
    if not inside:
        _enter(folder)
    os.environ.pop(REENTERED, None)


def digest(lock: Path) -> str:
    """What identifies the content of a lock file."""
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def _python(folder: Path) -> Path:
    return folder / "bin/python"


def _marker(folder: Path) -> Path:
    return folder / "itsm-backup.json"


def _installed(folder: Path) -> dict[str, str]:
    try:
        return dict(json.loads(_marker(folder).read_text()))
    except (OSError, ValueError):
        return {}


def _is_complete(folder: Path, locks: list[Path], *, inside: bool) -> bool:
    known = _installed(folder)
    same_python = not inside or known.get("python") == _version()
    return _python(folder).exists() and same_python and all(known.get(lock.name) == digest(lock) for lock in locks)


def _version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _enter(folder: Path) -> None:
    if os.environ.get(REENTERED):
        raise Trouble(
            f"{_python(folder)} does not run inside the environment {folder}.\nDelete that folder and start again: it is made anew."
        )
    os.environ[REENTERED] = "1"
    os.execv(_python(folder), [str(_python(folder)), *sys.argv])  # noqa: S606 the same command, no shell


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One installation at a time: a second command waits for the first and then finds everything there."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    os.set_inheritable(handle, True)  # an installer that outlives us keeps the next one waiting
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another command that is installing the packages …")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _install(folder: Path, locks: list[Path]) -> None:
    known = _installed(folder)
    interrupted = known.get("state") == "installing"
    other_python = known.get("python", _version()) != _version()
    if interrupted:
        say("The last installation was interrupted: starting it anew …")
    if interrupted or other_python or not _runs(folder):
        _make(folder)
    _write(folder, {"state": "installing", "python": _version()})
    _log(folder).unlink(missing_ok=True)
    say(f"Installing {sum(_count(lock) for lock in locks)} packages into {folder} …")
    if not _by_uv(folder, locks):
        _by_pip(folder, locks)
    kept = {name: value for name, value in known.items() if name == TEST_LOCK.name and not interrupted and not other_python}
    _write(folder, {**kept, **{lock.name: digest(lock) for lock in locks}, "state": "complete", "python": _version()})


def _write(folder: Path, facts: dict[str, str]) -> None:
    draft = _marker(folder).with_suffix(".new")
    draft.write_text(json.dumps(facts))
    draft.replace(_marker(folder))


def _count(lock: Path) -> int:
    return len(re.findall(r"^[A-Za-z0-9][^ ]*==", lock.read_text(), re.MULTILINE))


def _runs(folder: Path) -> bool:
    try:
        return subprocess.run([_python(folder), "-c", ""], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _make(folder: Path) -> None:
    say(f"Making the Python environment {folder} …")
    base = getattr(sys, "_base_executable", None) or sys.executable
    made = subprocess.run([base, "-m", "venv", "--without-pip", "--clear", folder], capture_output=True, text=True, check=False)
    if made.returncode:
        words = (made.stdout + made.stderr).strip()
        if disk_is_full(words):
            raise Trouble(f"The disk is full: the Python environment {folder} could not be made.\nFree about 500 MB, then start again.")
        raise Trouble(
            f"{base} could not make the environment {folder}:\n    {words[-500:]}\n"
            "Install Python's own modules (Debian: apt-get install python3), then start again."
        )


def _by_uv(folder: Path, locks: list[Path]) -> bool:
    """Whether uv, when it is on the PATH, installed everything; it is told about pip's indexes, which it does not read by itself."""
    uv = shutil.which("uv")
    if not uv:
        return False
    command = [uv, "pip", "install", "--python", str(_python(folder)), "--require-hashes", "--only-binary", ":all:"]
    command += ["--index-strategy", "unsafe-best-match"]  # all indexes count, as for pip; the hashes of the lock make that safe
    done = _run_installer(folder, [*command, *_lock_arguments(locks)], environment={**pip_wheel.settings_for_uv(), **os.environ})
    if not done:
        say("uv could not install them; trying pip …")
    return done


def _by_pip(folder: Path, locks: list[Path]) -> None:
    pip = pip_wheel.command(folder)
    options = [
        "install",
        "--require-hashes",
        "--only-binary",
        ":all:",
        "--progress-bar",
        "off",
        "--disable-pip-version-check",
        "--no-input",
    ]
    if _run_installer(folder, [*pip, *options, *_lock_arguments(locks)], environment=dict(os.environ)):
        return
    words = log_tail(_log(folder))
    if disk_is_full(words):
        raise Trouble(
            f"The disk is full: the packages could not be installed into {folder}.\nFree about 500 MB, then start again.\n{words}"
        )
    raise Trouble(
        f"The packages could not be installed. Its last words:\n{words}\n"
        f"The whole log: {_log(folder)}\n"
        "Nothing else was changed. Start again when the package index can be reached (pip's own settings name it: PIP_INDEX_URL "
        "or pip.conf; a proxy: HTTPS_PROXY)."
    )


def _lock_arguments(locks: list[Path]) -> list[str]:
    return [word for lock in locks for word in ("-r", str(lock))]


def _log(folder: Path) -> Path:
    return folder / "install.log"


def _run_installer(folder: Path, command: list[str], *, environment: dict[str, str]) -> bool:
    """Whether the installer succeeded; its words go to the log, and every twentieth package to the terminal."""
    collected = 0
    with _log(folder).open("a") as log:
        log.write(" ".join(command) + "\n")
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=REPOSITORY, close_fds=False
        )
        try:
            for line in process.stdout or ():
                log.write(line)
                collected += line.startswith(("Collecting ", "Processing "))
                if line.startswith(("Collecting ", "Processing ")) and collected % 20 == 0:
                    say(f"  {collected} packages fetched …")
                elif line.startswith("Installing collected"):
                    say("  all fetched, unpacking …")
            return process.wait() == 0
        except BaseException:  # Ctrl-C or SIGTERM: the next start begins anew
            process.terminate()
            process.wait()
            raise
