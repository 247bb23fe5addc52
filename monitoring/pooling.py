"""Ask every tool that is due, a bounded number at a time: one that hangs holds its own place and delays no other."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue

from django.db import close_old_connections, connection

from monitoring import polling, waking
from monitoring.asking import fetch_prepared
from monitoring.models import Tool

log = logging.getLogger(__name__)
PLACES = 24
CHUNK = 16  # claimed together by a place that is free again
IDLE_S = 60.0  # a place that is free keeps its connection for so long: a new one costs the database more than asking several tools
_VERSION = "SELECT xmin::text FROM monitoring_tool WHERE id = %(tool)s"

Handed = SimpleQueue[int | None]


class _Tools:
    """Tools as they are set now: of one that nobody changed since it was read, only its version is asked for."""

    def __init__(self) -> None:
        self._read: dict[int, tuple[str, Tool]] = {}

    def get(self, pk: int) -> Tool:
        found = fetch_prepared(_VERSION, {"tool": pk}, changes_nothing=True)
        version, known = found[0] if found else "", self._read.get(pk)
        if known and known[0] == version:
            return known[1]
        tool = Tool.objects.get(pk=pk)  # never older than the version: if it is newer, it is read once more
        self._read[pk] = (version, tool)
        return tool


class Pool:
    """So many places, each a thread that asks one tool after the other for as long as any is due, and then waits for the next.

    `look` has to be called every second or so: it fills the places that are free. Half of the places stay free of tools that
    did not answer the last time, so that many silent ones at once do not delay those that answer.
    """

    def __init__(self, *, clock: Callable[[], dt.datetime], places: int = PLACES) -> None:
        self._clock, self._places = clock, places
        self._claimed: deque[int] = deque()
        self._lock = threading.Lock()
        self._lanes: list[threading.Thread] = []
        self._waiting: list[Handed] = []  # of lanes with nothing to do, the latest last: it goes on first, and the others may end
        self._tools = _Tools()
        self._ends = False
        self.asked = 0

    def look(self) -> bool:
        """Fill the free places with tools that are due; returns whether any tool is being asked. Never raises."""
        try:
            close_old_connections()
            while (free := self._free()) and (tool := self._next(free)) is not None:
                self._hand(tool)
        except Exception:
            log.exception("What is due could not be claimed; it is tried again.")
        return self._free() < self._places

    def end(self, within_s: float) -> None:
        """Claim nothing more, and wait so long for what is being asked. What is not done by then is asked again after its claim."""
        with self._lock:
            self._ends = True
            polling.give_back(list(self._claimed))
            self._claimed.clear()
            for handed in self._waiting:
                handed.put(None)
        for lane in self._lanes:
            lane.join(within_s / len(self._lanes))

    def _free(self) -> int:
        with self._lock:
            self._lanes = [lane for lane in self._lanes if lane.is_alive()]
            return self._places - len(self._lanes) + len(self._waiting)

    def _hand(self, tool: int) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.pop().put(tool)
                return
            handed: Handed = SimpleQueue()
            handed.put(tool)
            self._lanes.append(threading.Thread(target=self._lane, args=(handed,), name="poll", daemon=True))
            self._lanes[-1].start()

    def _next(self, most: int) -> int | None:
        """The next tool to ask; of those that are claimed together no more than `most` wait for a place."""
        with self._lock:
            if not self._claimed and not self._ends:
                self._claimed += polling.claim_due(at=self._clock(), limit=most, failing_at_once=max(1, self._places // 2))
            return self._claimed.popleft() if self._claimed else None

    def _lane(self, handed: Handed) -> None:
        try:
            tool = handed.get()
            while tool is not None:
                self._ask_on(tool)
                tool = self._wait(handed)
        finally:
            connection.close()

    def _wait(self, handed: Handed) -> int | None:
        """The next tool that is handed over; None when there was none for a while, and at the end."""
        with self._lock:
            if self._ends:
                return None
            self._waiting.append(handed)
        try:
            return handed.get(timeout=IDLE_S)
        except Empty:
            pass
        with self._lock:
            if handed in self._waiting:
                self._waiting.remove(handed)
                return None
        return handed.get()  # it was handed over in that very moment

    def _ask_on(self, first: int) -> None:
        tool: int | None = first
        try:
            while tool is not None:
                self._ask(tool)
                tool = self._next(CHUNK)
        except Exception:
            log.exception("What is due could not be claimed; it is tried again.")

    def _ask(self, tool: int) -> None:
        try:
            close_old_connections()
            polling.poll(tool=self._tools.get(tool), at=self._clock())
            waking.wake()  # the tool's own state has news, too
        except Exception:
            log.exception("Tool %s could not be asked; it is asked again when its claim has run out.", tool)
        with self._lock:
            self.asked += 1
