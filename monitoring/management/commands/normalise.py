"""Show what a connector reads out of a recorded answer. No database."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from django.core.management.base import BaseCommand, CommandError

from monitoring.connectors import CONNECTORS
from monitoring.connectors.map_document import shipped
from monitoring.normalising_files import NotThere, normalised

TOOLS = sorted([*(kind for kind in CONNECTORS if kind not in ("push", "mapped")), *shipped()])


class Command(BaseCommand):
    help = (
        "Print one JSON object a line for every canonical record in a recorded answer: a case folder, a folder of captured pings,"
        " or one raw output file. What cannot be read is printed as quarantined, with the reason."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tool", required=True, help=f"kind of tool: {', '.join(TOOLS)}")
        parser.add_argument("--zone", help="zone of times that tell none, e.g. Europe/Berlin (default: the case's own, else UTC)")
        parser.add_argument("path", type=Path, metavar="PATH")

    def handle(self, *, tool: str, path: Path, zone: str | None, **options: Any) -> None:
        if tool not in TOOLS:
            raise CommandError(f"The output of {tool!r} cannot be read. Tools: {', '.join(TOOLS)}.", returncode=2)
        if zone and not _is_zone(zone):
            raise CommandError(f"There is no time zone {zone!r}. Write it like Europe/Berlin.", returncode=2)
        try:
            for line in normalised(tool, path, zone=zone):
                self._print(line)
        except NotThere as error:
            raise CommandError(str(error), returncode=2) from None
        except BrokenPipeError:
            raise SystemExit(0) from None
        except Exception as error:  # the promise of this command: never a traceback
            self._print(
                {"quarantined": True, "reason": f"This product made a mistake while reading ({type(error).__name__}). Please report it."}
            )

    def _print(self, line: dict[str, Any]) -> None:
        self.stdout.write(msgspec.json.encode(line).decode())


def _is_zone(zone: str) -> bool:
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        return False
    return True
