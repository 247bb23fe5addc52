"""Where an entry stands now, and every step it took there. Written by the machine."""

from __future__ import annotations

import datetime as dt
from typing import Self

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models.functions import Coalesce

from catalogue.models.service import Service, SpanToItself
from itsm_backup.common.models import Tracked, TrackedQuerySet, VisibleQuerySet, append_only, tracked


class OperationalStatus(models.TextChoices):
    OPERATIONAL = "operational", "Operational"
    DEGRADED = "degraded", "Degraded"
    OUTAGE = "outage", "Outage"
    MAINTENANCE = "maintenance", "Maintenance"
    UNKNOWN = "unknown", "Unknown"


class ServiceStatus(models.Model):
    """One row per service. `evaluation` is the id of the evaluation that decided (a fact of the floor above)."""

    permission_from = ("service",)

    service = models.OneToOneField(Service, primary_key=True, on_delete=models.CASCADE, related_name="status")
    status = models.CharField(max_length=12, choices=OperationalStatus.choices, default=OperationalStatus.UNKNOWN)
    since = models.DateTimeField()
    reason = models.TextField(blank=True)
    evaluation = models.BigIntegerField(null=True)
    propagate_at = models.DateTimeField(null=True, help_text="When it has to be looked at whom the status reaches.")

    objects = VisibleQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "service statuses"
        indexes = [models.Index(fields=["propagate_at"], name="status_to_propagate", condition=models.Q(propagate_at__isnull=False))]

    def __str__(self) -> str:
        return f"{self.service}: {self.get_status_display()}"


@append_only
class StatusChange(models.Model):
    """One step of a service's status, with what decided it."""

    permission_from = ("service",)

    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="status_changes")
    at = models.DateTimeField()
    from_status = models.CharField(max_length=12, choices=OperationalStatus.choices, blank=True)
    to_status = models.CharField(max_length=12, choices=OperationalStatus.choices)
    reason = models.TextField()
    evaluation = models.BigIntegerField(null=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")

    objects = VisibleQuerySet.as_manager()

    class Meta:
        indexes = [models.Index("service", models.F("at").desc(), name="statuschange_of_service")]

    def __str__(self) -> str:
        return f"{self.service}: {self.from_status or '–'} → {self.to_status}"


class Period(models.Func):
    """The time between two instants, the first included."""

    function, output_field = "TSTZRANGE", DateTimeRangeField()


class OverrideQuerySet(TrackedQuerySet):
    def standing(self, at: dt.datetime) -> Self:
        """Overrides that hold at `at`; at most one of each service."""
        return self.filter(models.Q(ended_at=None) | models.Q(ended_at__gt=at), made_at__lte=at, expires_at__gt=at)


@tracked
class StatusOverride(Tracked):
    """A person's word on the status of a service, in place of the computed one, until it expires or is ended. The verdict stays."""

    SETTABLE = (
        OperationalStatus.OPERATIONAL, OperationalStatus.DEGRADED, OperationalStatus.OUTAGE, OperationalStatus.MAINTENANCE,
    )  # fmt: skip
    permission_from = ("service",)

    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="status_overrides")
    status = models.CharField(max_length=12, choices=[(each.value, each.label) for each in SETTABLE])
    reason = models.TextField()
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", help_text="Who answers for it.")
    made_at = models.DateTimeField()
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    objects = OverrideQuerySet.as_manager()

    class Meta:
        ordering = ["-made_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(expires_at__gt=models.F("made_at"), expires_at__lte=models.F("made_at") + dt.timedelta(days=30)),
                name="override_expires",
                violation_error_message="It must end after it begins, and within 30 days.",
            ),
            models.CheckConstraint(
                condition=models.Q(ended_at=None, ended_by=None) | models.Q(ended_at__gte=models.F("made_at"), ended_by__isnull=False),
                name="override_ended_by_somebody",
            ),
            ExclusionConstraint(
                name="override_one_at_a_time",
                expressions=[
                    (Period("made_at", Coalesce("ended_at", "expires_at")), RangeOperators.OVERLAPS),
                    (SpanToItself(models.F("service_id")), RangeOperators.OVERLAPS),
                ],
                violation_error_message="Its status is set by hand already. End that first.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.service}: {self.get_status_display()} by hand"
