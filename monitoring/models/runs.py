"""Executions as they were, the answers they were read from, what was corrected later, and what could not be read."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Left

from catalogue.models import Service
from itsm_backup.common.models import VisibleQuerySet, append_only
from monitoring.models.jobs import BackupJob
from monitoring.models.tools import Tool


class BackupRun(models.Model):
    """One execution, or one artefact that proves it. Narrow on purpose: what is big stands in the raw answer.

    `key` is 4 bytes of the tool's immutable creation instant followed by 16 bytes of the identity's hash, so that the
    unique index grows at its end. State only moves forward unless the source's revision grows.
    """

    class State(models.TextChoices):
        QUEUED = "queued", "queued"
        RUNNING = "running", "running"
        FINISHED = "finished", "finished"

    class Outcome(models.TextChoices):
        SUCCESS = "success", "success"
        WARNING = "warning", "warning"
        PARTIAL = "partial", "partial"
        FAILED = "failed", "failed"
        CANCELLED = "cancelled", "cancelled"
        MISSED = "missed", "missed"
        SKIPPED = "skipped", "skipped"
        UNKNOWN = "unknown", "unknown"

    GOOD = ("success", "warning")
    permission_from = ("service", "tool")

    # In order of width: a wider column behind a narrower one pads every row (decision 46).
    tool = models.ForeignKey(Tool, on_delete=models.CASCADE, related_name="+", db_index=False)
    job = models.ForeignKey(BackupJob, on_delete=models.CASCADE, related_name="runs", db_index=False)
    service = models.ForeignKey(Service, null=True, on_delete=models.PROTECT, related_name="runs", db_index=False)
    occurred_at = models.DateTimeField(help_text="Start where the tool tells it, else its only instant.")
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    captured_at = models.DateTimeField(null=True, help_text="Instant the data is consistent at.")
    first_seen_at = models.DateTimeField()
    changed_at = models.DateTimeField(help_text="When a judged field last changed.")
    bytes_source = models.BigIntegerField(null=True)
    bytes_stored = models.BigIntegerField(null=True)
    files_total = models.BigIntegerField(null=True)
    files_failed = models.BigIntegerField(null=True)
    rows_total = models.BigIntegerField(null=True)
    answer = models.BigIntegerField(null=True, help_text="Raw answer it was read from.")
    answer_index = models.IntegerField(default=0)
    exit_code = models.IntegerField(null=True)
    encrypted = models.BooleanField(null=True)
    verified = models.BooleanField(null=True, help_text="Whether what was restored or checked was compared and right; empty: not told.")
    key = models.BinaryField(max_length=20, unique=True)
    seal = models.BinaryField(max_length=8, help_text="Hash of the judged fields: a row changed behind the product's back is found.")
    external_id = models.CharField(max_length=200)
    evidence_kind = models.CharField(max_length=10)
    operation = models.CharField(max_length=12)
    level = models.CharField(max_length=12)
    state = models.CharField(max_length=8, choices=State.choices)
    outcome = models.CharField(max_length=9, choices=Outcome.choices, null=True)
    time_quality = models.CharField(max_length=12)
    artefact_id = models.CharField(max_length=200, null=True)
    message = models.CharField(max_length=500, null=True)
    source_revision = models.CharField(max_length=80, null=True)

    objects = VisibleQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["job", "occurred_at"], name="run_of_job"),
            models.Index(fields=["service", "occurred_at"], include=["outcome"], name="run_of_service"),
            models.Index(fields=["occurred_at"], name="run_by_time"),
            models.Index(fields=["job", "occurred_at"], name="run_open", condition=models.Q(state="running")),
            models.Index(fields=["job", "occurred_at"], name="run_listed", condition=models.Q(evidence_kind="artefact")),
            models.Index("job", Left("artefact_id", 8), name="run_artefact", condition=models.Q(artefact_id__isnull=False)),
            models.Index(fields=["job", "occurred_at"], name="run_proof", condition=models.Q(operation__in=["restore_test", "verify"])),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state="finished", outcome__isnull=False) | (~models.Q(state="finished") & models.Q(outcome=None)),
                name="run_finished_has_outcome",
            ),
        ]

    def __str__(self) -> str:
        return f"run {self.pk}"

    @property
    def is_good(self) -> bool:
        return self.outcome in self.GOOD


@append_only
class RunRevision(models.Model):
    """A judged field of a run that changed after it was first read: what was, what is, and which answer said so."""

    run = models.ForeignKey(BackupRun, on_delete=models.PROTECT, related_name="revisions")
    at = models.DateTimeField()
    before = models.JSONField()
    after = models.JSONField()
    answer = models.BigIntegerField(null=True)
    status_map = models.BigIntegerField(null=True, help_text="The version of the tool's status map by which it was read again.")

    class Meta:
        indexes = [models.Index(fields=["run", "at"], name="revision_of_run")]

    def __str__(self) -> str:
        return f"revision of run {self.run_id}"


class RawAnswer(models.Model):
    """What a tool said, compressed, secrets masked before it was hashed. Partitioned by month of receipt, no foreign keys."""

    id = models.BigAutoField(primary_key=True)
    received_at = models.DateTimeField()
    tool_id = models.BigIntegerField()
    kind = models.CharField(max_length=6)
    body = models.BinaryField(help_text="zlib-compressed JSON of the answer")
    size_bytes = models.BigIntegerField()
    sha256 = models.BinaryField(max_length=32)
    read_at = models.DateTimeField(null=True, help_text="When it was turned into runs.")
    token_id = models.BigIntegerField(null=True)

    class Meta:
        managed = False
        db_table = "monitoring_rawanswer"

    def __str__(self) -> str:
        return f"answer {self.pk}"


class QuarantinedRecord(models.Model):
    """One record that could not be read, with the reason in words; the good ones of its batch were stored.

    What a polled tool tells again and again is one record, which hangs on the latest answer that held it.
    """

    permission_from = ("tool",)

    tool = models.ForeignKey(Tool, on_delete=models.CASCADE, related_name="quarantined")
    answer = models.BigIntegerField(null=True)
    answer_index = models.IntegerField()
    reason = models.TextField()
    excerpt = models.TextField(blank=True)
    created_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, help_text="When it could be read, or was set aside.")
    set_aside = models.BooleanField(
        default=False, db_default=False, help_text="Somebody decided that nothing will come of it; the story says why."
    )
    readers = models.CharField(max_length=12, default="", help_text="The version of the readers that tried it last.")

    objects = VisibleQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(set_aside=False) | models.Q(resolved_at__isnull=False), name="quarantine_set_aside_waits_no_more"
            )
        ]
        indexes = [
            models.Index(fields=["tool", "-created_at"], name="quarantine_open", condition=models.Q(resolved_at=None)),
            models.Index(fields=["readers", "id"], name="quarantine_tried", condition=models.Q(resolved_at=None)),
        ]

    def __str__(self) -> str:
        return self.reason


@append_only
class QuarantineReading(models.Model):
    """One time that a quarantined record was read again or set aside: when, with which readers, by whom (nobody: by itself), and what
    came of it."""

    permission_from = ("record__tool",)

    record = models.ForeignKey(QuarantinedRecord, on_delete=models.CASCADE, related_name="readings")
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    readers = models.CharField(max_length=12)
    readable = models.BooleanField()
    told = models.TextField()
    run = models.BigIntegerField(null=True, help_text="The run that it became.")

    objects = VisibleQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["record", "at"], name="reading_of_record")]

    def __str__(self) -> str:
        return self.told
