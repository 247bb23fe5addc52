"""Exceptions from the separation of duties, every grant and withdrawal of a right, and legal holds."""

from __future__ import annotations

import datetime as dt
from typing import Self

import pgtrigger
from django.conf import settings
from django.db import models

from catalogue.models.service import Service
from itsm_backup.common.models import Tracked, TrackedQuerySet, append_only, tracked

LONGEST_EXCEPTION = dt.timedelta(days=366)


class Duty(models.TextChoices):
    """What a person does for the estate; each is the role of that name, or the rights that make it up."""

    MONITORING_ADMIN = "monitoring-admin", "monitoring-admin"
    STEWARD = "steward", "steward"
    APPROVER = "approver", "approver"
    REQUESTER = "requester", "requester"
    CHANGE_MANAGER = "change-manager", "change-manager"
    OPERATOR = "operator", "operator"
    AUDITOR = "auditor", "auditor"


class ExceptionQuerySet(TrackedQuerySet):
    def holding(self, at: dt.datetime) -> Self:
        """Exceptions that are in force at `at`."""
        return self.filter(valid_from__lte=at, valid_until__gt=at)


@tracked
class DutyException(Tracked):
    """For a while one person may hold two duties that exclude each other; somebody else owns that, and somebody else approved it."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="duty_exceptions")
    one = models.CharField("duty", max_length=20, choices=Duty.choices)
    other = models.CharField("and duty", max_length=20, choices=Duty.choices)
    reason = models.TextField(help_text="Why the two cannot be kept apart for now, and what is done about it.")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Who answers for it, and looks at what is done under it.",
    )
    approver = models.ForeignKey(settings.AUTH_USER_MODEL, editable=False, on_delete=models.PROTECT, related_name="+")
    approved_at = models.DateTimeField(editable=False)
    valid_from = models.DateTimeField(blank=True, help_text="Empty: from now on.")
    valid_until = models.DateTimeField(help_text="At most a year.")

    objects = ExceptionQuerySet.as_manager()

    class Meta:
        ordering = ["-valid_until"]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(approver=models.F("person")) & ~models.Q(owner=models.F("person")),
                name="exception_not_for_oneself",
                violation_error_message="Nobody approves or owns an exception for themselves.",
            ),
            models.CheckConstraint(
                condition=models.Q(valid_until__gt=models.F("valid_from"), valid_until__lte=models.F("valid_from") + LONGEST_EXCEPTION),
                name="exception_of_a_year_at_most",
                violation_error_message="An exception ends after it begins, and within a year.",
            ),
            models.CheckConstraint(
                condition=~models.Q(one=models.F("other")),
                name="exception_of_two_duties",
                violation_error_message="An exception is about two different duties: choose another one.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person}: {self.one} and {self.other} until {self.valid_until:%d %b %Y}"

    @property
    def pair(self) -> frozenset[str]:
        return frozenset((self.one, self.other))


@append_only
class GrantEntry(models.Model):
    """One right, role or membership that somebody got or lost. The database writes it, whoever changed it and by whichever way."""

    class Kind(models.TextChoices):
        ROLE = "role", "role"
        RIGHT = "right", "right everywhere"
        ROW_RIGHT = "row_right", "right on one row"
        ROLE_RIGHT = "role_right", "right of a role"

    at = models.DateTimeField()
    kind = models.CharField(max_length=10, choices=Kind.choices)
    person = models.BigIntegerField(null=True, help_text="Id of the account; empty for a right of a role.")
    holder = models.CharField(max_length=300, help_text="Name of the account or the role.")
    what = models.CharField(max_length=300)
    on = models.CharField(max_length=300, blank=True, help_text="The row, for a right on one.")
    given = models.BooleanField()
    by = models.BigIntegerField(null=True, help_text="Id of who did it; empty when it was done outside the product's pages and acts.")
    reason = models.TextField(blank=True)

    class Meta:
        verbose_name_plural = "grant entries"
        indexes = [
            models.Index(models.F("at").desc(), name="grantentry_newest"),
            models.Index(fields=["person"], name="grantentry_of_person"),
        ]

    def __str__(self) -> str:
        return f"{self.holder} {'got' if self.given else 'lost'} {self.what}{f' on {self.on}' if self.on else ''}"


class HoldQuerySet(TrackedQuerySet):
    def holding(self, at: dt.datetime) -> Self:
        """Holds that bind at `at`."""
        unended = models.Q(held_until__isnull=True) | models.Q(held_until__gt=at)
        return self.filter(unended, models.Q(released_at__isnull=True) | models.Q(released_at__gt=at), held_from__lte=at)


_HOLD_STAYS = """
IF TG_OP = 'DELETE' THEN RAISE EXCEPTION 'a legal hold is released, never deleted' USING ERRCODE = 'check_violation'; END IF;
IF OLD.released_at IS NOT NULL OR NEW.service_id <> OLD.service_id OR NEW.held_from <> OLD.held_from THEN
  RAISE EXCEPTION 'a released legal hold, its service and its beginning never change' USING ERRCODE = 'check_violation';
END IF;
RETURN NEW;
"""


@tracked
class LegalHold(Tracked):
    """Nothing of the service may go while it holds: neither the entry, nor its evidence, nor its copies."""

    permission_from = ("service",)

    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="legal_holds")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", help_text="Who answers for it.")
    reason = models.TextField(help_text="The matter, e.g. the file number of the proceedings.")
    held_from = models.DateTimeField()
    held_until = models.DateTimeField(null=True, blank=True, help_text="Empty: until it is released.")
    released_at = models.DateTimeField(null=True, editable=False)
    released_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, editable=False, on_delete=models.PROTECT, related_name="+")

    objects = HoldQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(held_until__isnull=True) | models.Q(held_until__gt=models.F("held_from")),
                name="hold_ends_after_start",
                violation_error_message="The hold must end after it begins.",
            ),
            models.CheckConstraint(
                condition=models.Q(released_at=None, released_by=None) | models.Q(released_at__isnull=False, released_by__isnull=False),
                name="hold_released_by_somebody",
            ),
        ]
        triggers = [pgtrigger.Trigger(name="stays", when=pgtrigger.Before, operation=pgtrigger.Update | pgtrigger.Delete, func=_HOLD_STAYS)]

    def __str__(self) -> str:
        return f"Legal hold on {self.service}"


# The entry itself: nobody retires a service that is under hold, whichever way they come.
pgtrigger.register(
    pgtrigger.Trigger(
        name="held_is_not_retired",
        when=pgtrigger.Before,
        operation=pgtrigger.UpdateOf("lifecycle"),
        func="""
        IF NEW.lifecycle = 'retired' AND OLD.lifecycle <> 'retired' AND EXISTS (
          SELECT 1 FROM catalogue_legalhold h WHERE h.service_id = NEW.id AND h.released_at IS NULL
            AND h.held_from <= clock_timestamp() AND (h.held_until IS NULL OR h.held_until > clock_timestamp())
        ) THEN
          RAISE EXCEPTION 'a service under legal hold is not retired: have the hold released first' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
        """,
    )
)(Service)
