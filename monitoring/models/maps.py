"""Documents by which tools are read over HTTP: numbered, written by one person, put in force by another."""

from __future__ import annotations

import pgtrigger
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models

from itsm_backup.common.models import Tracked, tracked
from monitoring.connectors.map_document import BadDocument, parsed


def validate_document(text: str) -> None:
    try:
        parsed(text)
    except BadDocument as error:
        raise ValidationError(str(error)) from None


@tracked
class ToolMap(Tracked):
    """One version of a map. What it says never changes: a correction is the next version."""

    class State(models.TextChoices):
        DRAFT = "draft", "draft"
        IN_FORCE = "in_force", "in force"
        REPLACED = "replaced", "replaced"
        CANCELLED = "cancelled", "cancelled"

    name = models.SlugField(max_length=60, help_text="By which tools choose it; a map of the product is replaced by one of its name.")
    number = models.PositiveIntegerField(editable=False)
    document = models.TextField(validators=[validate_document], help_text="YAML, as docs/connectors/mapped.md describes it.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT, editable=False)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", editable=False)
    approver = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+", editable=False)
    approved_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["name", "-number"]
        verbose_name = "map of a tool"
        verbose_name_plural = "maps of tools"
        permissions = [("approve_toolmap", "Can put a map in force")]
        constraints = [
            models.UniqueConstraint(fields=["name", "number"], name="toolmap_number_once"),
            models.UniqueConstraint(fields=["name"], condition=models.Q(state="in_force"), name="toolmap_one_in_force"),
            models.CheckConstraint(
                condition=models.Q(approver__isnull=True) | ~models.Q(approver=models.F("author")), name="toolmap_approved_by_another"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=("draft", "cancelled")) | models.Q(approver__isnull=False, approved_at__isnull=False),
                name="toolmap_in_force_is_approved",
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="map_is_fixed",
                when=pgtrigger.Before,
                operation=pgtrigger.Update | pgtrigger.Delete,
                func="""
                IF TG_OP = 'DELETE' OR (NEW.name, NEW.number, NEW.document, NEW.author_id) IS DISTINCT FROM
                   (OLD.name, OLD.number, OLD.document, OLD.author_id)
                THEN RAISE EXCEPTION 'what a map says never changes: write the next version'; END IF;
                RETURN NEW;
                """,
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} version {self.number}"
