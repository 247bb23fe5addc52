"""How often tools are asked: the shares of a recovery point by tier, the bounds, and how many questions each source stands."""

from __future__ import annotations

from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from itsm_backup.common.models import Tracked, tracked


def _share(tier: int, shipped: str) -> models.DecimalField:
    return models.DecimalField(
        f"share of the recovery point, tier {tier}", max_digits=4, decimal_places=3, default=Decimal(shipped),
        validators=[MinValueValidator(Decimal("0.001")), MaxValueValidator(1)],
        help_text=f"A tool is asked again after this share of the recovery point of a tier {tier} service.",
    )  # fmt: skip


@tracked
class PollingPolicy(Tracked):
    """What the interval of a tool is worked out by. One row."""

    tier_1_fraction = _share(1, "0.05")
    tier_2_fraction = _share(2, "0.10")
    tier_3_fraction = _share(3, "0.20")
    tier_4_fraction = _share(4, "0.20")
    least_s = models.PositiveIntegerField("never more often than", default=300, validators=[MinValueValidator(60)])
    most_s = models.PositiveIntegerField("never less often than", default=21_600, validators=[MaxValueValidator(86_400)])
    use_fraction = models.DecimalField(
        "share of a budget that is used", max_digits=4, decimal_places=3, default=Decimal("0.8"),
        validators=[MinValueValidator(Decimal("0.01")), MaxValueValidator(1)],
        help_text="The rest is left to people and to other programs.",
    )  # fmt: skip

    class Meta:
        verbose_name = "cadence policy"
        verbose_name_plural = "cadence policy"
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="polling_policy_is_one_row"),
            models.CheckConstraint(
                condition=models.Q(least_s__gte=60, most_s__lte=86_400, least_s__lte=models.F("most_s")),
                name="polling_between_bounds",
                violation_error_message="Tools are asked at most once a minute and at least once a day, the lower bound first.",
            ),
            models.CheckConstraint(
                condition=models.Q(use_fraction__gt=0, use_fraction__lte=1)
                & models.Q(tier_1_fraction__gt=0, tier_2_fraction__gt=0, tier_3_fraction__gt=0, tier_4_fraction__gt=0)
                & models.Q(tier_1_fraction__lte=1, tier_2_fraction__lte=1, tier_3_fraction__lte=1, tier_4_fraction__lte=1),
                name="polling_shares_are_shares",
                violation_error_message="A share is more than 0 and at most 1.",
            ),
        ]

    def __str__(self) -> str:
        return "Cadence policy"


@tracked
class RequestBudget(Tracked):
    """How many questions a source stands, where several tools share it: an account, a server, a gateway."""

    name = models.CharField(max_length=80, unique=True)
    requests_per_hour = models.PositiveIntegerField(
        "questions an hour", validators=[MinValueValidator(1)], help_text="What its maker or owner allows, all tools together."
    )
    at_once = models.PositiveSmallIntegerField(
        "tools asked at once", default=1, validators=[MinValueValidator(1)], help_text="So many of its tools are asked at the same time."
    )

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(requests_per_hour__gte=1, at_once__gte=1),
                name="budget_allows_something",
                violation_error_message="A budget allows at least one question an hour and one tool at a time.",
            )
        ]

    def __str__(self) -> str:
        return self.name
