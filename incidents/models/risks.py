"""A risk that is accepted: until a day, owned by somebody, asked for by one person and granted by another."""

from __future__ import annotations

import datetime as dt
from typing import Any, Self

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Exists, F, OuterRef, Q

from incidents.models.problems import Problem
from itsm_backup.common.models import VisibleQuerySet


class RiskQuerySet(VisibleQuerySet):
    def visible_to(self, user: Any, action: str = "view") -> Self:
        return self.filter(Exists(Problem.objects.visible_to(user, action).filter(pk=OuterRef("problem"))))

    def in_force(self, at: dt.datetime) -> Self:
        """Those that were granted by then and not over yet."""
        return self.filter(granted=True, answered_at__lte=at).filter(Q(ended_at=None) | Q(ended_at__gt=at))


class RiskAcceptance(models.Model):
    """Leave to live with what is behind a problem. It waits until somebody else grants or refuses it; granted, it never changes."""

    problem = models.ForeignKey(Problem, on_delete=models.PROTECT, related_name="acceptances")
    reason = models.TextField(help_text="Why it is borne, and what helps meanwhile.")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", help_text="Who answers for it.")
    until = models.DateField(help_text="The last day on which it holds.")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    granted = models.BooleanField(null=True, help_text="Empty while it waits for somebody else.")
    answered_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    answered_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True, help_text="When its last day was over and it was asked about again.")

    objects = RiskQuerySet.as_manager()

    class Meta:
        ordering = ["-asked_at"]
        constraints = [
            models.UniqueConstraint(fields=["problem"], condition=Q(granted=None), name="risk_one_waits"),
            models.CheckConstraint(
                condition=Q(granted=None) | Q(answered_by__isnull=False, answered_at__isnull=False), name="risk_answered_by_somebody"
            ),
            models.CheckConstraint(
                condition=~Q(granted=True) | (~Q(answered_by=F("asked_by")) & ~Q(answered_by=F("owner"))),
                name="risk_granted_by_somebody_else",
                violation_error_message="Neither who asked for it nor who owns the risk can grant it.",
            ),
        ]
        indexes = [models.Index(fields=["until"], name="risk_in_force", condition=Q(granted=True, ended_at=None))]
        triggers = [
            pgtrigger.Trigger(
                name="answered_is_fixed",
                when=pgtrigger.Before,
                operation=pgtrigger.Update | pgtrigger.Delete,
                func="""
                IF OLD.granted IS NOT NULL AND (TG_OP = 'DELETE' OR OLD.ended_at IS NOT NULL
                   OR (to_jsonb(NEW) - 'ended_at') IS DISTINCT FROM (to_jsonb(OLD) - 'ended_at'))
                THEN RAISE EXCEPTION 'an answered acceptance of a risk never changes: it only ends'; END IF;
                RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
                """,
            )
        ]

    def __str__(self) -> str:
        return f"risk of {self.problem} until {self.until:%d %b %Y}"
