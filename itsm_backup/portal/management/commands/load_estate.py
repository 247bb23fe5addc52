"""Declare a whole estate from one file."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from itsm_backup.common.time import now
from itsm_backup.estate.loading import Loading, load
from itsm_backup.estate.reading import Unusable, read
from itsm_backup.estate.schema import schema


class Command(BaseCommand):
    help = "Declare services, tools, jobs, rules, people and roles from one YAML file (docs/estate.md). Loading it again changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", nargs="?", type=Path, metavar="FILE.yaml")
        parser.add_argument("--steward", metavar="USER", help="stands for services, relations, windows, people and roles")
        parser.add_argument("--monitoring-admin", metavar="USER", help="stands for tools, jobs, schedules and rules")
        parser.add_argument("--approver", metavar="USER", help="approves the versions that the steward writes")
        parser.add_argument("--dry-run", action="store_true", help="show the difference, change nothing")
        parser.add_argument("--schema", action="store_true", help="print the JSON Schema of the file and stop")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["schema"]:
            self.stdout.write(json.dumps(schema(), indent=2, ensure_ascii=False))
            return
        duties = {name: options[name] for name in ("steward", "monitoring_admin", "approver")}
        missing = [f"--{name.replace('_', '-')} USER" for name, person in duties.items() if not person]
        if options["file"] is None or missing:
            raise CommandError(f"Still needed: {', '.join([*([] if options['file'] else ['FILE.yaml']), *missing])}.")
        self.dry_run = options["dry_run"]
        try:
            estate = read(options["file"])
            loading = load(estate=estate, **duties, at=now(), dry_run=self.dry_run, show=self._show)
        except Unusable as error:
            count = len(error.problems)
            head = f"{options['file']} was not loaded; nothing was changed. {count} {'thing is' if count == 1 else 'things are'} wrong:"
            raise CommandError("\n".join([head, *(f"  {problem}" for problem in error.problems)])) from None
        if loading.differences and not self.dry_run:
            self.stdout.write("Loaded.")

    def _show(self, loading: Loading) -> None:
        for line in loading.differences or ["Nothing to change."]:
            self.stdout.write(f"  {line}" if loading.differences else line)
        if loading.differences:
            count = len(loading.differences)
            self.stdout.write(
                f"{count} {'difference' if count == 1 else 'differences'}{'; nothing was changed (--dry-run).' if self.dry_run else '.'}"
            )
        for note in loading.notes:
            self.stdout.write(note)
