"""What a report tells each audience: its sections in order, chosen by a steward. Every change is a new version of the template."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models

from itsm_backup.common.models import Tracked, tracked
from reporting.sections import SECTIONS


@tracked
class ReportTemplate(Tracked):
    """The sections of one audience's report, in order. The first sentence, the figures and the foot are always there."""

    class Audience(models.TextChoices):
        TECHNICAL = "technical", "Technical report"
        EXECUTIVE = "executive", "Executive page"
        AUDITOR = "auditor", "Auditor's report"

    audience = models.CharField(max_length=10, choices=Audience.choices, unique=True, editable=False)
    sections = ArrayField(models.CharField(max_length=20), help_text="Numbered in the order in which they stand; empty: left out.")

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.get_audience_display()

    @property
    def version(self) -> int:
        """1 as shipped; every change adds one."""
        return int(self.history.count())

    def clean(self) -> None:
        unknown = [name for name in self.sections or [] if name not in SECTIONS[self.audience]]
        if unknown or len(set(self.sections or [])) != len(self.sections or []):
            raise ValidationError({"sections": f"Choose each section once, out of: {', '.join(SECTIONS[self.audience].values())}."})
