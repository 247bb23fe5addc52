"""Ask every tool that is due, a bounded number at a time: one that hangs holds its own place and delays no other."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections import deque
from collections.abc import Callable

from django.db import close_old_connections, connection

from monitoring import polling, waking
from monitoring.models import Tool

log = logging.getLogger(__name__)
PLACES = 24
CHUNK = 8  # claimed together by a place that is free again


class Pool:
    """So many places, each a thread that asks one tool after the other for as long as any is due.

    `look` has to be called every second or so: it fills the places that are free. Half of the places stay free of tools that
    did not answer the last time, so that many silent ones at once do not delay those that answer.
    """

    def __init__(self, *, clock: Callable[[], dt.datetime], places: int = PLACES) -> None:
        self._clock, self._places = clock, places
        self._claimed: deque[int] = deque()
        self._lock = threading.Lock()
        self._lanes: list[threading.Thread] = []
        self._ends = False
        self.asked = 0

    def look(self) -> bool:
        """Fill the free places with tools that are due; returns whether any tool is being asked. Never raises."""
        self._lanes = [lane for lane in self._lanes if lane.is_alive()]
        try:
            close_old_connections()
            while (free := self._places - len(self._lanes)) and (tool := self._next(free)) is not None:
                lane = threading.Thread(target=self._lane, args=(tool,), name="poll", daemon=True)
                self._lanes.append(lane)
                lane.start()
        except Exception:
            log.exception("What is due could not be claimed; it is tried again.")
        return bool(self._lanes)

    def end(self, within_s: float) -> None:
        """Claim nothing more, and wait so long for what is being asked. What is not done by then is asked again after its claim."""
        with self._lock:
            self._ends = True
            polling.give_back(list(self._claimed))
            self._claimed.clear()
        for lane in self._lanes:
            lane.join(within_s / len(self._lanes))

    def _next(self, most: int) -> int | None:
        """The next tool to ask; of those that are claimed together no more than `most` wait for a place."""
        with self._lock:
            if not self._claimed and not self._ends:
                self._claimed += polling.claim_due(at=self._clock(), limit=most, failing_at_once=max(1, self._places // 2))
            return self._claimed.popleft() if self._claimed else None

    def _lane(self, tool: int | None) -> None:
        try:
            while tool is not None:
                self._ask(tool)
                tool = self._next(CHUNK)
        except Exception:
            log.exception("What is due could not be claimed; it is tried again.")
        finally:
            connection.close()

    def _ask(self, tool: int) -> None:
        try:
            close_old_connections()
            polling.poll(tool=Tool.objects.get(pk=tool), at=self._clock())
            waking.wake()  # the tool's own state has news, too
        except Exception:
            log.exception("Tool %s could not be asked; it is asked again when its claim has run out.", tool)
        with self._lock:
            self.asked += 1
