"""Addresses under which the page of business users is read without signing in: unguessable, and taken back when they should end."""

from __future__ import annotations

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from itsm_backup.common.models import VisibleQuerySet


class StatusLinkQuerySet(VisibleQuerySet):
    def in_force(self) -> Self:
        return self.filter(revoked_at=None)


class StatusLink(models.Model):
    """One address. Only a hash of its secret part is kept, so that it is shown once, to who made it."""

    label = models.CharField(max_length=120, help_text="For whom it is.")
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    made_at = models.DateTimeField()
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")

    objects = StatusLinkQuerySet.as_manager()

    class Meta:
        ordering = ["-made_at"]
        constraints = [
            models.CheckConstraint(condition=~Q(label=""), name="status_link_says_for_whom"),
            models.CheckConstraint(
                condition=Q(revoked_at=None, revoked_by=None) | Q(revoked_at__isnull=False, revoked_by__isnull=False),
                name="status_link_revoked_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return self.label
