"""What stands behind a promise: agreements with customers, teams and suppliers, and the business impact analysis."""

from __future__ import annotations

import pgtrigger
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models

from catalogue.models.service import Service
from itsm_backup.common.models import Tracked, tracked


class Approved(Tracked):
    """A numbered text that somebody wrote and somebody else approved. Approved, it never changes."""

    class State(models.TextChoices):
        DRAFT = "draft", "draft"
        APPROVED = "approved", "approved"
        CANCELLED = "cancelled", "cancelled"

    number = models.PositiveIntegerField(editable=False)
    state = models.CharField(max_length=9, choices=State.choices, default=State.DRAFT, editable=False)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, editable=False, on_delete=models.PROTECT, related_name="+")
    approver = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, editable=False, on_delete=models.PROTECT, related_name="+"
    )
    approved_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        abstract = True


def approved_constraints(name: str) -> list[models.CheckConstraint]:
    return [
        models.CheckConstraint(
            condition=~models.Q(state="approved") | models.Q(approver__isnull=False, approved_at__isnull=False),
            name=f"{name}_approved_is_complete",
        ),
        models.CheckConstraint(
            condition=models.Q(approver__isnull=True) | ~models.Q(approver=models.F("author")),
            name=f"{name}_author_never_approves",
            violation_error_message="Its author cannot approve it.",
        ),
    ]


def approved_is_fixed() -> pgtrigger.Trigger:
    return pgtrigger.Trigger(
        name="approved_is_fixed",
        when=pgtrigger.Before,
        operation=pgtrigger.Update | pgtrigger.Delete,
        func="IF OLD.state = 'approved' THEN RAISE EXCEPTION 'what was approved is immutable: make a new version'; END IF;"
        " RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;",
    )


@tracked
class Agreement(Tracked):
    """An agreement as people know it; what it says stands in its versions."""

    class Kind(models.TextChoices):
        SLA = "sla", "service level agreement (SLA), with customers"
        OLA = "ola", "operational level agreement (OLA), with a team of ours"
        CONTRACT = "contract", "underpinning contract, with a supplier"

    kind = models.CharField(max_length=8, choices=Kind.choices)
    name = models.CharField(max_length=120, unique=True)
    party = models.CharField(max_length=120, help_text="With whom: the customer, team or supplier.")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


@tracked
class AgreementVersion(Approved):
    """What an agreement says: objectives that hold from a day on. An empty objective is not agreed."""

    agreement = models.ForeignKey(Agreement, on_delete=models.PROTECT, related_name="versions")
    from_on = models.DateField("in force from")
    until_on = models.DateField("in force until", null=True, blank=True, help_text="The last day; empty: until it is replaced.")
    rpo_s = models.PositiveIntegerField("recovery point (RPO), seconds", null=True, blank=True, validators=[MinValueValidator(60)])
    rto_s = models.PositiveIntegerField("recovery time (RTO), seconds", null=True, blank=True, validators=[MinValueValidator(60)])
    retention_days = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    success_rate = models.DecimalField(max_digits=6, decimal_places=5, null=True, blank=True)
    text = models.TextField(blank=True, help_text="What else was agreed, or where the signed paper lies.")

    class Meta:
        ordering = ["agreement", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["agreement", "number"], name="agreement_number_once"),
            models.UniqueConstraint(fields=["agreement"], condition=models.Q(state="draft"), name="agreement_one_draft"),
            models.CheckConstraint(
                condition=models.Q(success_rate__isnull=True) | models.Q(success_rate__gt=0, success_rate__lte=1),
                name="agreement_success_rate_is_a_share",
            ),
            models.CheckConstraint(
                condition=models.Q(until_on__isnull=True) | models.Q(until_on__gte=models.F("from_on")),
                name="agreement_ends_after_it_starts",
                violation_error_message="It cannot end before it starts.",
            ),
            *approved_constraints("agreement"),
        ]
        triggers = [approved_is_fixed()]

    def __str__(self) -> str:
        return f"{self.agreement.name}, version {self.number}"


@tracked
class ImpactAnalysis(Approved):
    """What the business can bear when a service stops: the bounds that every promise of it must respect."""

    permission_from = ("service",)

    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="analyses")
    mtpd_s = models.PositiveIntegerField(
        "longest tolerable outage (MTPD), seconds", validators=[MinValueValidator(60)],
        help_text="After this, not working again is unacceptable.",
    )  # fmt: skip
    tolerated_loss_s = models.PositiveIntegerField(
        "tolerable data loss, seconds", validators=[MinValueValidator(60)], help_text="So much work may be lost at most."
    )
    wrt_s = models.PositiveIntegerField(
        "work after recovery (WRT), seconds", default=0, help_text="Checks and re-entry, once the systems are back."
    )
    mbco = models.TextField("least acceptable operation (MBCO)", blank=True, help_text="What must work during the disruption, in words.")
    review_due_on = models.DateField("review due", help_text="By then the analysis is done again.")

    class Meta:
        verbose_name = "impact analysis"
        verbose_name_plural = "impact analyses"
        ordering = ["service", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["service", "number"], name="analysis_number_once"),
            models.UniqueConstraint(fields=["service"], condition=models.Q(state="draft"), name="analysis_one_draft"),
            *approved_constraints("analysis"),
        ]
        triggers = [approved_is_fixed()]

    def __str__(self) -> str:
        return f"impact analysis {self.number} of {self.service}"

    def clean(self) -> None:
        if self.mtpd_s and self.wrt_s and self.wrt_s >= self.mtpd_s:
            raise ValidationError(
                {"wrt_s": "The work after recovery takes as long as the outage may last, or longer: no recovery would be quick enough."}
            )


@tracked
class Deviation(Tracked):
    """Leave to promise what an inequality forbids: asked for with a reason, granted by somebody else, over on a date."""

    permission_from = ("service",)

    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="deviations")
    code = models.CharField(max_length=40, editable=False, help_text="The inequality that does not hold.")
    reason = models.TextField(help_text="Why it is borne, and what is done about it.")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", help_text="Who answers for it.")
    expires_on = models.DateField("bears until", help_text="The last day on which it holds.")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, editable=False, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(editable=False)
    approver = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, editable=False, on_delete=models.PROTECT, related_name="+"
    )
    granted_at = models.DateTimeField(null=True, editable=False)
    ended_at = models.DateTimeField(null=True, editable=False, help_text="Refused or taken back, before it ran out.")
    bears = models.JSONField(
        null=True, editable=False, help_text="What broke the inequality when it was granted, and how many times over: more is not borne."
    )

    class Meta:
        ordering = ["-asked_at"]
        indexes = [models.Index(fields=["service", "code"], name="deviation_of_service")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(approver__isnull=True)
                | (~models.Q(approver=models.F("owner")) & ~models.Q(approver=models.F("asked_by"))),
                name="deviation_granted_by_somebody_else",
                violation_error_message="Neither the owner of a deviation nor who asked for it can grant it.",
            ),
            models.CheckConstraint(
                condition=models.Q(granted_at__isnull=True) | models.Q(approver__isnull=False), name="deviation_granted_by_somebody"
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="granted_is_fixed",
                when=pgtrigger.Before,
                operation=pgtrigger.Update | pgtrigger.Delete,
                func="""
                IF OLD.granted_at IS NOT NULL AND (TG_OP = 'DELETE' OR OLD.ended_at IS NOT NULL
                   OR (to_jsonb(NEW) - 'ended_at') IS DISTINCT FROM (to_jsonb(OLD) - 'ended_at'))
                THEN RAISE EXCEPTION 'a granted deviation never changes: it may only be taken back'; END IF;
                RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
                """,
            )
        ]

    def __str__(self) -> str:
        return f"deviation {self.code} of {self.service}"
