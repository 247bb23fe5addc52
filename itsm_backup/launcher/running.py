"""Django's own commands and the test suite, with the services they need for as long as they need them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

from itsm_backup.embedded import SERVICE_VARIABLES, given, start_services, throwaway_services
from itsm_backup.launcher.children import Children, clear_leftovers
from itsm_backup.launcher.data_folder import DataFolder, new_secrets
from itsm_backup.launcher.preparing import REPOSITORY
from itsm_backup.launcher.starting import default_data_folder, open_data_folder
from itsm_backup.launcher.trouble import Trouble, from_os_error, say

WITHOUT_DATABASE = {
    "help",
    "normalise",
    "measure",
    "verify_trail",
    "makemigrations",
    "makemessages",
    "compilemessages",
    "version",
    "findstatic",
}
NO_ANSWER_AFTER_S = 1.0


def django(arguments: list[str]) -> None:
    """Run one of Django's commands; its exit code ends the process."""
    from django.core.exceptions import ImproperlyConfigured

    try:
        _run(arguments)
    except ImproperlyConfigured as error:
        raise Trouble(str(error)) from error


def _run(arguments: list[str]) -> None:
    from django.core.management import execute_from_command_line

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "itsm_backup.settings")
    if needs_no_database(arguments):
        _use_secrets_at_hand()
        os.environ["ITSM_BACKUP_OFFLINE"] = "1"
        execute_from_command_line(["manage.py", *arguments])
        return
    with services_for(arguments[0]):
        execute_from_command_line(["manage.py", *arguments])


def needs_no_database(arguments: list[str]) -> bool:
    """Whether the command works without PostgreSQL and Valkey."""
    return (
        not arguments
        or arguments[0] in WITHOUT_DATABASE
        or arguments[0].startswith("-")
        or bool({"-h", "--help", "--schema"} & set(arguments))
    )


def _use_secrets_at_hand() -> None:
    path = default_data_folder() / "secrets.env"
    try:
        kept = dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)
    except OSError:
        kept = {}
    for name, value in {**new_secrets(), **kept}.items():
        if not given(name):
            os.environ[name] = value


@contextlib.contextmanager
def services_for(command: str) -> Iterator[None]:
    """Complete the environment with the services of the data folder: those of a running `up`, or our own until the end of the command."""
    if all(given(name) for name in (*SERVICE_VARIABLES, "SECRET_KEY", "FIELD_KEYS")):
        yield
        return
    _check_started(command)
    data = open_data_folder()
    children = Children(data / "children.json")
    shared = _take_or_share(data, command)
    try:
        if shared is None:
            shared = _start(data, children)
        for name, value in {**data.secrets(), **data.names(), **shared, "DATA_DIR": str(data.path)}.items():
            if not given(name):
                os.environ[name] = value
        yield
    finally:
        children.stop()
        data.leave()


def _check_started(command: str) -> None:
    """Raise Trouble when one of our own commands would find an empty database, mostly because the data is in another folder."""
    folder = default_data_folder()
    is_ours = any((path / "management/commands" / f"{command}.py").exists() for path in (*REPOSITORY.glob("*"), *REPOSITORY.glob("*/*")))
    if not is_ours or given("DATABASE_URL") or (folder / "services/postgres").exists():
        return
    raise Trouble(
        f"Nothing was started in the data folder {folder.absolute()} yet, so `manage.py {command}` has nothing to work on.\n"
        "Start once: python3 manage.py up. Or name the folder of your start, as with --data: DATA_DIR=DIR python3 manage.py "
        f"{command}"
    )


def _start(data: DataFolder, children: Children) -> dict[str, str]:
    try:
        clear_leftovers(data / "children.json")
        return start_services(data, children)
    except OSError as error:
        raise from_os_error(error) from error


def _take_or_share(data: DataFolder, command: str) -> dict[str, str] | None:
    """None when the folder is now ours; otherwise the addresses of the services that a running `up` shares. Waits for other commands."""
    began, told = time.monotonic(), False
    while not data.take(command):
        holder = data.holder()
        if "services" in holder:
            return dict(holder["services"])
        if not told and time.monotonic() - began > NO_ANSWER_AFTER_S:
            print(f"Waiting for `manage.py {holder.get('command', '…')}` (process {holder.get('pid', '?')}) …", file=sys.stderr, flush=True)
            told = True
        time.sleep(0.1)
    return None


def tests(arguments: list[str]) -> int:
    """Run pytest on throw-away services; returns its exit code."""
    counted = any(argument.startswith(("-n", "--numprocesses")) for argument in arguments)
    command = [sys.executable, "-m", "pytest", *([] if counted else ["-n", "2"]), *arguments]
    say("Starting throw-away services for the tests …")
    with throwaway_services() as environment:
        process = subprocess.Popen(command, cwd=REPOSITORY, env={**os.environ, **environment})
        signal.signal(signal.SIGTERM, lambda number, frame: process.terminate())
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:  # pytest got it too, and ends by itself
                continue
