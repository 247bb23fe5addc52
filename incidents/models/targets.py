"""How soon an incident has to be answered: targets by priority, and the hours in which a team works."""

from __future__ import annotations

import datetime as dt

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from catalogue.models import Team
from catalogue.models.service import validate_zone
from incidents.models.escalation import PRIORITIES
from itsm_backup.common.models import Tracked, tracked

A_QUARTER_MIN = 92 * 24 * 60


def _monday_to_friday() -> list[int]:
    return [1, 2, 3, 4, 5]


def _minutes(words: str) -> models.PositiveIntegerField:
    return models.PositiveIntegerField(words, null=True, blank=True, validators=[MaxValueValidator(A_QUARTER_MIN)])


@tracked
class ResponseTarget(Tracked):
    """Within how long an incident of a priority is acknowledged and resolved; empty: whenever it is looked at."""

    class Counts(models.TextChoices):
        ALWAYS = "always", "around the clock"
        WORKING = "working", "in the team's working hours"

    priority = models.CharField(max_length=2, unique=True, choices=[(one, one) for one in PRIORITIES])
    acknowledge_min = _minutes("acknowledge within (min)")
    resolve_min = _minutes("resolve within (min)")
    counts = models.CharField(max_length=8, choices=Counts.choices, default=Counts.ALWAYS)

    class Meta:
        ordering = ["priority"]
        constraints = [
            models.CheckConstraint(
                condition=Q(acknowledge_min=None) | Q(resolve_min=None) | Q(acknowledge_min__lte=F("resolve_min")),
                name="target_acknowledged_before_resolved",
                violation_error_message="It is acknowledged before it is resolved: the first time must not be longer than the second.",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.priority


@tracked
class WorkingHours(Tracked):
    """When a team works. A team without such a row works Monday to Friday, 9 to 17, in the product's time zone."""

    team = models.OneToOneField(Team, on_delete=models.CASCADE, related_name="working_hours")
    days = ArrayField(
        models.PositiveSmallIntegerField(validators=[MinValueValidator(1), MaxValueValidator(7)]),
        default=_monday_to_friday, help_text="Days of the week, 1 for Monday to 7 for Sunday, with commas between.",
    )  # fmt: skip
    starts = models.TimeField(default=dt.time(9))
    ends = models.TimeField(default=dt.time(17))
    zone = models.CharField("time zone", max_length=60, default="UTC", validators=[validate_zone])
    free_days = ArrayField(
        models.DateField(), default=list, blank=True, help_text="Days on which nobody works, such as 2026-12-25, with commas between."
    )

    class Meta:
        ordering = ["team__name"]
        verbose_name = verbose_name_plural = "working hours"
        constraints = [
            models.CheckConstraint(
                condition=Q(ends__gt=F("starts")), name="hours_end_after_start", violation_error_message="Work must end after it starts."
            ),
            models.CheckConstraint(
                condition=Q(days__len__gt=0) & Q(days__contained_by=[1, 2, 3, 4, 5, 6, 7]), name="hours_on_some_day",
                violation_error_message="Name at least one day of the week, 1 to 7.",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.team}"

    def clean(self) -> None:
        """Raises ValidationError where a day of the week stands twice."""
        if len(set(self.days or [])) != len(self.days or []):
            raise ValidationError({"days": "Name each day of the week once."})
