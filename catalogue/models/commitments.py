"""What a version promises, and the packages it is offered in."""

from __future__ import annotations

import pgtrigger
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models

from catalogue.models.calendar_field import CalendarField
from catalogue.models.service import ServiceVersion
from itsm_backup.common.models import Tracked, tracked


def fixed_with_version() -> pgtrigger.Trigger:
    """Rows that hang on a version are as immutable as it: none is added, changed or taken away once it is approved."""
    return pgtrigger.Trigger(
        name="approved_is_fixed",
        when=pgtrigger.Before,
        operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete,
        func="""
                IF EXISTS (SELECT 1 FROM catalogue_serviceversion v WHERE v.state = 'approved'
                           AND v.id IN (CASE WHEN TG_OP = 'INSERT' THEN NEW.version_id ELSE OLD.version_id END,
                                        CASE WHEN TG_OP = 'DELETE' THEN OLD.version_id ELSE NEW.version_id END))
                THEN RAISE EXCEPTION 'the commitment of an approved version is immutable'; END IF;
                RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
                """,
    )


@tracked
class Commitment(Tracked):
    """What a version promises. A missing value is a promise not made, never zero."""

    class Encryption(models.TextChoices):
        NONE = "none", "none"
        AT_REST = "at_rest", "at rest"
        EVERYWHERE = "everywhere", "at rest and in transit"

    permission_from = ("version__service",)

    version = models.OneToOneField(ServiceVersion, primary_key=True, on_delete=models.CASCADE, related_name="commitment")
    rpo_s = models.PositiveIntegerField("recovery point (RPO), seconds", null=True, blank=True, validators=[MinValueValidator(60)])
    rto_s = models.PositiveIntegerField("recovery time (RTO), seconds", null=True, blank=True, validators=[MinValueValidator(60)])
    retention_days = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    success_rate = models.DecimalField(
        max_digits=6, decimal_places=5, null=True, blank=True, help_text="Share of due backups that succeed in a month, e.g. 0.98."
    )
    on_time_rate = models.DecimalField(max_digits=6, decimal_places=5, null=True, blank=True)
    measurement_calendar = CalendarField(
        max_length=400, blank=True, default="", db_default="",
        help_text="Days on which due backups count for the shares above, in the entry's zone: Mon-Fri, or Mon-Fri except 2026-12-25."
        " Empty: every day. The recovery point counts always.",
    )  # fmt: skip
    window_opens = models.TimeField("backup window opens", null=True, blank=True)
    window_closes = models.TimeField("backup window closes", null=True, blank=True)
    restore_test_days = models.PositiveIntegerField("restore test at least every … days", null=True, blank=True)
    rpo_attainment_rate = models.DecimalField(
        "time within the recovery point", max_digits=6, decimal_places=5, null=True, blank=True,
        help_text="Share of a month in which a fresh enough copy exists, e.g. 0.99.",
    )  # fmt: skip
    retention_min_days = models.PositiveIntegerField(
        "kept at least … days", null=True, blank=True, help_text="What law or contract asks for; retention may not be shorter."
    )
    retention_max_days = models.PositiveIntegerField(
        "kept at most … days", null=True, blank=True, help_text="What law or contract allows; retention may not be longer."
    )
    immutability_days = models.PositiveIntegerField("copies locked for … days", null=True, blank=True)
    copy_scheme = models.CharField(max_length=40, blank=True, help_text="How many copies on which media, e.g. 3-2-1-1-0.")
    encryption = models.CharField(max_length=20, choices=Encryption.choices, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(success_rate__isnull=True) | models.Q(success_rate__gt=0, success_rate__lte=1),
                name="commitment_success_rate_is_a_share",
            ),
            models.CheckConstraint(
                condition=models.Q(on_time_rate__isnull=True) | models.Q(on_time_rate__gt=0, on_time_rate__lte=1),
                name="commitment_on_time_rate_is_a_share",
            ),
            models.CheckConstraint(
                condition=models.Q(rpo_attainment_rate__isnull=True) | models.Q(rpo_attainment_rate__gt=0, rpo_attainment_rate__lte=1),
                name="commitment_rpo_attainment_is_a_share",
            ),
            models.CheckConstraint(
                condition=models.Q(retention_min_days__isnull=True)
                | models.Q(retention_max_days__isnull=True)
                | models.Q(retention_min_days__lte=models.F("retention_max_days")),
                name="commitment_retention_bounds_in_order",
                violation_error_message="“Kept at least” cannot be longer than “kept at most”.",
            ),
            models.CheckConstraint(
                condition=models.Q(rpo_s__isnull=True) | models.Q(rpo_s__gte=60), name="commitment_rpo_at_least_a_minute"
            ),
        ]
        triggers = [fixed_with_version()]

    def __str__(self) -> str:
        return f"Commitment of {self.version}"

    def clean(self) -> None:
        if (self.window_opens is None) != (self.window_closes is None):
            raise ValidationError("A backup window needs both its opening and its closing time.")


@tracked
class Offering(Tracked):
    """One package of a version (Gold, Silver …) with levels of its own; a level that is empty is the version's."""

    permission_from = ("version__service",)

    version = models.ForeignKey(ServiceVersion, on_delete=models.CASCADE, related_name="offerings")
    name = models.CharField(max_length=60)
    price = models.CharField(max_length=80, blank=True, help_text="As customers read it, e.g. 120 a month for each TB.")
    rpo_s = models.PositiveIntegerField("recovery point (RPO), seconds", null=True, blank=True, validators=[MinValueValidator(60)])
    rto_s = models.PositiveIntegerField("recovery time (RTO), seconds", null=True, blank=True, validators=[MinValueValidator(60)])
    retention_days = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    success_rate = models.DecimalField(max_digits=6, decimal_places=5, null=True, blank=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["version", "name"], name="offering_once"),
            models.CheckConstraint(
                condition=models.Q(success_rate__isnull=True) | models.Q(success_rate__gt=0, success_rate__lte=1),
                name="offering_success_rate_is_a_share",
            ),
        ]
        triggers = [fixed_with_version()]

    def __str__(self) -> str:
        return self.name
