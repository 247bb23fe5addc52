"""What tools discovered, as part of a backup service of the scope register."""

from __future__ import annotations

import datetime as dt
from typing import Self

from django.db import models

from catalogue.models import ScopeLine
from itsm_backup.common.models import Tracked, TrackedQuerySet, tracked
from monitoring.models.jobs import BackupJob
from monitoring.models.tools import Tool


class ClaimQuerySet(TrackedQuerySet):
    def standing(self, at: dt.datetime) -> Self:
        """Claims that hold at `at`."""
        return self.filter(models.Q(ended_at=None) | models.Q(ended_at__gt=at), made_at__lte=at)


@tracked
class ScopeClaim(Tracked):
    """A repository with all jobs that write to it, or a single job, belongs to this backup service, says a person."""

    permission_from = ("line",)

    line = models.ForeignKey(ScopeLine, verbose_name="backup service", on_delete=models.PROTECT, related_name="claims")
    tool = models.ForeignKey(Tool, on_delete=models.CASCADE, related_name="scope_claims")
    repository_name = models.CharField("repository", max_length=300, blank=True)
    job = models.ForeignKey(BackupJob, null=True, blank=True, on_delete=models.CASCADE, related_name="scope_claims")
    made_at = models.DateTimeField(editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)

    objects = ClaimQuerySet.as_manager()

    class Meta:
        verbose_name = "part of a backup service"
        verbose_name_plural = "parts of backup services"
        ordering = ["line", "tool", "repository_name"]
        constraints = [
            models.UniqueConstraint(
                fields=["tool", "repository_name"],
                condition=models.Q(job=None, ended_at=None),
                name="scope_repository_once",
                violation_error_message="This repository belongs to a backup service already.",
            ),
            models.UniqueConstraint(
                fields=["job"],
                condition=models.Q(job__isnull=False, ended_at=None),
                name="scope_job_once",
                violation_error_message="This job belongs to a backup service already.",
            ),
            models.CheckConstraint(
                condition=models.Q(job__isnull=True) ^ models.Q(repository_name=""),
                name="scope_repository_or_job",
                violation_error_message="Name either a repository or a job.",
            ),
            models.CheckConstraint(
                condition=models.Q(ended_at=None) | models.Q(ended_at__gt=models.F("made_at")), name="scope_claim_ends_after_start"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.job or self.repository_name} of {self.tool}"
