"""Ask tools: all of them now, in the foreground, or those that are due, on and on."""

import signal
import threading
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from itsm_backup import health, journey
from itsm_backup.common.time import now
from monitoring import polling, pooling
from monitoring.models import Tool

LOOK_EVERY_S = 1.0
ALIVE_EVERY = 5  # looks
PATIENCE_S = 3.0


class Command(BaseCommand):
    help = "Ask every polled tool (or the one named) once, then advance the journey. With --forever: ask each when it is due."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tool", metavar="NAME", help="only this tool")
        parser.add_argument("--forever", action="store_true", help="ask what is due until stopped, as `up` does in a process of its own")
        parser.add_argument(
            "--places", type=int, default=pooling.PLACES, metavar="N", help="with --forever: tools asked at a time (default: %(default)s)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["places"] < 1:
            raise CommandError("--places must be 1 or more.")
        if options["forever"]:
            self._go_on(options["places"])
            return
        tools = [tool for tool in self._tools(options["tool"]) if tool.connector.polled]
        if not tools:
            raise CommandError("There is no enabled tool that can be polled. Declare one with load_estate or in the admin.")
        for tool in tools:
            self.stdout.write(self._poll(tool))
        journey.advance()

    def _go_on(self, places: int) -> None:
        """Until SIGTERM or Ctrl-C, with a sign of life every few seconds."""
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        pool, looks = pooling.Pool(clock=now, places=places), 0
        while True:
            if looks % ALIVE_EVERY == 0:
                health.beat("poller")
            pool.look()
            looks += 1
            if stop.wait(LOOK_EVERY_S):
                break
        pool.end(PATIENCE_S)

    def _tools(self, name: str | None) -> list[Tool]:
        if name is None:
            return list(Tool.objects.filter(enabled=True, replayed=False))
        tool = Tool.objects.filter(name=name).first()
        if tool is None:
            known = ", ".join(Tool.objects.values_list("name", flat=True)) or "none"
            raise CommandError(f"There is no tool called {name}. Known tools: {known}.")
        if not tool.connector.polled:
            raise CommandError(f"{tool.name} reports by itself ({tool.connector.label}) and is not polled.")
        if tool.replayed:
            raise CommandError(f"{tool.name} is a replayed recording of the demo: it tells by itself, and there is nothing to ask.")
        return [tool]

    def _poll(self, tool: Tool) -> str:
        receipt = polling.poll(tool=tool, at=now())
        counts = Counter(result.status for result in receipt.results)
        said = ", ".join(f"{count} {status}" for status, count in sorted(counts.items())) or "nothing new"
        return f"{tool.name}: {said if receipt.complete else ' '.join(receipt.problems) or 'not complete'}"
