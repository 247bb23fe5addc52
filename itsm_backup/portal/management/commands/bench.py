"""How fast is it here? Measures the promises of docs/performance.md against what this machine can do at all."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from itsm_backup.bench import databases, keys, peers, telling
from itsm_backup.bench.serving import REPOSITORY
from itsm_backup.bench.sizes import SIZES
from itsm_backup.launcher.children import Child, Children
from itsm_backup.settings import setting

NAMES = (
    "intake", "ping", "estate", "calendar", "trend", "exposure", "evaluate", "report", "catalogue", "correlation", "poll", "incidents",
)  # fmt: skip


class Command(BaseCommand):
    help = "Measure floor and product by turns, in throw-away databases beside your own, and print the ratio. Your data are not touched."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", choices=(*NAMES, "all"), help="what to measure")
        parser.add_argument("--size", choices=tuple(SIZES), default="full", help="how much is generated (default: %(default)s)")
        for name, how in (("--healthchecks", "as it is shipped"), ("--healthchecks-kept", "with DB_CONN_MAX_AGE=None")):
            parser.add_argument(name, metavar="ADDRESS", help=f"measure pings beside a healthchecks that runs here, {how}")
        parser.add_argument("--json", action="store_true", help="print the results as JSON, to compare them over time")

    def handle(self, *args: Any, **options: Any) -> None:
        names = NAMES if options["name"] == "all" else (options["name"],)
        try:
            self.beside = {variable: str(peers.port_of(options[one])) for one, variable in peers.VARIABLES.items() if options[one]}
            with databases.throwaway(setting("DATABASE_URL")) as url, tempfile.TemporaryDirectory(prefix="itsm-backup-bench-") as folder:
                results = self._measured(names, options["size"], url, Path(folder))
        except (databases.Occupied, databases.NotAllowed, peers.Unfit) as error:
            raise CommandError(str(error)) from None
        finally:
            keys.remove()
        self.stdout.write(json.dumps(results, indent=2) if options["json"] else telling.told(results))

    def _measured(self, names: tuple[str, ...], size: str, url: str, folder: Path) -> dict[str, Any]:
        """What a process of its own measures, whose only database is the throw-away one."""
        command = [sys.executable, "-m", "itsm_backup.bench", *names, "--size", size, "--results", str(folder / "results.json")]
        environment = {**os.environ, **self.beside, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "itsm_backup.bench.settings"}
        environment.pop("DATABASE_URL_FILE", None)
        children = Children(folder / "children.json")
        child = Child(
            name="benchmark", command=command, log=folder / "bench.log", folder=REPOSITORY, environment=environment, patience_s=12.0
        )
        try:
            children.start(child)
            told = 0
            while (ending := child.ending()) is None:
                told = self._tell(child.log, told)
                time.sleep(0.2)
            self._tell(child.log, told)
        finally:
            children.stop()
        if ending != "exit code 0":
            raise CommandError(f"The benchmark did not end well ({ending}); the words above say why. The throw-away databases are gone.")
        return dict(json.loads((folder / "results.json").read_text()))

    def _tell(self, log: Path, told: int) -> int:
        """Pass on what the log has more than before."""
        words = log.read_text(errors="replace")
        if words[told:]:
            self.stderr.write(words[told:], ending="")
        return len(words)
