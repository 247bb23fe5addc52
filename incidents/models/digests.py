"""What a person wants to be told when: a digest each day, and what may wait for it; and the digests that were made."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from catalogue.models.service import validate_zone
from itsm_backup.common.models import Notice, Tracked, append_only, tracked

MAY_WAIT = ["P3", "P4", "P5"]


@tracked
class DigestPreference(Tracked):
    """One person's own choice; without a row no digest comes, and everything is told at once."""

    class Wish(models.TextChoices):
        DAILY = "daily", "every day"
        EXCEPTIONS = "exceptions", "only when there are exceptions"
        NEVER = "never", "never"

    person = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="digest_preference")
    digest = models.CharField(max_length=10, choices=Wish.choices, default=Wish.NEVER)
    told_at = models.TimeField("at", default=dt.time(7), help_text="Local time in the zone.")
    zone = models.CharField("time zone", max_length=64, default="UTC", validators=[validate_zone])
    waits = ArrayField(
        models.CharField(max_length=2, choices=[(one, one) for one in MAY_WAIT]), default=list, blank=True,
        help_text="Incidents of these priorities wait for the digest, unless a policy tells them at any hour or tells nobody else.",
    )  # fmt: skip

    class Meta:
        ordering = ["person"]
        constraints = [
            models.CheckConstraint(
                condition=Q(waits__contained_by=MAY_WAIT),
                name="digest_urgent_never_waits",
                violation_error_message="P1 and P2 never wait.",
            ),
            models.CheckConstraint(
                condition=Q(waits=[]) | Q(digest__in=["daily", "exceptions"]),
                name="digest_waits_for_something",
                violation_error_message="What waits needs a digest to wait for.",
            ),
        ]

    def __str__(self) -> str:
        return f"digest of {self.person}"


@append_only
class Digest(models.Model):
    """The digest of one person and local day: made once, and sent unless there was nothing to tell."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="digests")
    on = models.DateField()
    at = models.DateTimeField()
    exceptions = models.PositiveIntegerField()
    notice = models.ForeignKey(Notice, null=True, on_delete=models.PROTECT, related_name="+", help_text="Empty: there was nothing to tell.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "on"], name="digest_once_a_day")]

    def __str__(self) -> str:
        return f"digest of {self.person} on {self.on}"
