"""Declare the product's own database as an entry, with the three people that the duties ask for."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from itsm_backup.common.time import now
from itsm_backup.estate.beginning import OWN_DATABASE
from itsm_backup.estate.loading import load
from itsm_backup.estate.reading import Unusable, read


class Command(BaseCommand):
    help = "Declare this product's own database as a service (docs/own-database.md). Declaring it again changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--owner", required=True, metavar="USER", help="is accountable for the entry")
        parser.add_argument("--steward", required=True, metavar="USER", help="writes it")
        parser.add_argument("--monitoring-admin", required=True, metavar="USER", help="connects the job and its schedule")
        parser.add_argument("--approver", required=True, metavar="USER", help="approves it")

    def handle(self, *args: Any, owner: str, steward: str, monitoring_admin: str, approver: str, **options: Any) -> None:
        estate = read(OWN_DATABASE)
        estate.data["services"][0]["owner"] = owner
        try:
            loading = load(estate=estate, steward=steward, monitoring_admin=monitoring_admin, approver=approver, at=now())
        except Unusable as error:
            raise CommandError("Nothing was declared.\n" + "\n".join(f"  {problem}" for problem in error.problems)) from None
        for line in loading.differences or ["Nothing to change."]:
            self.stdout.write(line)
