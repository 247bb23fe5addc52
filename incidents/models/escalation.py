"""Who is told of an incident, when, and again: policies that people keep, and what became of them for one incident."""

from __future__ import annotations

from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from catalogue.models import Team
from catalogue.models.service import validate_zone
from incidents.models.incident import Incident
from itsm_backup.common.models import Tracked, TrackedQuerySet, append_only, tracked

PRIORITIES = ["P1", "P2", "P3", "P4", "P5"]
A_MONTH_MIN = 31 * 24 * 60


def _urgent() -> list[str]:
    return ["P1", "P2"]


def priorities_field(**options: object) -> ArrayField:
    return ArrayField(models.CharField(max_length=2, choices=[(one, one) for one in PRIORITIES]), blank=True, **options)  # type: ignore[arg-type]


class PolicyQuerySet(TrackedQuerySet):
    def in_order(self) -> Self:
        """As they are asked: by position, the default last."""
        return self.order_by("is_default", "position", "pk")


@tracked
class EscalationPolicy(Tracked):
    """Which incidents it is for, and who is told when. The first enabled policy that fits an incident counts for it."""

    name = models.CharField(max_length=120, unique=True)
    position = models.PositiveIntegerField(default=100, help_text="Lower is asked first. The default is asked last.")
    priorities = priorities_field(default=list, help_text="Only incidents of these priorities, such as P1,P2. Empty: of every priority.")
    tiers = ArrayField(
        models.PositiveSmallIntegerField(validators=[MinValueValidator(1), MaxValueValidator(4)]), default=list, blank=True,
        help_text="Only where the service hit hardest is of these tiers, such as 1,2. Empty: of every tier.",
    )  # fmt: skip
    repeat_min = models.PositiveIntegerField(
        "repeat (minutes)", null=True, blank=True, validators=[MinValueValidator(15), MaxValueValidator(A_MONTH_MIN)],
        help_text="Tell the level reached last again so often until it is resolved. Empty: never.",
    )  # fmt: skip
    quiet_from = models.TimeField(null=True, blank=True, help_text="Quiet hours begin, in the time zone below. Empty: none.")
    quiet_to = models.TimeField(null=True, blank=True)
    quiet_weekends = models.BooleanField(default=False, help_text="Whole Saturdays and Sundays are quiet, too.")
    zone = models.CharField("time zone", max_length=64, default="UTC", validators=[validate_zone], help_text="Of the quiet hours.")
    bypass = priorities_field(default=_urgent, help_text="These priorities are told in quiet hours, too.")
    enabled = models.BooleanField(default=True, help_text="A policy that is not enabled can be tried on the page Who is told when.")
    is_default = models.BooleanField(default=False, editable=False)

    objects = PolicyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "escalation policies"
        ordering = ["is_default", "position", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["is_default"], condition=Q(is_default=True), name="policy_one_default"),
            models.CheckConstraint(
                condition=Q(is_default=False) | Q(priorities=[], tiers=[], enabled=True),
                name="policy_default_fits_all",
                violation_error_message="The default policy is for every incident: it names no priorities and tiers and stays enabled.",
            ),
            models.CheckConstraint(
                condition=Q(quiet_from=None, quiet_to=None, quiet_weekends=False)
                | (Q(quiet_from__isnull=False, quiet_to__isnull=False) & ~Q(quiet_from=F("quiet_to"))),
                name="policy_quiet_has_both_ends",
                violation_error_message="Quiet hours need a beginning and an end that differ.",
            ),
            models.CheckConstraint(
                condition=Q(priorities__contained_by=PRIORITIES) & Q(bypass__contained_by=PRIORITIES), name="policy_priorities_known"
            ),
            models.CheckConstraint(condition=Q(tiers__contained_by=[1, 2, 3, 4]), name="policy_tiers_known"),
            models.CheckConstraint(
                condition=Q(repeat_min=None) | Q(repeat_min__gte=15),
                name="policy_repeats_not_too_often",
                violation_error_message="Repeat every 15 minutes or more seldom.",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Tell(models.TextChoices):
    """Whom a step names."""

    OPERATIONS_TEAM = "operations_team", "operations team of the service"
    ON_CALL = "on_call", "whoever is on call"
    OWNER = "owner", "owner of the service"
    STEWARD = "steward", "steward of the service"
    TEAM = "team", "team"
    CHANNEL = "channel", "channel"
    PERSON = "person", "person"


@tracked
class EscalationStep(Tracked):
    """One addressee after some minutes. Steps of one policy with the same delay are one level."""

    permission_from = ("policy",)

    policy = models.ForeignKey(EscalationPolicy, on_delete=models.CASCADE, related_name="steps")
    after_min = models.PositiveIntegerField(
        "after (minutes)", default=0, validators=[MaxValueValidator(A_MONTH_MIN)],
        help_text="From the moment the incident became known, while nobody has acknowledged.",
    )  # fmt: skip
    tell = models.CharField(max_length=16, choices=Tell.choices, default=Tell.OPERATIONS_TEAM)
    team = models.ForeignKey(
        Team, null=True, blank=True, on_delete=models.PROTECT, related_name="+",
        help_text="Where a team is told, or who is on call for it. On call without a team: for the operations team of the service.",
    )  # fmt: skip
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+", help_text="Where a person is told."
    )

    channel = models.ForeignKey(
        "incidents.Channel", null=True, blank=True, on_delete=models.PROTECT, related_name="+", help_text="Where a channel is told."
    )

    class Meta:
        ordering = ["after_min", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(tell="team", team__isnull=False, person=None, channel=None)
                | Q(tell="channel", channel__isnull=False, team=None, person=None)
                | Q(tell="person", person__isnull=False, team=None, channel=None)
                | Q(tell="on_call", person=None, channel=None)
                | (~Q(tell__in=["team", "person", "on_call", "channel"]) & Q(team=None, person=None, channel=None)),
                name="step_names_whom_it_tells",
                violation_error_message="Name the team, person or channel that is told, and nobody else.",
            ),
            models.UniqueConstraint(
                fields=["policy", "after_min", "tell", "team", "person", "channel"], nulls_distinct=False, name="step_once",
                violation_error_message="This policy tells them after that time already.",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.policy}, after {self.after_min} min: {self.get_tell_display()}"


class Escalation(models.Model):
    """The policy as it was when it began to count for an incident: later edits of it change nothing here."""

    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="escalations")
    number = models.PositiveSmallIntegerField(help_text="1, and one more each time another policy took over.")
    policy = models.ForeignKey(EscalationPolicy, null=True, on_delete=models.SET_NULL, related_name="+")
    policy_version = models.BigIntegerField(null=True, help_text="History id of the policy.")
    snapshot = models.JSONField(help_text="Name, levels, repeat and quiet hours of the policy as they counted.")
    priority = models.CharField(max_length=2)
    started_at = models.DateTimeField(help_text="Delays count from here.")
    paused_s = models.PositiveIntegerField(default=0, help_text="How long acknowledgements that lapsed have held its clock, in seconds.")
    next_at = models.DateTimeField(null=True, help_text="When somebody may have to be told.")
    ended_at = models.DateTimeField(null=True, help_text="When another policy took over.")

    class Meta:
        ordering = ["incident", "number"]
        constraints = [
            models.UniqueConstraint(fields=["incident", "number"], name="escalation_number_once"),
            models.UniqueConstraint(fields=["incident"], condition=Q(ended_at=None), name="escalation_one_in_force"),
            models.CheckConstraint(condition=Q(ended_at=None) | Q(next_at=None), name="escalation_ended_tells_nobody"),
        ]
        indexes = [models.Index(fields=["next_at"], name="escalation_due", condition=Q(next_at__isnull=False))]

    def __str__(self) -> str:
        return f"{self.incident}: {self.snapshot['policy']}"


@append_only
class Telling(models.Model):
    """One level of one incident was told, or told again: once for each sequence, whoever carries it out."""

    class Kind(models.TextChoices):
        NOTIFY = "notify", "told"
        ESCALATE = "escalate", "escalated"
        REPEAT = "repeat", "told again"

    escalation = models.ForeignKey(Escalation, on_delete=models.PROTECT, related_name="tellings")
    level = models.PositiveSmallIntegerField()
    sequence = models.PositiveIntegerField(help_text="0 for the level itself, then counting its repeats.")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    at = models.DateTimeField()
    recipients = models.JSONField(help_text="Who was told, and at which address.")

    class Meta:
        ordering = ["at", "pk"]
        constraints = [models.UniqueConstraint(fields=["escalation", "level", "sequence"], name="telling_once")]

    def __str__(self) -> str:
        return f"{self.escalation}, level {self.level}"
