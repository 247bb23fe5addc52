"""What a tool's own words and numbers mean here: numbered texts, written by one person and approved by another."""

from __future__ import annotations

import datetime as dt
from typing import Self

from django.db import models

from catalogue.models.agreements import Approved, approved_constraints, approved_is_fixed
from itsm_backup.common.models import TrackedQuerySet, tracked
from monitoring.models.tools import Tool


class StatusMapQuerySet(TrackedQuerySet):
    def in_force(self, at: dt.datetime) -> Self:
        """Approved versions at `at`, newest first: the first one of a tool counts."""
        return self.filter(state="approved", approved_at__lte=at).order_by("-number")


@tracked
class StatusMap(Approved):
    """One version of a tool's status and unit map. Where it says nothing, the connector's own reading counts."""

    permission_from = ("tool",)

    tool = models.ForeignKey(Tool, on_delete=models.CASCADE, related_name="status_maps")
    words = models.JSONField(default=dict, blank=True, help_text="The tool's word and the outcome that it means.")
    units = models.JSONField(default=dict, blank=True, help_text="A number of a run and the unit in which the tool tells it.")
    reason = models.TextField(help_text="Why this version is made.")
    effect = models.JSONField(null=True, help_text="What it would have changed when it was last tried; what it did change, once approved.")
    tried_at = models.DateTimeField(null=True)

    objects = StatusMapQuerySet.as_manager()

    class Meta:
        verbose_name = "status map"
        ordering = ["tool", "-number"]
        permissions = [("approve_statusmap", "Can approve a status map that somebody else wrote")]
        constraints = [
            models.UniqueConstraint(fields=["tool", "number"], name="statusmap_number_once"),
            models.UniqueConstraint(fields=["tool"], condition=models.Q(state="draft"), name="statusmap_one_draft"),
            models.CheckConstraint(
                condition=~models.Q(state="approved") | models.Q(effect__isnull=False, tried_at__isnull=False),
                name="statusmap_effect_was_shown",
            ),
            *approved_constraints("statusmap"),
        ]
        triggers = [approved_is_fixed()]

    def __str__(self) -> str:
        return f"status map of {self.tool}, version {self.number}"
