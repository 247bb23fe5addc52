"""How well signatures tell recorded failures apart. No database."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from incidents.clustering import agreement, failures

TOOLS = ("restic", "borg", "borgmatic", "pgbackrest", "barman", "bacula")


class Command(BaseCommand):
    help = "Print precision and recall of signatures over recorded failures whose reason is known, and which signature each reason got."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, metavar="FOLDER", help="with one folder a tool, and in it one a case with case.json")

    def handle(self, *, folder: Path, **options: Any) -> None:
        found = failures(folder, TOOLS)
        if not found:
            raise CommandError(f"In {folder} is no recorded failure of {', '.join(TOOLS)}.")
        told = agreement(found)
        for reason, signatures in told.groups.items():
            self.stdout.write(f"{reason}: " + ", ".join(f"{signature} {count}" for signature, count in sorted(signatures.items())))
        self.stdout.write(f"{len(found)} failures, {told.pairs} pairs: precision {told.precision:.3f}, recall {told.recall:.3f}")
