"""Where an entry stands now, and every step it took there. Written by the machine."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from catalogue.models.service import Service
from itsm_backup.common.models import VisibleQuerySet, append_only


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

    objects = VisibleQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "service statuses"

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
