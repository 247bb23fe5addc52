"""What became of published figures: each recount, what it found to differ and why, and how that was followed up. Only ever added to."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from catalogue.models import Service
from itsm_backup.common.models import VisibleQuerySet, append_only
from reporting.models.reports import Report


@append_only
class Reconciliation(models.Model):
    """One recount of a report from the raw runs: how many services agree, and BM-RECON over the occurrences of all of them."""

    report = models.ForeignKey(Report, on_delete=models.PROTECT, related_name="reconciliations")
    at = models.DateTimeField()
    agreeing = models.PositiveIntegerField()
    differing = models.PositiveIntegerField()
    result = models.JSONField(help_text="BM-RECON, version 1: both rates, their distance, and which occurrences differ.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["report", "at"], name="reconciled_once_an_instant")]
        indexes = [models.Index(fields=["report", "-at"], name="reconciled_latest")]

    def __str__(self) -> str:
        return f"recount of {self.report}"


@append_only
class Discrepancy(models.Model):
    """A published figure that comes out otherwise now. The published one stays; this stands beside it with its cause."""

    class Figure(models.TextChoices):
        SUCCESS = "success", "run success"
        RECOVERY = "recovery", "recovery point"
        VERDICT = "verdict", "verdict"
        LEDGER = "ledger", "ledger of due runs"

    class Cause(models.TextChoices):
        LATE = "late_data", "data arrived later"
        CORRECTED = "corrected_run", "a run was corrected"
        RULE = "changed_rule", "a job belongs elsewhere by a later rule"
        ENTRY = "changed_entry", "another version of the entry was in force"
        WINDOW = "changed_window", "a maintenance window was decided on later"
        DELETED = "deleted_run", "runs were deleted"
        LEDGER = "ledger", "the ledger does not follow from the runs"
        UNKNOWN = "unknown", "not explained by what is on record"

    permission_from = ("service",)

    report = models.ForeignKey(Report, on_delete=models.PROTECT, related_name="discrepancies")
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="+")
    figure = models.CharField(max_length=8, choices=Figure.choices)
    published = models.JSONField()
    found = models.JSONField()
    causes = models.JSONField(help_text="Words of Cause, the strongest first.")
    told = models.JSONField(help_text="Sentences on what differs.")
    at = models.DateTimeField()
    digest = models.BinaryField(max_length=32, help_text="Of what was found: the same finding is told once.")

    objects = VisibleQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-id"]
        verbose_name_plural = "discrepancies"
        permissions = [("settle_discrepancy", "Can follow up a discrepancy")]
        constraints = [models.UniqueConstraint(fields=["report", "service", "figure", "digest"], name="discrepancy_once")]

    def __str__(self) -> str:
        return f"{self.get_figure_display()} of {self.service} in {self.report}"

    @property
    def cause_words(self) -> list[str]:
        return [self.Cause(cause).label for cause in self.causes]


@append_only
class Settlement(models.Model):
    """How a discrepancy was followed up: a revision that says it, figures that agree again, or a person's explanation."""

    class How(models.TextChoices):
        REVISED = "revised", "a revision tells it"
        AGREES = "agrees", "agrees again"
        EXPLAINED = "explained", "explained, the report stands"
        SUPERSEDED = "found_anew", "found anew with other figures"

    discrepancy = models.OneToOneField(Discrepancy, on_delete=models.PROTECT, related_name="settlement")
    how = models.CharField(max_length=10, choices=How.choices)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    reason = models.TextField(blank=True)
    report = models.ForeignKey(Report, null=True, on_delete=models.PROTECT, related_name="+", help_text="The revision that tells it.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(how="explained") | (models.Q(by__isnull=False) & ~models.Q(reason="")),
                name="explanation_has_author_and_reason",
            ),
            models.CheckConstraint(condition=~models.Q(how="revised") | models.Q(report__isnull=False), name="revised_names_its_revision"),
        ]

    def __str__(self) -> str:
        return f"{self.discrepancy}: {self.get_how_display()}"
