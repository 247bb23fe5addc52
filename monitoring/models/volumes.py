"""What a job moved and how long it took, day by day: the series from which is told what is unusual."""

from __future__ import annotations

from django.db import models

from itsm_backup.common.models import VisibleQuerySet
from monitoring.models.evaluations import Figure
from monitoring.models.jobs import BackupJob


class JobDay(models.Model):
    """One (job, local day) with good runs: the largest and the longest of them. Counted whole, never added to."""

    permission_from = ("job__service", "job__tool")

    job = models.ForeignKey(BackupJob, on_delete=models.CASCADE, related_name="days", db_index=False)
    day = models.DateField()
    runs = models.PositiveIntegerField()
    bytes = models.BigIntegerField(null=True, help_text="Data of the largest good run: what it read, or else what it stored.")
    took_s = models.PositiveIntegerField(null=True, help_text="Duration of the longest good run.")
    largest_run = models.BigIntegerField(null=True)
    longest_run = models.BigIntegerField(null=True)
    judged = models.BooleanField(default=False, help_text="Compared with its weekday: once the day is over, or as many runs came as usual.")
    usual_bytes = models.BigIntegerField(null=True, help_text="Median of the weekday in the eight weeks before, unusual days left out.")
    usual_s = models.PositiveIntegerField(null=True)
    volume_unusual = models.BooleanField(default=False)
    duration_unusual = models.BooleanField(default=False)
    volume_figure = models.ForeignKey(
        Figure,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Why the volume is unusual, for a job that belongs to a service.",
    )
    duration_figure = models.ForeignKey(Figure, null=True, on_delete=models.PROTECT, related_name="+")

    objects = VisibleQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "day"], name="job_day_once")]

    def __str__(self) -> str:
        return f"{self.job} on {self.day}"
