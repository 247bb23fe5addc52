"""The one supervisor: it keeps the children running, starts again what dies, says so, and stops all in order."""

from __future__ import annotations

import os
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from itsm_backup.launcher.children import Child, Children
from itsm_backup.launcher.trouble import Trouble, log_tail, say

LONGEST_PAUSE_S = 30.0
CALM_AFTER_S = 60.0
LARGEST_LOG_BYTES = 20 * 1024**2
LOOK_AT_LOGS_EVERY_S = 60.0


class StopAsked(Exception):
    """Somebody pressed Ctrl-C or sent SIGTERM while a start was still under way."""


class StopFlag:
    """Remembers the first signal to stop; later ones change nothing, since stopping is under way."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._note)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # started by nohup: the terminal may close
            signal.signal(signal.SIGHUP, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.asked = True

    def check(self) -> None:
        """Raise StopAsked when stopping was asked for."""
        if self.asked:
            raise StopAsked


@dataclass
class _Health:
    """How often a child died lately, and when it may be started again."""

    started_at_s: float
    deaths: int = 0
    restart_at_s: float | None = None


class Supervisor:
    """Watches the children until it is asked to stop."""

    def __init__(self, children: Children, stop: StopFlag, *, data_folder: Path) -> None:
        self.children, self.stop, self.data_folder = children, stop, data_folder
        self.health: dict[str, _Health] = {}
        self.looked_at_logs_s = time.monotonic()

    def run(self) -> None:
        """Return when stopping was asked for."""
        self.health = {child.name: _Health(time.monotonic()) for child in self.children}
        while not self.stop.asked:
            for child in self.children:
                self._look_after(child, self.health[child.name], time.monotonic())
            self._look_at_logs()
            time.sleep(0.2)

    def _look_after(self, child: Child, health: _Health, now_s: float) -> None:
        if health.restart_at_s is not None:
            if now_s >= health.restart_at_s:
                self._start_again(child, health, now_s)
            return
        ending = child.ending()
        if ending is None:
            return
        health.deaths = 1 if now_s - health.started_at_s > CALM_AFTER_S else health.deaths + 1
        pause_s = min(2.0 ** (health.deaths - 1) if health.deaths > 1 else 0.0, LONGEST_PAUSE_S)
        health.restart_at_s = now_s + pause_s
        say(
            f"{child.name} stopped unexpectedly ({ending}); starting it again{f' in {pause_s:.0f} s' if pause_s else ''}. The others go on."
        )
        say("\n".join(line for line in (log_tail(child.log, lines=3), f"    Its log: {child.log}{self._room()}") if line))

    def _start_again(self, child: Child, health: _Health, now_s: float) -> None:
        try:
            self.children.start(child)
        except (Trouble, OSError) as error:
            health.deaths += 1
            health.restart_at_s = now_s + LONGEST_PAUSE_S
            say(f"{child.name} could not be started, next attempt in {LONGEST_PAUSE_S:.0f} s: {error}")
            return
        health.started_at_s, health.restart_at_s = now_s, None
        say(f"{child.name} was started again.")

    def _room(self) -> str:
        free = shutil.disk_usage(
            (self.data_folder / "services").resolve() if (self.data_folder / "services").exists() else self.data_folder
        ).free
        return f"\n    The disk of the data folder has only {free // 1024**2} MB left: free some room." if free < 50 * 1024**2 else ""

    def _look_at_logs(self) -> None:
        """Logs never fill the disk: one that grew large is kept once as NAME.1 and begun anew."""
        if time.monotonic() - self.looked_at_logs_s < LOOK_AT_LOGS_EVERY_S:
            return
        self.looked_at_logs_s = time.monotonic()
        for child in self.children:
            try:
                if child.log.stat().st_size > LARGEST_LOG_BYTES:
                    shutil.copyfile(child.log, child.log.with_suffix(".log.1"))
                    os.truncate(child.log, 0)  # the writers append, so they go on at the new end
            except OSError as error:
                say(f"{child.log} could not be shortened: {error.strerror}")
