"""Times in which other rules hold: maintenance excuses what was due in it."""

from __future__ import annotations

import datetime as dt
from typing import Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models

from catalogue.models.service import Service
from itsm_backup.common.models import Tracked, TrackedQuerySet, tracked

LONGEST = dt.timedelta(days=31)  # a window silences alerts: what lasts longer is another promise, not maintenance
TOO_LONG = f"A window lasts {LONGEST.days} days at most: it silences alerts. Declare what follows as a window of its own."
OVER = "The window is over already and would excuse nothing: what was due in it is history."


class WindowQuerySet(TrackedQuerySet):
    def holding(self, at: dt.datetime) -> Self:
        return self.filter(starts_at__lte=at, ends_at__gt=at)


@tracked
class Window(Tracked):
    """A maintenance window of one service. It excuses only what became due after it was decided: nothing retroactive."""

    permission_from = ("service",)

    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="windows")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    purpose = models.CharField(max_length=200)
    decided_at = models.DateTimeField(editable=False)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, editable=False, on_delete=models.PROTECT, related_name="+")

    objects = WindowQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["service", "starts_at", "ends_at"], name="window_of_service")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("starts_at")),
                name="window_ends_after_start",
                violation_error_message="The window must end after it starts.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.service}: {self.purpose}"

    def clean(self) -> None:
        if self.starts_at and self.ends_at and self.ends_at - self.starts_at > LONGEST:
            raise ValidationError({"ends_at": TOO_LONG})
