"""Ask tools now, in the foreground, whether they are due or not."""

from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from itsm_backup import journey
from itsm_backup.common.time import now
from monitoring import polling
from monitoring.models import Tool


class Command(BaseCommand):
    help = "Ask every polled tool (or the one named) once, then advance the journey."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tool", metavar="NAME", help="only this tool")

    def handle(self, *args: Any, **options: Any) -> None:
        tools = [tool for tool in self._tools(options["tool"]) if tool.connector.polled]
        if not tools:
            raise CommandError("There is no enabled tool that can be polled. Declare one with load_estate or in the admin.")
        for tool in tools:
            self.stdout.write(self._poll(tool))
        journey.advance()

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
