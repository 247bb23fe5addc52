"""How well tools can be read: trials as they went, what each capability weighs, and how asking went day by day."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models

from itsm_backup.common.models import Tracked, VisibleQuerySet, append_only, tracked
from monitoring.connectors.capabilities import CAPABILITIES
from monitoring.models.tools import Tool


def _weight(name: str) -> models.PositiveSmallIntegerField:
    one = CAPABILITIES[name]
    return models.PositiveSmallIntegerField(one.label.lower(), default=one.weight, validators=[MaxValueValidator(10)], help_text=one.asks)


@append_only
class Assessment(models.Model):
    """One trial of a tool: what its connector declared that day, what was asked, what came back, and the score of it."""

    class Source(models.TextChoices):
        LIVE = "live", "asked live"
        KEPT = "kept", "read from kept answers"

    permission_from = ("tool",)

    tool = models.ForeignKey(Tool, on_delete=models.CASCADE, related_name="assessments")
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    source = models.CharField(max_length=4, choices=Source.choices)
    kind = models.CharField(max_length=30)
    tool_version = models.CharField(max_length=80, blank=True)
    complete = models.BooleanField()
    problems = models.JSONField(default=list)
    asked = models.JSONField(default=list)
    lines = models.JSONField(help_text="Each capability: declared and seen, with what is missing.")
    weights = models.JSONField(help_text="What each capability weighed that day.")
    score = models.DecimalField(max_digits=4, decimal_places=1, null=True)

    objects = VisibleQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["tool", "-at"], name="assessment_of_tool")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(score=None) | models.Q(score__gte=0, score__lte=100), name="assessment_score_is_a_share"
            )
        ]

    def __str__(self) -> str:
        return f"trial of {self.tool}"


@tracked
class CapabilityWeights(Tracked):
    """How much each capability counts when tools are compared. One row; 0 leaves one out."""

    read_runs = _weight("read_runs")
    read_schedules = _weight("read_schedules")
    verify_data = _weight("verify_data")
    write_back = _weight("write_back")
    incremental = _weight("incremental")
    authentication = _weight("authentication")
    rate_limits = _weight("rate_limits")

    class Meta:
        verbose_name = "weights of capabilities"
        verbose_name_plural = "weights of capabilities"
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="weights_are_one_row"),
            *(
                models.CheckConstraint(condition=models.Q(**{f"{name}__lte": 10}), name=f"weight_{name}_at_most_ten")
                for name in CAPABILITIES
            ),
        ]

    def __str__(self) -> str:
        return "Weights of capabilities"


class ToolDay(models.Model):
    """How asking a tool went on one day (UTC): rounds, failures, load, and how late its runs were known."""

    permission_from = ("tool",)

    tool = models.ForeignKey(Tool, on_delete=models.CASCADE, related_name="days")
    on = models.DateField()
    rounds = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    exchanges = models.PositiveIntegerField(default=0)
    size_bytes = models.PositiveBigIntegerField(default=0)
    took_s = models.FloatField(default=0)
    longest_s = models.FloatField(default=0)
    runs_known = models.PositiveIntegerField(
        default=0, help_text="Runs that ended since the round before and were seen for the first time."
    )
    delay_s = models.FloatField(default=0, help_text="Sum of the times from the end of such a run until it was known.")
    longest_delay_s = models.FloatField(default=0)
    problem = models.TextField(blank=True, help_text="Of the latest round that failed.")

    objects = VisibleQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tool", "on"], name="tool_day_once")]

    def __str__(self) -> str:
        return f"{self.tool} on {self.on}"
