"""What happened to a draft on its way: every content it had, and what people said about it."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from catalogue.models.service import ServiceVersion
from itsm_backup.common.models import VisibleQuerySet, append_only


@append_only
class Revision(models.Model):
    """The content of an open version after one edit. Its hash is what an editor started from and what an approver saw."""

    permission_from = ("version__service",)

    version = models.ForeignKey(ServiceVersion, on_delete=models.PROTECT, related_name="revisions")
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.TextField()
    content = models.JSONField()
    content_hash = models.CharField(max_length=64)

    objects = VisibleQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index("version", models.F("id").desc(), name="revision_newest")]

    def __str__(self) -> str:
        return f"{self.version} as of {self.at:%Y-%m-%d %H:%M}"


@append_only
class Comment(models.Model):
    """What somebody said about a version before it was decided on."""

    permission_from = ("version__service",)

    version = models.ForeignKey(ServiceVersion, on_delete=models.PROTECT, related_name="comments")
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    text = models.TextField()
    content_hash = models.CharField(max_length=64, help_text="What it was said about.")
    is_return = models.BooleanField(default=False, help_text="It is the reason for which the version was returned to draft.")

    objects = VisibleQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.by} on {self.version}"
