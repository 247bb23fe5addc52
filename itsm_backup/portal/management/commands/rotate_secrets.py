"""`manage.py rotate_secrets`: every stored secret under the first key of FIELD_KEYS."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from itsm_backup.common import crypto


class Command(BaseCommand):
    help = "Encrypt every stored secret with the first key of FIELD_KEYS, so that older keys can be taken out."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = crypto.reencrypt()
        except crypto.SecretUnreadable as error:
            raise CommandError(f"{error} Put the key that it was encrypted with back into FIELD_KEYS. Nothing was changed.") from None
        self.stdout.write(f"{done} secrets are encrypted with the first key of FIELD_KEYS. Older keys can be taken out.")
