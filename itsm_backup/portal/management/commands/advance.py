"""One round of the journey, in the foreground."""

from typing import Any

from django.core.management.base import BaseCommand

from itsm_backup import journey


class Command(BaseCommand):
    help = "Carry every waiting fact on: link, settle, judge, alert, open, resolve, send. Safe at any time."

    def handle(self, *args: Any, **options: Any) -> None:
        done = {name: count for name, count in journey.advance().items() if count}
        self.stdout.write(", ".join(f"{name} {count}" for name, count in done.items()) or "Nothing was waiting.")
