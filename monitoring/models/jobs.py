"""Jobs (never one execution), their schedules, what they protect, and the points it can be restored to."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from typing import Self

from django.core.exceptions import ValidationError
from django.db import models

from catalogue.models import Service
from catalogue.models.service import validate_zone
from itsm_backup.common.models import Tracked, VisibleQuerySet, tracked
from monitoring import schedules
from monitoring.models.tools import Tool
from monitoring.schedules import Schedule


class BackupJob(models.Model):
    """A series of runs as the tool knows it: discovered by reading, or declared because only pings will ever tell of it."""

    permission_from = ("service", "tool")

    tool = models.ForeignKey(Tool, on_delete=models.CASCADE, related_name="jobs")
    external_id = models.CharField(max_length=512)
    name = models.CharField(max_length=200)
    target_name = models.CharField(max_length=200, null=True)
    repository_name = models.CharField(max_length=300, null=True)
    profile = models.CharField(max_length=20, default="default", help_text="How exit codes are read: default, restic or borg.")
    ping_uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    declared = models.BooleanField(default=False)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField(null=True)
    service = models.ForeignKey(Service, null=True, on_delete=models.PROTECT, related_name="jobs")
    attribution_rule = models.BigIntegerField(null=True, help_text="History id of the rule version that decided.")
    attributed_at = models.DateTimeField(null=True)
    ruleset = models.BigIntegerField(default=0, help_text="State of all rules when it was last considered.")

    objects = VisibleQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tool", "external_id"], name="job_once_per_tool")]
        indexes = [
            models.Index(fields=["service"], name="job_of_service"),
            models.Index(fields=["ruleset"], name="job_by_ruleset"),
        ]
        permissions = [("see_ping_address_backupjob", "Can see the ping address of a job")]

    def __str__(self) -> str:
        return self.name


@tracked
class JobSchedule(Tracked):
    """When a job is due, as people agreed it. Times are local to the zone; daylight saving follows RFC 5545."""

    permission_from = ("job__service", "job__tool")
    changed_from = ("job__tool",)  # a steward's right on the service is no right on its monitoring

    job = models.OneToOneField(BackupJob, on_delete=models.CASCADE, related_name="schedule")
    rrule = models.CharField("recurrence (RFC 5545)", max_length=300, default="FREQ=DAILY", help_text="e.g. FREQ=WEEKLY;BYDAY=MO,TH")
    local_times = models.CharField(
        max_length=200, blank=True, default="01:30",
        help_text="Comma-separated local times of day, e.g. 01:30, 13:30. Empty when the recurrence names hours itself.",
    )  # fmt: skip
    zone = models.CharField("time zone", max_length=64, default="UTC", validators=[validate_zone])
    starts_on = models.DateField(null=True, blank=True, help_text="First day; empty: from the first run that is known.")
    early_tolerance_s = models.PositiveIntegerField(default=900, help_text="A run may start this much before it is due.")
    grace_s = models.PositiveIntegerField(default=3_600, help_text="A good run must end within this time after it is due.")

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(grace_s__gt=0), name="schedule_grace_positive")]

    def __str__(self) -> str:
        return f"{self.job}: {self.rrule} at {self.local_times} {self.zone}"

    def clean(self) -> None:
        try:
            self.parsed(start_on=dt.date(2026, 1, 1))
        except ValueError as error:
            raise ValidationError(str(error)) from None
        rule = self.rrule.upper()
        vague = ("FREQ=WEEKLY" in rule and "BYDAY" not in rule) or (
            "FREQ=MONTHLY" in rule and "BYMONTHDAY" not in rule and "BYDAY" not in rule
        )
        if self.starts_on is None and (vague or re.search(r"INTERVAL=([2-9]|\d\d)", rule)):
            raise ValidationError({"starts_on": "This recurrence counts from a first day. Say which."})

    def parsed(self, *, start_on: dt.date) -> Schedule:
        """The pure schedule from `start_on` (or the schedule's own first day); raises ScheduleError saying what to change."""
        return schedules.parse(
            rrule=self.rrule,
            local_times=[part for part in self.local_times.replace(" ", "").split(",") if part],
            zone=self.zone,
            start_on=self.starts_on or start_on,
            early_tolerance_s=self.early_tolerance_s,
            grace_s=self.grace_s,
        )


class ProtectedItem(models.Model):
    """What is protected: a machine, database, path or namespace. A service stands where its worst item stands."""

    permission_from = ("service", "tool")

    tool = models.ForeignKey(Tool, on_delete=models.CASCADE, related_name="items")
    job = models.ForeignKey(BackupJob, on_delete=models.CASCADE, related_name="items")
    external_id = models.CharField(max_length=512)
    name = models.CharField(max_length=200)
    service = models.ForeignKey(Service, null=True, on_delete=models.PROTECT, related_name="items")
    first_seen_at = models.DateTimeField()

    objects = VisibleQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tool", "external_id"], name="item_once_per_tool")]
        indexes = [models.Index(fields=["service"], name="item_of_service")]

    def __str__(self) -> str:
        return self.name


class PointQuerySet(models.QuerySet):
    def usable_at(self, at: dt.datetime) -> Self:
        """Points that could be restored at `at`: available, not expired, not gone, not found invalid by then."""

        def not_yet(field: str) -> models.Q:
            return models.Q(**{f"{field}__isnull": True}) | models.Q(**{f"{field}__gt": at})

        return self.filter(not_yet("expires_at"), not_yet("gone_at"), not_yet("invalid_from"), available_at__lte=at, captured_at__lte=at)


class RestorePoint(models.Model):
    """One state an item can be restored to. `captured_at` is the instant the data is consistent at, never the job's end."""

    item = models.ForeignKey(ProtectedItem, on_delete=models.CASCADE, related_name="points")
    external_id = models.CharField(max_length=200)
    run = models.OneToOneField("monitoring.BackupRun", on_delete=models.CASCADE, related_name="point")
    captured_at = models.DateTimeField()
    available_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    gone_at = models.DateTimeField(null=True)
    invalid_from = models.DateTimeField(null=True)
    first_seen_at = models.DateTimeField()
    locked_until = models.DateTimeField(null=True, help_text="Until when nobody can change or delete it, as its tool says.")
    listed_at = models.DateTimeField(null=True, help_text="First listing of the tool that held it; only then can it be missed in one.")

    objects = PointQuerySet.as_manager()

    class Meta:
        indexes = [models.Index("item", models.F("captured_at").desc(), name="point_newest")]

    def __str__(self) -> str:
        return f"{self.item} at {self.captured_at:%Y-%m-%d %H:%M}"
