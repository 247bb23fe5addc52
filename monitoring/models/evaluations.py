"""What was decided, from which inputs, by which versions: enough to decide it again years later."""

from __future__ import annotations

from django.db import models

from catalogue.models import Service, ServiceVersion
from itsm_backup.common.models import VisibleQuerySet, append_only
from monitoring.models.tools import Tool


@append_only
class Evaluation(models.Model):
    """One judgement of a service, or of a tool's silence. A new row only when inputs or result differ from the latest."""

    permission_from = ("service", "tool")

    service = models.ForeignKey(Service, null=True, on_delete=models.PROTECT, related_name="evaluations", db_index=False)
    tool = models.ForeignKey(Tool, null=True, on_delete=models.PROTECT, related_name="evaluations", db_index=False)
    at = models.DateTimeField()
    version = models.ForeignKey(ServiceVersion, null=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    workflow = models.BigIntegerField(help_text="History id of the status workflow used.")
    mapping = models.JSONField(default=dict, help_text="History id of the attribution rule per job.")
    method_version = models.CharField(max_length=20)
    inputs = models.JSONField()
    inputs_hash = models.BinaryField(max_length=32)
    result = models.JSONField()
    verdict = models.CharField(max_length=8)
    status = models.CharField(max_length=12)

    objects = VisibleQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index("service", models.F("at").desc(), models.F("id").desc(), name="evaluation_of_service"),
            models.Index("tool", models.F("at").desc(), name="evaluation_of_tool", condition=models.Q(tool__isnull=False)),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(service__isnull=False, tool__isnull=True) | models.Q(service__isnull=True, tool__isnull=False),
                name="evaluation_of_service_or_tool",
            )
        ]

    def __str__(self) -> str:
        return f"evaluation {self.pk}"


@append_only
class Figure(models.Model):
    """A published number: method and version, canonical inputs and their hash, entry version, when it was computed."""

    permission_from = ("service",)

    evaluation = models.ForeignKey(Evaluation, null=True, on_delete=models.PROTECT, related_name="figures")
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="figures", db_index=False)
    version = models.ForeignKey(ServiceVersion, null=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    method_id = models.CharField(max_length=20)
    method_version = models.CharField(max_length=8)
    inputs = models.JSONField()
    inputs_hash = models.BinaryField(max_length=32)
    value = models.JSONField()
    computed_at = models.DateTimeField()

    objects = VisibleQuerySet.as_manager()

    class Meta:
        indexes = [models.Index("service", "method_id", models.F("computed_at").desc(), name="figure_of_service")]

    def __str__(self) -> str:
        return f"{self.method_id} of {self.service}"
