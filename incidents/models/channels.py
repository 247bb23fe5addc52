"""Other ways than mail by which people are told: webhooks that are signed, and chat and push services."""

from __future__ import annotations

import re

from django.core.exceptions import ValidationError
from django.db import models

from itsm_backup.common.crypto import SecretsField
from itsm_backup.common.models import Tracked, tracked

# What the library can do and speaks HTTPS or HTTP only: nothing of this machine is started or written by an address.
SERVICES = (
    "discord", "gotify", "gotifys", "mmost", "mmosts", "msteams", "ntfy", "ntfys", "opsgenie", "pagerduty", "pover", "rocket", "rockets",
    "slack", "tgram", "workflow", "workflows", "zulip",
)  # fmt: skip


@tracked
class Channel(Tracked):
    """One destination that steps of policies name. Its address and its key are secrets."""

    class Kind(models.TextChoices):
        WEBHOOK = "webhook", "webhook, signed"
        SERVICE = "service", "chat or push service"

    name = models.CharField(max_length=80, unique=True)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    secrets = SecretsField(editable=False, help_text="Encrypted; never shown again.")
    enabled = models.BooleanField(default=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.name.startswith("own/"):
            raise ValidationError({"name": "Names that begin with own/ are those of people's own channels. Choose another one."})


def validate_address(kind: str, address: str) -> None:
    """Raises ValidationError for an address that this kind cannot use."""
    scheme = address.partition("://")[0].lower()
    if not re.fullmatch(r"[a-z]+://[^\s]+", address, re.IGNORECASE):
        raise ValidationError("Write a whole address, such as https://hooks.example.org/backup or ntfy://ntfy.example.org/backups.")
    if kind == Channel.Kind.WEBHOOK and scheme not in ("http", "https"):
        raise ValidationError("A webhook has an address that begins with https:// or http://.")
    if kind == Channel.Kind.SERVICE and scheme not in SERVICES:
        raise ValidationError(f"{scheme}:// is not among the services that are spoken to: {', '.join(SERVICES)}.")
