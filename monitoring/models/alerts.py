"""Conditions that somebody should know of: one open alert per dedup key, many alerts to one incident."""

from __future__ import annotations

from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from catalogue.models import Service
from itsm_backup.common.models import VisibleQuerySet
from monitoring.models.evaluations import Evaluation, Figure
from monitoring.models.jobs import BackupJob
from monitoring.models.runs import BackupRun
from monitoring.models.tools import Tool

OPEN_STATES = ["pending", "firing", "acknowledged", "suppressed"]


class AlertQuerySet(VisibleQuerySet):
    def open(self) -> Self:
        return self.filter(state__in=OPEN_STATES)


class Alert(models.Model):
    """One condition, from its first sight to its end. Identity is service/job/class, never message, time or run."""

    class State(models.TextChoices):
        PENDING = "pending", "pending"
        FIRING = "firing", "firing"
        ACKNOWLEDGED = "acknowledged", "acknowledged"
        SUPPRESSED = "suppressed", "suppressed"
        RESOLVED = "resolved", "resolved"

    class Class(models.TextChoices):
        JOB_FAILED = "job_failed", "Backup failed"
        JOB_MISSED = "job_missed", "Backup missed"
        JOB_FLAPPING = "job_flapping", "Backup flapping"
        RPO_AT_RISK = "rpo_at_risk", "Recovery point at risk"
        RPO_BREACH = "rpo_breach", "Recovery point broken"
        RTO_TEST_FAILED = "rto_test_failed", "Restore test failed"
        SOURCE_STALE = "source_stale", "Tool silent"
        VOLUME_ANOMALY = "volume_anomaly", "Unusual volume"
        DURATION_ANOMALY = "duration_anomaly", "Unusual duration"
        INTEGRITY_ERROR = "integrity_error", "Damaged copies"
        UNENCRYPTED = "unencrypted", "Copies not encrypted"
        LOCK_MISSING = "lock_missing", "Copies not locked"
        UNMAPPED_JOB = "unmapped_job", "Jobs without service"
        DRIFT = "drift", "Backed up otherwise than approved"
        SLO_BURN = "slo_burn", "Error budget burns"

    class Severity(models.TextChoices):
        INFO = "info", "info"
        WARNING = "warning", "warning"
        ERROR = "error", "error"
        CRITICAL = "critical", "critical"

    permission_from = ("service", "tool")

    dedup_key = models.CharField(max_length=255)
    alert_class = models.CharField(max_length=20, choices=Class.choices)
    service = models.ForeignKey(Service, null=True, on_delete=models.PROTECT, related_name="alerts")
    job = models.ForeignKey(BackupJob, null=True, on_delete=models.SET_NULL, related_name="alerts")
    tool = models.ForeignKey(Tool, null=True, on_delete=models.PROTECT, related_name="alerts")
    state = models.CharField(max_length=12, choices=State.choices)
    severity = models.CharField(max_length=8, choices=Severity.choices)
    priority = models.CharField(max_length=2, help_text="P1 to P5, from impact and urgency (BM-PRIO).")
    title = models.CharField(max_length=200)
    cause = models.CharField(max_length=60, blank=True, help_text="Name of the cause rule that read the message.")
    cause_rule = models.BigIntegerField(null=True, help_text="History id of that rule.")
    cause_title = models.CharField(max_length=120, blank=True)
    cause_key = models.CharField(max_length=200, help_text="Root component: one open incident per key.")
    cause_is_specific = models.BooleanField(default=False, help_text="A rule named the cause; otherwise the key is the job itself.")
    opened_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    noticed_at = models.DateTimeField(help_text="When the product learned of it; it may have begun earlier.")
    run_ids = ArrayField(models.BigIntegerField(), default=list, help_text="The runs that made it, oldest first, at most 50.")
    occurrences = models.PositiveIntegerField(default=1)
    reopened = models.PositiveIntegerField(default=0)
    latest_run = models.ForeignKey(BackupRun, null=True, on_delete=models.SET_NULL, related_name="+")
    evaluation = models.ForeignKey(Evaluation, null=True, on_delete=models.PROTECT, related_name="alerts")
    figure = models.ForeignKey(
        Figure, null=True, on_delete=models.PROTECT, related_name="+", help_text="What it was counted from: of flapping, and of locks."
    )
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    resolved_at = models.DateTimeField(null=True)
    resolving_evaluation = models.ForeignKey(Evaluation, null=True, on_delete=models.PROTECT, related_name="+")

    objects = AlertQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dedup_key"], condition=models.Q(state__in=OPEN_STATES), name="alert_one_open_per_key"),
            models.CheckConstraint(
                condition=models.Q(state="resolved", resolved_at__isnull=False)
                | (~models.Q(state="resolved") & models.Q(resolved_at=None)),
                name="alert_resolved_has_time",
            ),
        ]
        indexes = [
            models.Index(fields=["service", "-opened_at"], name="alert_of_service"),
            models.Index(fields=["dedup_key", "-resolved_at"], name="alert_newest_of_key"),
            models.Index(fields=["id"], name="alert_open", condition=models.Q(state__in=OPEN_STATES)),
            models.Index(fields=["resolved_at"], name="alert_lately_over", condition=models.Q(resolved_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.title
