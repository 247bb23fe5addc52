"""What a steward need not type: the levels that a tier starts with, and the classification labels with their meaning."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from itsm_backup.common.models import Tracked, tracked


@tracked
class TierDefault(Tracked):
    """What the first draft of an entry promises when nobody says otherwise. Changing it changes no version that exists."""

    tier = models.PositiveSmallIntegerField(unique=True, validators=[MinValueValidator(1), MaxValueValidator(4)])
    rpo_s = models.PositiveIntegerField("recovery point (RPO), seconds", validators=[MinValueValidator(60)])
    rto_s = models.PositiveIntegerField("recovery time (RTO), seconds", validators=[MinValueValidator(60)])
    success_rate = models.DecimalField(max_digits=6, decimal_places=5, help_text="Share of due backups that succeed in a month.")
    rpo_attainment_rate = models.DecimalField("time within the recovery point", max_digits=6, decimal_places=5)
    restore_test_days = models.PositiveIntegerField("restore test at least every … days", validators=[MinValueValidator(1)])
    copy_scheme = models.CharField(max_length=40)

    class Meta:
        ordering = ["tier"]
        constraints = [
            models.CheckConstraint(condition=models.Q(tier__gte=1, tier__lte=4), name="tier_default_tier_1_to_4"),
            models.CheckConstraint(
                condition=models.Q(success_rate__gt=0, success_rate__lte=1, rpo_attainment_rate__gt=0, rpo_attainment_rate__lte=1),
                name="tier_default_rates_are_shares",
            ),
        ]

    def __str__(self) -> str:
        return f"Tier {self.tier}"


@tracked
class Label(Tracked):
    """A classification label: the word on entries, and what it obliges to."""

    word = models.CharField(max_length=40, unique=True)
    meaning = models.TextField(blank=True, help_text="Whom or what it protects, and what that asks of the backups.")

    class Meta:
        ordering = ["word"]

    def __str__(self) -> str:
        return self.word
