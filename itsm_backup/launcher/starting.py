"""`manage.py up`: the whole product from a fresh clone, until Ctrl-C."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from itsm_backup.embedded import SERVICE_VARIABLES, given, start_services
from itsm_backup.launcher import pango
from itsm_backup.launcher.accounts import service_account
from itsm_backup.launcher.children import Child, Children, clear_leftovers
from itsm_backup.launcher.data_folder import DataFolder
from itsm_backup.launcher.held import HELD_BY
from itsm_backup.launcher.listening import address_of, health, names_of, take_port
from itsm_backup.launcher.options import options
from itsm_backup.launcher.preparing import REPOSITORY
from itsm_backup.launcher.supervising import StopAsked, StopFlag, Supervisor
from itsm_backup.launcher.trouble import Trouble, disk_is_full, log_tail, say
from itsm_backup.launcher.updating import FIRST_START_LINE, PROGRESS, TROUBLE_LINE

HEALTHY_WITHIN_S = 90.0
WAIT_FOR_COMMAND_S = 60.0


def default_data_folder() -> Path:
    """DATA_DIR, else `var` in the clone."""
    return Path(os.environ.get("DATA_DIR") or REPOSITORY / "var")


def open_data_folder(named: str | None = None) -> DataFolder:
    """The data folder a person named, or the default one. Raises Trouble when it cannot be used."""
    path = Path(named) if named else default_data_folder()
    return DataFolder(path, account=service_account(), is_default=path.absolute() == REPOSITORY / "var")


def up(arguments: list[str]) -> None:
    """Run the product until it is asked to stop. Raises Trouble when it cannot start; what was started by then is stopped again."""
    chosen = options(arguments)
    stop = StopFlag()
    data = open_data_folder(chosen.data)
    _take(data, stop)
    for name in clear_leftovers(data / "children.json"):
        say(f"Ended {name}, left behind by a start that was killed.")
    chosen.port = take_port(chosen.host, chosen.port)
    children = Children(data / "children.json")
    try:
        _Start(chosen, data, children, stop).run()
        Supervisor(children, stop, data_folder=data.path).run()
    except StopAsked:
        pass
    finally:
        if children.all:
            say(f"Stopping {', '.join(child.name for child in reversed(children.all))} …")
        children.stop()
        data.leave()
    say(f"Stopped. Everything stored is kept in {data.path}")


def _take(data: DataFolder, stop: StopFlag) -> None:
    """Make the folder ours; a command that is just using it is waited for, another `up` is not."""
    end, told = time.monotonic() + WAIT_FOR_COMMAND_S, False
    while not data.take("up"):
        holder = data.holder()
        pid, who = holder.get("pid", "unknown"), f"`manage.py {holder.get('command', '…')}`"
        if holder.get("command") == "up" or time.monotonic() > end:
            address = f", {holder['address']}" if "address" in holder else ""
            raise Trouble(
                f"The data folder {data.path} is in use by another {who} (process {pid}{address}). Nothing was changed.\n"
                f"Stop that one (Ctrl-C in its window, or: kill {pid}), or use another folder: --data DIR"
            )
        if not told:
            say(f"Waiting for {who} (process {pid}) to finish with {data.path} …")
            told = True
        stop.check()
        time.sleep(0.1)


class _Start:
    """The steps of one start."""

    def __init__(self, chosen: argparse.Namespace, data: DataFolder, children: Children, stop: StopFlag) -> None:
        self.chosen, self.data, self.children, self.stop = chosen, data, children, stop
        self.address = address_of(chosen.host, chosen.port)
        if not chosen.empty and not given("DATABASE_URL"):
            data.begin_demo()
        self.environment = _environment(data, self.address, chosen.host)

    def run(self) -> None:
        """From nothing to `ready`."""
        say(f"Starting the database and the broker, data folder {self.data.path} …")
        started = start_services(self.data, self.children)
        if "DATABASE_URL" in started and not given("OWN_BACKUP"):
            started["OWN_BACKUP"] = "on"
        self.environment.update(started)
        self.stop.check()
        pango.ensure(self.data.path)
        self.stop.check()
        say("Bringing the database up to date …")
        for child in programs(self.chosen, self.data, self.environment):
            self.children.start(child)  # they load meanwhile, and begin when the services are published
            self.stop.check()
        logins = self._update()
        shared = (*SERVICE_VARIABLES, "BASE_URL")  # commands print addresses, too
        services = {name: self.environment[name] for name in shared if name in self.environment}
        say("Starting worker, beat, poller and web …")
        self.data.publish(command="up", address=self.address, services=services)
        self._wait_until_healthy()
        say(f"ready {self.address}")
        for line in logins:
            say(line)

    def _update(self) -> list[str]:
        """Bring the database up to date; returns the lines to show once all is ready. Raises Trouble when it fails."""
        log = self.data / "logs/update.log"
        log.unlink(missing_ok=True)
        command = [sys.executable, "-m", "itsm_backup.launcher.updating", *(["--empty"] if self.chosen.empty else [])]
        child = Child(name="update", command=command, log=log, folder=REPOSITORY, environment=self.environment)
        self.children.start(child)
        told = 0
        while (ending := child.ending()) is None:
            self.stop.check()
            told = _tell_progress(log, told)
            time.sleep(0.05)
        self.children.forget(child)
        _tell_progress(log, told)
        words = log.read_text(errors="replace")
        if TROUBLE_LINE in words:
            raise Trouble(f"{words.partition(TROUBLE_LINE)[2].strip()}\nThe start was undone; what was stored before is kept.")
        if ending != "exit code 0":
            reason = "because the disk is full" if disk_is_full(words) else f"({ending})"
            raise Trouble(
                f"The database could not be brought up to date {reason}. What was stored before is kept.\n{log_tail(log)}\nIts log: {log}"
            )
        lines = words.partition(FIRST_START_LINE)[2].strip().splitlines()
        return [line for line in lines if line.startswith("login ")]  # what is logged meanwhile stays in the log

    def _wait_until_healthy(self) -> None:
        end, answer = time.monotonic() + HEALTHY_WITHIN_S, ""
        while time.monotonic() < end:
            self.stop.check()
            for child in self.children:
                if ending := child.ending():
                    raise Trouble(
                        f"{child.name} stopped during the start ({ending}). What was stored before is kept.\n"
                        f"{log_tail(child.log)}\nIts log: {child.log}"
                    )
            healthy, answer = health(self.address)
            if healthy:
                return
            time.sleep(0.1)
        raise Trouble(
            f"The product did not become healthy within {HEALTHY_WITHIN_S:.0f} s: {answer or 'no answer'}. What was stored is kept.\n"
            f"The part that is named there tells why in its log, in {self.data / 'logs'}"
        )


def _tell_progress(log: Path, told: int) -> int:
    """Show what the update has told since; returns how many of its whole lines were looked at."""
    try:
        lines = log.read_text(errors="replace").split("\n")[:-1]
    except OSError:
        return told
    for line in lines[told:]:
        if line.startswith(PROGRESS):
            say(f"  {line.removeprefix(PROGRESS)}")
    return len(lines)


def _environment(data: DataFolder, address: str, host: str) -> dict[str, str]:
    """What every part runs with: what the person configured, completed by what belongs to this folder and address."""
    own = {**data.secrets(), **data.names(), "BASE_URL": address.rstrip("/"), "ALLOWED_HOSTS": ",".join(names_of(host))}
    missing = {name: value for name, value in own.items() if not given(name)}
    fixed = {
        "DATA_DIR": str(data.path),
        "DJANGO_SETTINGS_MODULE": "itsm_backup.settings",
        "PYTHONUNBUFFERED": "1",
        HELD_BY: str(data / "lock"),
        "CELERY_SKIP_CHECKS": "1",  # worker and beat would load every page to check it: seconds of each start
    }
    return {**os.environ, **missing, **fixed}


def programs(chosen: argparse.Namespace, data: DataFolder, environment: dict[str, str]) -> list[Child]:
    """Worker, beat, poller and web: stopped the other way round, so that the web goes first and the worker may finish its tasks."""
    (data / "beat").mkdir(mode=0o700, exist_ok=True)
    held = [sys.executable, "-m", "itsm_backup.launcher.held"]
    celery = [*held, "celery", "-A", "itsm_backup"]
    worker = [*celery, "worker", "--pool", "prefork", "--concurrency", "2", "--without-gossip", "--without-mingle", "--loglevel", "INFO"]
    beat = [*celery, "beat", "--schedule", str(data / "beat/schedule"), "--loglevel", "INFO"]
    poller = [*held, "django", "poll", "--forever", "--skip-checks"]  # they would load every page, too
    listen = ["--host", chosen.host, "--port", str(chosen.port), "--workers", str(chosen.workers), "--no-ws"]
    care = ["--workers-kill-timeout", "2", "--respawn-failed-workers"]
    web = [sys.executable, "-m", "granian", "--interface", "wsgi", *listen, *care, "itsm_backup.wsgi:application"]
    return [
        Child(name=name, command=command, log=data / f"logs/{name}.log", folder=REPOSITORY, environment=environment, patience_s=patience_s)
        for name, command, patience_s in (
            ("worker", worker, 4.0),
            ("beat", beat, 1.0),
            ("poller", poller, 4.0),
            ("web", web, 3.0),
        )
    ]
