"""The demo estate: take it away, or load it where it is not."""

from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from itsm_backup.common.time import now
from itsm_backup.demo import feeding
from itsm_backup.demo.loading import is_new, load_demo
from itsm_backup.demo.models import Replay
from itsm_backup.demo.removing import remove_demo
from itsm_backup.estate.beginning import DEMO_PEOPLE


class Command(BaseCommand):
    help = "`demo remove` takes the demo estate away without trace; `demo load` brings it into an installation that has no services."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("act", choices=["load", "remove"])

    def handle(self, *args: Any, **options: Any) -> None:
        if options["act"] == "remove":
            self._remove()
        else:
            self._load()

    def _remove(self) -> None:
        gone = remove_demo(at=now())
        if not gone:
            raise CommandError("There is no demo estate here. Nothing was changed.")
        for name, count in sorted(gone.items(), key=lambda item: -item[1]):
            if count:
                self.stdout.write(f"{count:>9,} {name}")
        self.stdout.write(f"The demo estate is gone. The logins of its people in {settings.DATA_DIR}/demo-logins.txt do not work any more.")

    def _load(self) -> None:
        mark = Replay.objects.first()
        if mark and mark.loaded_at:
            raise CommandError("The demo estate is here already.")
        if mark is None and not is_new():
            raise CommandError("This installation has services of its own. The demo estate is loaded only into an empty one.")
        people = set(get_user_model().objects.filter(username__in=DEMO_PEOPLE).values_list("username", flat=True))
        missing = sorted(DEMO_PEOPLE.keys() - people)
        if missing:
            raise CommandError(f"The demo's people are not here ({', '.join(missing)}). Start with a new data folder: up --data DIR")
        load_demo(at=now(), tell=self.stdout.write)
        feeding.feed(at=now())
