"""Restore tests: what a run proved about getting copies back."""

from __future__ import annotations

from django.db import models

from itsm_backup.common.models import VisibleQuerySet
from monitoring.models.jobs import BackupJob, RestorePoint
from monitoring.models.runs import BackupRun


class RestoreTest(models.Model):
    """One restore that was tried on purpose, read from its run and made anew whenever the run changes.

    A restore whose content was compared and differs has failed, whatever its exit code said.
    """

    class Scope(models.TextChoices):
        FULL = "full", "everything"
        SAMPLE = "sample", "a sample"

    class Outcome(models.TextChoices):
        PASSED = "passed", "passed"
        FAILED = "failed", "failed"
        INCONCLUSIVE = "inconclusive", "inconclusive"

    permission_from = ("job__service", "job__tool")

    run = models.OneToOneField(BackupRun, on_delete=models.CASCADE, related_name="restore_test")
    job = models.ForeignKey(BackupJob, on_delete=models.CASCADE, related_name="restore_tests", db_index=False)
    scope = models.CharField(max_length=6, choices=Scope.choices)
    outcome = models.CharField(max_length=12, choices=Outcome.choices)
    verified = models.BooleanField(null=True, help_text="Whether what came back was compared and right; empty: nobody compared it.")
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    usable_at = models.DateTimeField(null=True, help_text="When the service could have used what came back; empty when it could not.")
    duration_s = models.PositiveIntegerField(null=True, help_text="From the start until usable; empty when one of them is not known.")
    point = models.ForeignKey(RestorePoint, null=True, on_delete=models.SET_NULL, related_name="restore_tests")
    rows = models.BigIntegerField(null=True)
    files = models.BigIntegerField(null=True)
    size_bytes = models.BigIntegerField(null=True)
    message = models.CharField(max_length=500, blank=True)

    objects = VisibleQuerySet.as_manager()

    class Meta:
        indexes = [models.Index("job", models.F("ended_at").desc(), name="restore_test_of_job")]
        constraints = [
            models.CheckConstraint(condition=models.Q(ended_at__gte=models.F("started_at")), name="restore_test_ends_after_start"),
            models.CheckConstraint(condition=models.Q(usable_at=None) | models.Q(outcome="passed"), name="restore_test_usable_when_passed"),
        ]

    def __str__(self) -> str:
        return f"restore test of {self.started_at:%Y-%m-%d %H:%M} UTC"
