"""What people answered by mail: each message once, whatever a mail server delivers again."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from incidents.models.incident import Incident
from itsm_backup.common.models import append_only


@append_only
class Reply(models.Model):
    """One message that came back, and what was done about it. Its words stand in the story of the incident, not here."""

    class Did(models.TextChoices):
        NOTED = "noted", "written into the story"
        ACKNOWLEDGED = "acknowledged", "acknowledged"
        ANSWERED = "answered", "refused, the sender was told"
        REFUSED = "refused", "refused, the mail server was told"
        IGNORED = "ignored", "sent by a machine, ignored"

    message_id = models.CharField(max_length=255, unique=True)
    received_at = models.DateTimeField()
    sender = models.CharField(max_length=254, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    incident = models.ForeignKey(Incident, null=True, on_delete=models.PROTECT, related_name="replies")
    did = models.CharField(max_length=12, choices=Did.choices)
    told = models.TextField(help_text="What was done, or why not.")

    class Meta:
        verbose_name_plural = "replies"
        ordering = ["-received_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.sender}: {self.get_did_display()}"
