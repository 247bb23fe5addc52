"""What was due and what came of it, and the small rows that pages read: state per job and service, cells per day."""

from __future__ import annotations

from django.db import models

from catalogue.models import Service, ServiceVersion
from itsm_backup.common.models import VisibleQuerySet
from monitoring.models.jobs import BackupJob
from monitoring.models.runs import BackupRun


class ExpectedRun(models.Model):
    """One due occurrence of a job. Missed is decided by us, never by the tool; unconfirmed means we could not look."""

    class State(models.TextChoices):
        EXPECTED = "expected", "expected"
        SATISFIED = "satisfied", "satisfied"
        LATE = "late", "late"
        SATISFIED_LATE = "satisfied_late", "satisfied late"
        MISSED = "missed", "missed"
        UNCONFIRMED = "unconfirmed", "unconfirmed"
        EXCUSED = "excused", "excused"

    permission_from = ("job__service", "job__tool")

    job = models.ForeignKey(BackupJob, on_delete=models.CASCADE, related_name="expected_runs")
    due_at = models.DateTimeField()
    opens_at = models.DateTimeField()
    deadline_at = models.DateTimeField()
    cutoff_at = models.DateTimeField(help_text="After this a run belongs to the next occurrence.")
    local_on = models.DateField()
    state = models.CharField(max_length=14, choices=State.choices, default=State.EXPECTED)
    run = models.ForeignKey(BackupRun, null=True, on_delete=models.SET_NULL, related_name="+")
    worst_outcome = models.CharField(
        max_length=9, null=True, help_text="Outcome of the run that made it good; else the worst of its attempts."
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    backfilled = models.BooleanField(default=False)
    counts = models.BooleanField(default=True, db_default=True, help_text="False on a day that no rate counts, whatever came of it.")
    excuse = models.CharField(max_length=200, blank=True, help_text="Why it is left out of the rates: a maintenance window, or its day.")
    settled_at = models.DateTimeField(null=True)

    objects = VisibleQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "due_at"], name="expected_once")]
        indexes = [
            models.Index(fields=["deadline_at"], name="expected_open", condition=models.Q(state__in=["expected", "late", "unconfirmed"])),
            models.Index(fields=["job", "local_on"], name="expected_by_day"),
        ]

    def __str__(self) -> str:
        return f"{self.job} due {self.due_at:%Y-%m-%d %H:%M}"


class JobState(models.Model):
    """Latest state of a job, and the mark that intake leaves for the journey (`touched_…`)."""

    job = models.OneToOneField(BackupJob, primary_key=True, on_delete=models.CASCADE, related_name="state")
    latest_run = models.ForeignKey(BackupRun, null=True, on_delete=models.SET_NULL, related_name="+")
    good_run = models.ForeignKey(BackupRun, null=True, on_delete=models.SET_NULL, related_name="+")
    bad_streak = models.PositiveIntegerField(default=0)
    good_streak = models.PositiveIntegerField(default=0)
    next_due_at = models.DateTimeField(null=True)
    ledger_from = models.DateTimeField(null=True, help_text="The history behind the ledger was known back to here.")
    ledger_until = models.DateTimeField(null=True, help_text="Occurrences exist up to here.")
    next_settlement_at = models.DateTimeField(null=True, help_text="When time alone changes the ledger.")
    schedule_version = models.BigIntegerField(default=0, help_text="History id of the schedule that the ledger follows.")
    followed_at = models.DateTimeField(null=True, help_text="Runs up to here have been looked at for alerts.")
    followed_run = models.BigIntegerField(default=0)
    told_from = models.DateTimeField(null=True, help_text="Alerts tell of what happened from here on; empty: since its tool is watched.")
    touched_at = models.DateTimeField(null=True)
    touched_from = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["touched_at"], name="job_touched", condition=models.Q(touched_at__isnull=False)),
            models.Index(fields=["next_settlement_at"], name="job_to_settle", condition=models.Q(next_settlement_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"state of {self.job}"


class Verdict(models.TextChoices):
    KEPT = "kept", "Kept"
    AT_RISK = "at_risk", "At risk"
    BROKEN = "broken", "Broken"
    NO_DATA = "no_data", "No data"
    HELD = "held", "Held"


class ServiceState(models.Model):
    """Where a service stands, as last judged. `next_judgement_at` is when to look again: now if something changed."""

    permission_from = ("service",)

    service = models.OneToOneField(Service, primary_key=True, on_delete=models.CASCADE, related_name="judged")
    version = models.ForeignKey(ServiceVersion, null=True, on_delete=models.PROTECT, related_name="+")
    evaluation = models.ForeignKey("monitoring.Evaluation", null=True, on_delete=models.PROTECT, related_name="+")
    verdict = models.CharField(max_length=8, choices=Verdict.choices, default=Verdict.NO_DATA)
    verdict_since = models.DateTimeField(null=True)
    captured_at = models.DateTimeField(null=True, help_text="Newest usable point of the worst item.")
    rpo_s = models.PositiveIntegerField(null=True)
    next_due_at = models.DateTimeField(null=True)
    next_judgement_at = models.DateTimeField(null=True)
    alerted = models.BigIntegerField(null=True, help_text="Evaluation whose conditions have become alerts.")

    objects = VisibleQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["next_judgement_at"], name="service_to_judge", condition=models.Q(next_judgement_at__isnull=False)),
            models.Index(
                fields=["service"], name="service_to_alert", condition=~models.Q(alerted=models.F("evaluation")) | models.Q(alerted=None)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.service}: {self.get_verdict_display()}"


class ServiceDay(models.Model):
    """One (service, local day): counts of what was due that day. Recomputed whole, never incremented."""

    permission_from = ("service",)

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="days", db_index=False)
    day = models.DateField()
    good = models.PositiveIntegerField(default=0)
    warned = models.PositiveIntegerField(default=0, help_text="Of the good ones, those with warnings.")
    late = models.PositiveIntegerField(default=0, help_text="Of the good ones, those past their deadline.")
    failed = models.PositiveIntegerField(default=0)
    missed = models.PositiveIntegerField(default=0)
    unknown = models.PositiveIntegerField(default=0)
    held = models.PositiveIntegerField(default=0)
    pending = models.PositiveIntegerField(default=0)
    restores = models.PositiveIntegerField(default=0, help_text="Restore tests passed that day, by their start.")
    besides = models.PositiveIntegerField(default=0, help_text="Failed runs that answered nothing due.")
    refuted = models.PositiveIntegerField(default=0, help_text="Restore tests failed that day, by their start.")
    uncounted = models.PositiveIntegerField(
        default=0, db_default=0, help_text="Good, failed and missed ones that no rate counts: their day does not count."
    )
    worst = models.CharField(max_length=1, blank=True, help_text="Letter of the day cell: blank good, W L F M ? H.")

    objects = VisibleQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["service", "day"],
                include=[
                    "good",
                    "warned",
                    "late",
                    "failed",
                    "missed",
                    "unknown",
                    "held",
                    "pending",
                    "restores",
                    "besides",
                    "refuted",
                    "uncounted",
                    "worst",
                ],
                name="cell_once",
            )
        ]
        indexes = [models.Index(fields=["day", "service"], name="cell_by_day")]

    def __str__(self) -> str:
        return f"{self.service} on {self.day}"


class Watermark(models.Model):
    """How far the journey has noticed changes of configuration: the newest history entry seen of each kind.

    Ids are given out before they are committed, so a slow change may come with a small id: the latest entries are counted too.
    """

    name = models.CharField(max_length=60, primary_key=True)
    history_id = models.BigIntegerField(default=0)
    latest_entries = models.IntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name} up to {self.history_id}"
