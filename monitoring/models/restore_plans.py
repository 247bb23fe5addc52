"""Restore tests that people plan, run and verify. What came of one becomes a run, so that it is judged like any tool's."""

from __future__ import annotations

import datetime as dt
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from catalogue.models import Service
from itsm_backup.common.models import Tracked, TrackedQuerySet, tracked
from monitoring.models.jobs import BackupJob
from monitoring.models.restores import RestoreTest
from monitoring.models.runs import BackupRun

TESTED = ["recorded", "verified", "rejected"]


class RestorePlanQuerySet(TrackedQuerySet):
    def overdue(self, on: dt.date) -> Self:
        """Planned for a day that is over, and nothing was recorded."""
        return self.filter(state=RestorePlan.State.PLANNED, planned_on__lt=on)

    def open(self) -> Self:
        """Planned, or recorded and not verified yet."""
        return self.filter(state__in=[RestorePlan.State.PLANNED, RestorePlan.State.RECORDED])


@tracked
class RestorePlan(Tracked):
    """One restore test: what is restored, when, by whom; what came of it; and who, other than the tester, verified that."""

    class State(models.TextChoices):
        PLANNED = "planned", "planned"
        RECORDED = "recorded", "waits to be verified"
        VERIFIED = "verified", "verified"
        REJECTED = "rejected", "rejected, proves nothing"
        CANCELLED = "cancelled", "cancelled"

    permission_from = ("service",)

    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="restore_plans")
    job = models.ForeignKey(BackupJob, on_delete=models.PROTECT, related_name="restore_plans", help_text="Whose copies are restored.")
    scope = models.CharField(max_length=6, choices=RestoreTest.Scope.choices, default=RestoreTest.Scope.FULL)
    planned_on = models.DateField()
    tester = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    place = models.CharField(max_length=200, blank=True, help_text="Where it is restored to, such as an isolated network.")
    state = models.CharField(max_length=9, choices=State.choices, default=State.PLANNED)
    made_at = models.DateTimeField()
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    started_at = models.DateTimeField(
        null=True, blank=True, help_text="When the restore was asked for: the recovery time counts from here."
    )
    ended_at = models.DateTimeField(null=True, blank=True, help_text="When the service could use what came back, or when it was given up.")
    outcome = models.CharField(max_length=12, choices=RestoreTest.Outcome.choices[:2], blank=True)
    compared = models.BooleanField(
        null=True, blank=True, help_text="Whether what came back was compared and right; empty: nobody compared it."
    )
    remark = models.TextField(blank=True, help_text="What was restored, and how it was compared.")
    cancelled_at = models.DateTimeField(null=True, blank=True)
    recorded_at = models.DateTimeField(null=True, blank=True)
    verified_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    verified_at = models.DateTimeField(null=True, blank=True)
    finding = models.TextField(blank=True, help_text="What whoever verified it looked at.")
    run = models.ForeignKey(
        BackupRun, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", help_text="The run that it became."
    )

    objects = RestorePlanQuerySet.as_manager()

    class Meta:
        ordering = ["planned_on", "pk"]
        indexes = [models.Index(fields=["service", "planned_on"], name="restore_plan_of_service")]
        constraints = [
            models.UniqueConstraint(
                fields=["job", "planned_on", "scope"],
                condition=Q(state="planned"),
                name="restore_plan_once",
                violation_error_message="The same test is planned for that day already.",
            ),
            models.CheckConstraint(
                condition=Q(
                    state__in=TESTED, cancelled_at=None, started_at__isnull=False, ended_at__isnull=False, recorded_at__isnull=False
                )
                & ~Q(outcome="")
                & ~Q(remark="")
                | Q(state="planned", cancelled_at=None, started_at=None, ended_at=None, recorded_at=None, outcome="")
                | Q(state="cancelled", cancelled_at__isnull=False, started_at=None, ended_at=None, recorded_at=None, outcome=""),
                name="restore_plan_recorded_whole",
            ),
            models.CheckConstraint(
                condition=Q(started_at=None) | Q(ended_at__gte=F("started_at"), recorded_at__gte=F("ended_at")),
                name="restore_plan_ends_after_start",
                violation_error_message="It ends after it starts, and not in the future.",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["verified", "rejected"], verified_by__isnull=False, verified_at__isnull=False) & ~Q(finding="")
                | Q(state__in=["planned", "recorded", "cancelled"], verified_by=None, verified_at=None),
                name="restore_plan_verified_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(verified_by=None) | ~Q(verified_by=F("tester")),
                name="restore_plan_not_verified_by_tester",
                violation_error_message="Nobody verifies their own test.",
            ),
            models.CheckConstraint(
                condition=~Q(state="rejected") | Q(outcome="passed"),
                name="restore_plan_failure_stands",
                violation_error_message="A failed test stands: only what is said to have passed can be rejected.",
            ),
        ]

    def state_at(self, at: dt.datetime) -> str:
        """Where it stood at an instant after it was made."""
        if self.cancelled_at and self.cancelled_at <= at:
            return self.State.CANCELLED
        if self.verified_at and self.verified_at <= at:
            return self.state
        return self.State.RECORDED if self.recorded_at and self.recorded_at <= at else self.State.PLANNED

    def __str__(self) -> str:
        return f"restore test of {self.service} on {self.planned_on:%Y-%m-%d}"
