"""What was seen of the backups behind an entry, and where that changed after the entry was last approved."""

from __future__ import annotations

import datetime as dt
from typing import Self

from django.conf import settings
from django.db import models

from catalogue.models import Service, ServiceVersion
from itsm_backup.common.models import Tracked, VisibleQuerySet, tracked
from monitoring.models.jobs import BackupJob


class DetectedValue(models.Model):
    """The newest value of one aspect of an entry's backups; without a job, of the entry as a whole. It is compared with what comes."""

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="detected_values")
    job = models.ForeignKey(BackupJob, null=True, on_delete=models.CASCADE, related_name="+")
    aspect = models.CharField(max_length=200)
    value = models.TextField(blank=True)
    since_at = models.DateTimeField()
    looked_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["service", "job", "aspect"], nulls_distinct=False, name="detected_value_once")]
        indexes = [models.Index(fields=["looked_at"], condition=models.Q(job=None), name="detected_by_look")]

    def __str__(self) -> str:
        return f"{self.aspect} of {self.job or self.service}: {self.value}"


class ChangeQuerySet(VisibleQuerySet):
    def waiting(self, at: dt.datetime) -> Self:
        """Changes known at `at` that are not undone, settled, or taken up by a version approved since."""
        taken_up = ServiceVersion.objects.filter(
            service=models.OuterRef("service"), state="approved", approved_at__gt=models.OuterRef("detected_at"), approved_at__lte=at
        )
        undone, settled = models.Q(undone_at__lte=at), models.Q(settled__settled_at__lte=at)
        return self.filter(~models.Exists(taken_up), detected_at__lte=at).exclude(undone).exclude(settled)


class DetectedChange(models.Model):
    """An aspect of an entry's backups is another than it was: does the entry still say what is true? Written by the machine."""

    permission_from = ("service",)

    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="detected_changes")
    job = models.ForeignKey(BackupJob, null=True, on_delete=models.PROTECT, related_name="+")
    aspect = models.CharField(max_length=200)
    before = models.TextField(blank=True)
    after = models.TextField(blank=True)
    detected_at = models.DateTimeField(db_index=True)
    undone_at = models.DateTimeField(null=True, help_text="When it was again as before.")

    objects = ChangeQuerySet.as_manager()

    class Meta:
        ordering = ["-detected_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["service", "job", "aspect", "detected_at"], nulls_distinct=False, name="detected_change_once"
            )
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.aspect} of {self.job or self.service}: {self.before} → {self.after}"


@tracked
class SettledChange(Tracked):
    """A person's word that a detected change needs no new version; taken back by deleting it, with a reason."""

    permission_from = ("change__service",)

    change = models.OneToOneField(DetectedChange, on_delete=models.CASCADE, related_name="settled")
    reason = models.TextField()
    settled_at = models.DateTimeField()
    settled_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    def __str__(self) -> str:
        return f"No new version for {self.change}"
