"""What was reported: the snapshot with its seal, service by service, the files made of it, and who got them. Only ever added to."""

from __future__ import annotations

import datetime as dt
from typing import Any, Self

from django.db import models
from django.db.models import Exists, OuterRef

from catalogue.models import Service, ServiceVersion
from itsm_backup.common.models import Notice, VisibleQuerySet, append_only
from reporting.models.schedules import ReportSchedule


class ReportQuerySet(VisibleQuerySet):
    def visible_to(self, user: Any, action: str = "view") -> Self:
        """A report is visible to whoever may see every service in it; without any service it takes the right to see all reports."""
        if not user.is_active:
            return self.none()
        if user.is_superuser:
            return self
        by_role = user.has_perm(f"reporting.{action}_report")
        if action != "view" and not by_role:
            return self.none()
        told = ReportedService.objects.filter(report=OuterRef("pk"))
        unseen = told.exclude(service__in=Service.objects.visible_to(user).values("pk"))
        return self.filter(~Exists(unseen)) if by_role else self.filter(~Exists(unseen), Exists(told))

    def newest_of_each(self) -> Self:
        """The latest revision of every series and month."""
        later = Report.objects.filter(series=OuterRef("series"), month=OuterRef("month"), revision__gt=OuterRef("revision"))
        return self.filter(~Exists(later))


@append_only
class Report(models.Model):
    """One revision of the report of one month. `data` is what all services share; each service has a row of its own.

    The seal is the SHA-256 digest of data, services and versions (`reporting.sealing`): the same facts give the same seal.
    """

    class State(models.TextChoices):
        ISSUED = "issued", "Issued"
        QUALIFIED = "qualified", "Issued, marked"
        BLOCKED = "blocked", "Stopped by a check"
        OVERRIDDEN = "overridden", "Issued by override"

    series = models.CharField(max_length=300, help_text="What makes revisions belong together: the schedule, or the services chosen.")
    schedule = models.ForeignKey(ReportSchedule, null=True, on_delete=models.PROTECT, related_name="reports")
    title = models.CharField(max_length=120)
    month = models.DateField(help_text="First day of the month it tells of.")
    revision = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=10, choices=State.choices)
    made_at = models.DateTimeField()
    data = models.JSONField()
    seal = models.BinaryField(max_length=32)
    changes = models.JSONField(default=list, help_text="Sentences: what differs from the revision before.")
    follows = models.OneToOneField(
        "self", null=True, on_delete=models.PROTECT, related_name="followed_by", help_text="The report of the series made before this one."
    )
    manifest = models.JSONField(default=dict, help_text="What the report was made of, with the digest of the manifest before it.")
    manifest_digest = models.BinaryField(max_length=32, null=True)

    objects = ReportQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["series", "month", "revision"], name="report_revision_once"),
            models.UniqueConstraint(
                fields=["series"], condition=models.Q(follows=None) & ~models.Q(manifest_digest=None), name="report_chain_begins_once"
            ),
        ]
        indexes = [
            models.Index(fields=["-made_at", "-id"], name="report_newest"),
            models.Index(fields=["series", "-id"], name="report_series"),
        ]
        permissions = [
            ("compile_report", "Can have a report compiled"),
            ("override_report", "Can issue a report that a check stopped"),
        ]

    def __str__(self) -> str:
        return f"{self.title}, {self.month:%B %Y}, revision {self.revision}"

    @property
    def number(self) -> str:
        """By which papers and people name the snapshot."""
        return f"SNP-{self.month:%Y-%m}-{self.pk}"

    @property
    def seal_words(self) -> str:
        digest = bytes(self.seal).hex()
        return f"{digest[:4]} {digest[4:8]}"

    @property
    def period(self) -> tuple[dt.datetime, dt.datetime]:
        start, end = (dt.datetime.fromisoformat(text) for text in self.data["period"])
        return start, end


@append_only
class ReportedService(models.Model):
    """What a report holds on one service: the inputs of its figures and the figures, with the entry's version."""

    permission_from = ("service",)

    report = models.ForeignKey(Report, on_delete=models.PROTECT, related_name="services", db_index=False)
    position = models.PositiveIntegerField(help_text="Order in the report, by code.")
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="+")
    version = models.ForeignKey(ServiceVersion, on_delete=models.PROTECT, related_name="+", db_index=False)
    verdict = models.CharField(max_length=8)
    data = models.JSONField()
    digest = models.BinaryField(max_length=32)

    objects = VisibleQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["report", "position"], name="reported_service_once")]

    def __str__(self) -> str:
        return f"{self.service} in {self.report}"


@append_only
class ReportFile(models.Model):
    """A file made of a report, as it was sent and can be downloaded; made again from the snapshot it has the same digest."""

    report = models.ForeignKey(Report, on_delete=models.PROTECT, related_name="files")
    name = models.CharField(max_length=20, help_text="technical.pdf, executive.html, services.csv, snapshot.json …")
    content = models.BinaryField()
    digest = models.BinaryField(max_length=32)
    made_by = models.CharField(max_length=60, help_text="What laid it out, with its version.")
    made_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["report", "name"], name="report_file_once")]

    def __str__(self) -> str:
        return f"{self.name} of {self.report}"


@append_only
class Delivery(models.Model):
    """One recipient of a report, and the message that carries it; how the sending went stands on the message."""

    report = models.ForeignKey(Report, on_delete=models.PROTECT, related_name="deliveries")
    recipient = models.CharField(max_length=254)
    notice = models.OneToOneField(Notice, on_delete=models.PROTECT, related_name="delivery")
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["report", "recipient"], name="report_delivered_once")]

    def __str__(self) -> str:
        return f"{self.report} to {self.recipient}"
