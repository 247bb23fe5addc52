"""Which report goes to whom, and when: set by people; how far it has come: kept by the machine."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, validate_email
from django.db import models

from catalogue.models.service import validate_zone
from itsm_backup.common.models import Tracked, VisibleQuerySet, tracked


@tracked
class ReportSchedule(Tracked):
    """A monthly report: which services, what is sent to whom, and what a failed check of the inputs means for it."""

    class Policy(models.TextChoices):
        BLOCK = "block", "Stop it when the data cannot carry it, mark it when in doubt"
        STRICT = "strict", "Stop it at any failed check"
        MARK = "mark", "Never stop it, only mark it"

    class Audience(models.TextChoices):
        BOTH = "both", "Technical report and executive page"
        TECHNICAL = "technical", "Technical report"
        EXECUTIVE = "executive", "Executive page"
        AUDITOR = "auditor", "Auditor's report"
        ALL = "all", "All three"

    PARTS = {"both": ("technical", "executive"), "all": ("technical", "executive", "auditor")}

    name = models.CharField(max_length=80, unique=True, help_text="Names the report in the library and in its mails.")
    enabled = models.BooleanField(default=True)
    audience = models.CharField("sends", max_length=10, choices=Audience.choices, default=Audience.BOTH)
    recipients = ArrayField(
        models.EmailField(),
        default=list,
        blank=True,
        help_text="Addresses, separated by commas. They get the report by mail, whether or not they may sign in here.",
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Is told by mail when a failed check stops the report.",
    )
    department = models.CharField(max_length=80, blank=True, help_text="Only services of this department; empty: all.")
    application_type = models.CharField(max_length=80, blank=True, help_text="Only services of this type; empty: all.")
    tier = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(4)], help_text="Only this tier; empty: all."
    )
    label = models.CharField(max_length=40, blank=True, help_text="Only services with this classification label; empty: all.")
    policy = models.CharField("a failed check", max_length=8, choices=Policy.choices, default=Policy.BLOCK)
    day_of_month = models.PositiveSmallIntegerField(
        default=1, validators=[MinValueValidator(1), MaxValueValidator(28)], help_text="Day on which the month before is reported."
    )
    local_time = models.TimeField("time of day", default="06:00")
    zone = models.CharField("time zone", max_length=64, default="UTC", validators=[validate_zone], help_text="Of the month and the time.")

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(day_of_month__gte=1, day_of_month__lte=28), name="report_schedule_day_exists_in_every_month"
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def parts(self) -> tuple[str, ...]:
        """Which of the report's parts are sent."""
        return self.PARTS.get(self.audience, (self.audience,))

    def clean(self) -> None:
        for address in self.recipients or []:
            try:
                validate_email(address)
            except ValidationError:
                raise ValidationError({"recipients": f"{address} is no mail address."}) from None


class ScheduleState(models.Model):
    """How far a schedule has come: when it was last looked at. Written by the machine."""

    permission_from = ("schedule",)

    schedule = models.OneToOneField(ReportSchedule, primary_key=True, on_delete=models.CASCADE, related_name="state")
    looked_at = models.DateTimeField(null=True)
    claimed_until = models.DateTimeField(null=True)
    problem = models.TextField(blank=True, help_text="Why the latest attempt failed; empty when it did not.")

    objects = VisibleQuerySet.as_manager()

    def __str__(self) -> str:
        return f"state of {self.schedule}"
