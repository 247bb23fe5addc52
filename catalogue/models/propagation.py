"""Who is affected by a provider that is degraded or out: kept apart from the service's own status. Written by the machine."""

from __future__ import annotations

from django.db import models

from catalogue.models.service import Service
from catalogue.models.status import OperationalStatus
from itsm_backup.common.models import VisibleQuerySet, append_only

SPREADING = [(each.value, each.label) for each in (OperationalStatus.DEGRADED, OperationalStatus.OUTAGE)]


@append_only
class Propagation(models.Model):
    """One step: from `at` on a provider's status reaches the service, or (without a status) none does any more."""

    permission_from = ("service",)

    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="propagations", db_index=False)
    at = models.DateTimeField()
    status = models.CharField(max_length=12, choices=SPREADING, blank=True)
    cause = models.ForeignKey(Service, null=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    inputs = models.JSONField(help_text="Own status, status of the cause, and the relations between them with their versions.")
    inputs_hash = models.BinaryField(max_length=32)
    method_version = models.CharField(max_length=20)

    objects = VisibleQuerySet.as_manager()

    class Meta:
        indexes = [models.Index("service", models.F("at").desc(), models.F("id").desc(), name="propagation_of_service")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status="", cause=None) | (~models.Q(status="") & models.Q(cause__isnull=False)),
                name="propagation_has_a_cause",
            )
        ]

    def __str__(self) -> str:
        return f"{self.service}: {self.status or 'not affected any more'}"


class PropagatedStatus(models.Model):
    """One row per service that is affected now. Its own status stands in ServiceStatus and is better than this one."""

    permission_from = ("service",)

    service = models.OneToOneField(Service, primary_key=True, on_delete=models.CASCADE, related_name="propagated")
    status = models.CharField(max_length=12, choices=SPREADING)
    since = models.DateTimeField(help_text="Since when it has been affected so, whatever caused it first.")
    cause = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="+")
    step = models.ForeignKey(Propagation, on_delete=models.PROTECT, related_name="+")

    objects = VisibleQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "propagated statuses"
        constraints = [models.CheckConstraint(condition=~models.Q(service=models.F("cause")), name="propagated_from_another")]

    def __str__(self) -> str:
        return f"{self.service}: affected by {self.cause}"
