"""How a tool's own attributes become fields of the catalogue: numbered texts, written by one person and approved by another."""

from __future__ import annotations

import datetime as dt
from typing import Self

from django.db import models

from catalogue.models.agreements import Approved, approved_constraints, approved_is_fixed
from itsm_backup.common.models import TrackedQuerySet, tracked
from monitoring.models.tools import Tool


class MappingQuerySet(TrackedQuerySet):
    def in_force(self, at: dt.datetime) -> Self:
        """Approved versions at `at`, newest first: the first one of a tool counts."""
        return self.filter(state="approved", approved_at__lte=at).order_by("-number")


@tracked
class AttributeMapping(Approved):
    """One version of a tool's mapping. The newest approved one counts; approved, it never changes."""

    permission_from = ("tool",)

    tool = models.ForeignKey(Tool, on_delete=models.CASCADE, related_name="mappings")
    rows = models.JSONField(default=list, help_text="Path, field, unit, transform and words of each attribute that is mapped.")
    reason = models.TextField(help_text="Why this version is made.")

    objects = MappingQuerySet.as_manager()

    class Meta:
        verbose_name = "attribute mapping"
        ordering = ["tool", "-number"]
        permissions = [("approve_attributemapping", "Can approve a mapping that somebody else wrote")]
        constraints = [
            models.UniqueConstraint(fields=["tool", "number"], name="mapping_number_once"),
            models.UniqueConstraint(fields=["tool"], condition=models.Q(state="draft"), name="mapping_one_draft"),
            *approved_constraints("mapping"),
        ]
        triggers = [approved_is_fixed()]

    def __str__(self) -> str:
        return f"mapping of {self.tool}, version {self.number}"
