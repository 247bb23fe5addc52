"""What `up` calls after migrating: a new installation gets what it needs, an old one what a new version brings."""

import logging
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from itsm_backup.common.time import now
from itsm_backup.demo.loading import load_demo, wants_demo
from itsm_backup.demo.models import Replay
from itsm_backup.estate.beginning import begin
from itsm_backup.launcher.updating import PROGRESS
from itsm_backup.portal.fonts import ensure_fonts

log = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Make roles, shipped rules, partitions, typefaces and, where nobody has an account, the first accounts. Safe at any time."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--empty", action="store_true", help="only an administrator: no people for the roles, no demo estate")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            ensure_fonts(settings.FONTS_DIR)
            logins = begin(at=now(), data_dir=settings.DATA_DIR, empty=options["empty"])
            self._bring_demo(is_empty=options["empty"])
        except OSError as error:
            raise CommandError(f"{error.filename or settings.DATA_DIR} cannot be written: {error.strerror}. Nothing was made.") from None
        for login in logins:
            self.stdout.write(f"login {login.username} {login.password}")

    def _bring_demo(self, *, is_empty: bool) -> None:
        """Load the demo estate into a new installation, or go on with an interrupted load. A loaded one is carried on by the worker."""
        mark = Replay.objects.first()
        if (mark and not mark.loaded_at) or (not mark and wants_demo() and not is_empty):
            self._load_demo()

    def _load_demo(self) -> None:
        """Load it; what goes wrong keeps nobody from starting, and the next start goes on where this one ended."""

        def tell(words: str) -> None:
            self.stdout.write(f"{PROGRESS}{words}")

        try:
            load_demo(at=now(), tell=tell)
        except Exception:
            log.exception("The demo estate could not be loaded.")
            tell("The demo estate could not be loaded in full; the next start goes on. The log logs/update.log tells why.")
