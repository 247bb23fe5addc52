"""Who is on call for a team: a rotation of people, and who stands in for whom."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Greatest, Least

from catalogue.models import Team
from catalogue.models.service import SpanToItself, validate_zone
from catalogue.models.status import Period
from itsm_backup.common.models import Tracked, tracked
from monitoring import schedules


@tracked
class Rota(Tracked):
    """The rotation of one team: its members take turns, each for one shift, in their order."""

    team = models.OneToOneField(Team, on_delete=models.PROTECT, related_name="rota")
    starts_on = models.DateField("first day", help_text="Its hand-over begins the first member's first shift.")
    hand_over_at = models.TimeField("hand-over at", default=dt.time(9), help_text="Local time at which one shift ends and the next begins.")
    zone = models.CharField("time zone", max_length=64, default="UTC", validators=[validate_zone])
    shift_days = models.PositiveSmallIntegerField(
        "shift (days)", null=True, blank=True, default=7, validators=[MinValueValidator(1), MaxValueValidator(366)],
        help_text="Empty where a recurrence says when shifts begin.",
    )  # fmt: skip
    rule = models.CharField(
        "shifts begin (RFC 5545)", max_length=300, blank=True,
        help_text="e.g. FREQ=WEEKLY;BYDAY=MO,FR: a shift of the week and one of the weekend. Empty where the length of a shift is given.",
    )  # fmt: skip

    class Meta:
        ordering = ["team__name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(shift_days__gte=1, rule="") | (Q(shift_days=None) & ~Q(rule="")),
                name="rota_says_when_shifts_begin",
                violation_error_message="Give the length of a shift in days or a recurrence, one of the two.",
            )
        ]

    def __str__(self) -> str:
        return f"on call of {self.team}"

    def clean(self) -> None:
        try:
            self.schedule()
        except ValueError as error:
            raise ValidationError({"rule" if self.rule else "shift_days": str(error)}) from None

    def schedule(self) -> schedules.Schedule:
        """When shifts begin. Raises ScheduleError for a recurrence that cannot be expanded."""
        rule = self.rule or f"FREQ=DAILY;INTERVAL={self.shift_days or 7}"
        return schedules.parse(rrule=rule, local_times=[f"{self.hand_over_at:%H:%M}"], zone=self.zone, start_on=self.starts_on)


@tracked
class RotaMember(Tracked):
    """A turn of the rotation. Somebody may have several."""

    permission_from = ("rota",)

    rota = models.ForeignKey(Rota, on_delete=models.CASCADE, related_name="members")
    place = models.PositiveSmallIntegerField(help_text="1 has the first shift.")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["rota", "place"]
        constraints = [
            models.UniqueConstraint(fields=["rota", "place"], name="member_place_once", violation_error_message="Two have the same place.")
        ]

    def __str__(self) -> str:
        return f"{self.place}. {self.person.get_full_name() or self.person.get_username()}"


@tracked
class RotaSwap(Tracked):
    """Somebody stands in for whoever would be on call, for a time."""

    permission_from = ("rota",)

    rota = models.ForeignKey(Rota, on_delete=models.CASCADE, related_name="swaps")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    reason = models.CharField(max_length=300)

    class Meta:
        ordering = ["starts_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="swap_ends_after_start",
                violation_error_message="The swap must end after it starts.",
            ),
            ExclusionConstraint(
                name="swap_one_at_a_time",
                expressions=[
                    (Period(Least("starts_at", "ends_at"), Greatest("starts_at", "ends_at")), RangeOperators.OVERLAPS),
                    (SpanToItself(F("rota_id")), RangeOperators.OVERLAPS),
                ],
                violation_error_message="Somebody stands in during that time already. Take that back first.",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.rota}: {self.person.get_full_name() or self.person.get_username()} stands in"
