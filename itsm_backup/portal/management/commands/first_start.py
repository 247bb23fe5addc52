"""What `up` calls after migrating: a new installation gets what it needs, an old one what a new version brings."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from itsm_backup.common.time import now
from itsm_backup.estate.beginning import begin
from itsm_backup.portal.fonts import ensure_fonts


class Command(BaseCommand):
    help = "Make roles, shipped rules, partitions, typefaces and, where nobody has an account, the first accounts. Safe at any time."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--empty", action="store_true", help="only an administrator: no people for the roles, no example")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            ensure_fonts(settings.FONTS_DIR)
            logins = begin(at=now(), data_dir=settings.DATA_DIR, empty=options["empty"])
        except OSError as error:
            raise CommandError(f"{error.filename or settings.DATA_DIR} cannot be written: {error.strerror}. Nothing was made.") from None
        for login in logins:
            self.stdout.write(f"login {login.username} {login.password}")
