"""Rules that people tune: which service a job belongs to, what a failure means, and when a status changes."""

from __future__ import annotations

import datetime as dt
from typing import Self

from django.core.exceptions import ValidationError
from django.db import models

from catalogue.models import Service
from itsm_backup.common.models import Tracked, TrackedQuerySet, tracked
from monitoring.conditions import FIELDS, IDENTITY, OPERATORS, Condition, problem_of, problem_with_pattern
from monitoring.models.tools import Tool


def validate_pattern(pattern: str) -> None:
    if told := problem_with_pattern(pattern):
        raise ValidationError(told)


class RuleQuerySet(TrackedQuerySet):
    def in_force(self, at: dt.datetime) -> Self:
        ends = models.Q(valid_to__isnull=True) | models.Q(valid_to__gt=at)
        return self.filter(ends, enabled=True, valid_from__lte=at).order_by("position", "pk")


@tracked
class AttributionRule(Tracked):
    """Decides by identity alone which service a job belongs to. The first rule that matches decides."""

    permission_from = ("service",)
    changed_from = ("tool",)  # a steward's right on the service is no right on its monitoring

    name = models.CharField(max_length=120, unique=True)
    position = models.PositiveIntegerField(default=100, help_text="Lower is asked first.")
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="attribution_rules")
    tool = models.ForeignKey(Tool, null=True, blank=True, on_delete=models.CASCADE, help_text="Only jobs of this tool.")
    enabled = models.BooleanField(default=True)
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField(null=True, blank=True)

    objects = RuleQuerySet.as_manager()

    class Meta:
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.name


@tracked
class AttributionCondition(Tracked):
    """One condition of a rule; all conditions of a rule must hold."""

    permission_from = ("rule__service",)
    changed_from = ("rule__tool",)

    rule = models.ForeignKey(AttributionRule, on_delete=models.CASCADE, related_name="conditions")
    field = models.CharField(max_length=20, choices=list(IDENTITY.items()))
    operator = models.CharField(max_length=16, choices=list(OPERATORS.items()), default="equals")
    value = models.CharField(max_length=512)

    def __str__(self) -> str:
        return self.plain.words("attribution")

    @property
    def plain(self) -> Condition:
        return Condition(self.field, self.operator, self.value)

    def clean(self) -> None:
        if told := problem_of(self.plain, "attribution"):
            raise ValidationError(told)


@tracked
class CauseRule(Tracked):
    """Reads message and outcome of a bad run and names its cause and the component that has it."""

    class Component(models.TextChoices):
        REPOSITORY = "repository", "the repository"
        TOOL = "tool", "the tool"
        JOB = "job", "the job"

    name = models.SlugField(max_length=60, unique=True)
    title = models.CharField(max_length=120, help_text="Completes the sentence: the backup fails because …")
    position = models.PositiveIntegerField(default=100)
    pattern = models.CharField(
        max_length=400, blank=True, validators=[validate_pattern], help_text="RE2, against the run's message, case ignored."
    )
    conditions = models.JSONField(default=list, blank=True, help_text="What must hold besides: field, operator and value of each.")
    component = models.CharField(max_length=12, choices=Component.choices, default=Component.JOB)
    enabled = models.BooleanField(default=True)

    class Meta:
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.title

    @property
    def plain(self) -> list[Condition]:
        """Everything that must hold."""
        told = [Condition("message", "matches", self.pattern)] if self.pattern else []
        return told + [Condition(*(str(row.get(part, "")) for part in Condition._fields)) for row in self.conditions]

    def clean(self) -> None:
        problems = [told for told in (problem_of(one, "cause") for one in self.plain) if told]
        if not any(one.field in ("message", "outcome") for one in self.plain):
            problems.append(f"The rule has to say something about the {FIELDS['cause']['message']} or the result of a run.")
        if problems:
            raise ValidationError(problems)


@tracked
class StatusWorkflow(Tracked):
    """The thresholds by which measurements become a status. One row; every evaluation names the version it used."""

    at_risk_fraction = models.DecimalField(max_digits=4, decimal_places=3, default="0.9")
    outage_factor_tier_1 = models.DecimalField(max_digits=5, decimal_places=2, default=2)
    outage_factor_tier_2 = models.DecimalField(max_digits=5, decimal_places=2, default=2)
    outage_factor_tier_3 = models.DecimalField(max_digits=5, decimal_places=2, default=4)
    outage_factor_tier_4 = models.DecimalField(max_digits=5, decimal_places=2, default=4)
    fall_after = models.PositiveSmallIntegerField(default=2, help_text="Bad occurrences in a row before the status falls.")
    rise_after = models.PositiveSmallIntegerField(default=3, help_text="Good occurrences in a row before it rises.")
    flap_window = models.PositiveSmallIntegerField(default=10, help_text="Flapping is counted among so many of the latest occurrences.")
    flap_start_ratio = models.DecimalField(
        max_digits=4, decimal_places=3, default="0.4", help_text="It begins when this share of them is a change between good and bad."
    )
    flap_stop_ratio = models.DecimalField(max_digits=4, decimal_places=3, default="0.2", help_text="It ends below this share.")
    silent_after_polls = models.PositiveSmallIntegerField(default=3, help_text="A polled tool is silent after so many intervals.")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="workflow_is_one_row"),
            models.CheckConstraint(
                condition=models.Q(at_risk_fraction__gt=0, at_risk_fraction__lte=1),
                name="workflow_fraction_is_a_share",
                violation_error_message="A service is at risk from a share of its promise on: more than 0, at most 1.",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    outage_factor_tier_1__gte=1, outage_factor_tier_2__gte=1, outage_factor_tier_3__gte=1, outage_factor_tier_4__gte=1
                ),
                name="workflow_outage_beyond_promise",
                violation_error_message="An outage begins beyond the promise: every factor is 1 or more.",
            ),
            models.CheckConstraint(
                condition=models.Q(fall_after__gte=1, rise_after__gte=1),
                name="workflow_counts_from_one",
                violation_error_message="A status falls and rises after one occurrence at least.",
            ),
            models.CheckConstraint(
                condition=models.Q(flap_window__gte=3, flap_window__lte=60),
                name="workflow_flapping_needs_some",
                violation_error_message="Flapping is counted among 3 to 60 occurrences.",
            ),
            models.CheckConstraint(
                condition=models.Q(flap_stop_ratio__gt=0, flap_start_ratio__gte=models.F("flap_stop_ratio"), flap_start_ratio__lte=1),
                name="workflow_flapping_ends_below_start",
                violation_error_message="Flapping begins at a share of at most 1 and ends below one of more than 0 that is not greater.",
            ),
        ]

    def __str__(self) -> str:
        return "Status workflow"
