"""A new key to the API, shown once."""

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from itsm_backup.common.time import now
from monitoring import tokens
from monitoring.models import ApiToken, Tool

MOST_DAYS = 3_650


class Command(BaseCommand):
    help = "Make an API token and print it; it cannot be read again. It may do what its user may, within its scope."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", required=True, metavar="U", help="whose token it is")
        parser.add_argument("--scope", required=True, choices=ApiToken.Scope.values, help="ingest: send runs; read; write: read and write")
        parser.add_argument("--tool", metavar="NAME", help="an ingest token for this tool alone")
        parser.add_argument("--days", type=int, default=365, metavar="N", help="how long it lives (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        if not 1 <= options["days"] <= MOST_DAYS:
            raise CommandError(f"--days must be between 1 and {MOST_DAYS}.")
        if options["tool"] and options["scope"] != ApiToken.Scope.INGEST:
            raise CommandError("Only an ingest token can be bound to a tool. Leave --tool out, or use --scope ingest.")
        user = get_user_model().objects.filter(username=options["user"], is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active user {options['user']}.")
        tool = Tool.objects.filter(name=options["tool"]).first()
        if options["tool"] and tool is None:
            known = ", ".join(Tool.objects.values_list("name", flat=True)[:20]) or "none yet"
            raise CommandError(f"There is no tool {options['tool']}. Tools: {known}.")
        self.stdout.write(tokens.issue(user=user, scope=options["scope"], tool=tool, at=now(), days=options["days"]))
        self.stderr.write("Keep it now: it is not shown again. Revoke it in the admin under API tokens.")
