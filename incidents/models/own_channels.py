"""Where one person is told beside mail: addresses of their own, used only once they were confirmed there."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from incidents.models.channels import Channel
from itsm_backup.common.crypto import SecretsField
from itsm_backup.common.models import Tracked, tracked

PRIORITIES = ["P1", "P2", "P3", "P4", "P5"]
OWN = "own/"  # by which messages name one


def all_priorities() -> list[str]:
    return list(PRIORITIES)


@tracked
class OwnChannel(Tracked):
    """One address of one person. What it is stays a secret, to everybody; messages go there from its confirmation on."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="own_channels", editable=False)
    name = models.CharField(max_length=40, help_text="What you call it, e.g. Phone. Others read it where it says who was told.")
    kind = models.CharField(max_length=8, choices=Channel.Kind.choices)
    secrets = SecretsField(editable=False, help_text="Encrypted; never shown again.")
    priorities = ArrayField(
        models.CharField(max_length=2, choices=[(one, one) for one in PRIORITIES]), default=all_priorities,
        help_text="Incidents of these priorities are told there, too.",
    )  # fmt: skip
    code_hash = models.CharField(max_length=64, editable=False)
    asked_at = models.DateTimeField(editable=False, help_text="When the test message was sent.")
    tries = models.PositiveSmallIntegerField(default=0, editable=False)
    confirmed_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["person", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["person", "name"], name="own_channel_once", violation_error_message="You have a channel of this name."
            ),
            models.CheckConstraint(
                condition=Q(priorities__contained_by=PRIORITIES) & ~Q(priorities=[]), name="own_channel_tells_something",
                violation_error_message="Choose a priority at least, or take the channel away.",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.name} of {self.person}"

    @property
    def key(self) -> str:
        """By which messages name it."""
        return f"{OWN}{self.pk}"
