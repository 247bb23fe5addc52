"""Problems, what stands behind incidents that come again; and known errors, what helps when they do."""

from __future__ import annotations

from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Lower

from incidents.models.incident import Incident
from itsm_backup.common.models import Tracked, VisibleQuerySet, append_only, tracked

LIVE_STATES = ["proposed", "new", "assess", "root_cause_analysis", "fix_in_progress", "resolved"]


class ProblemQuerySet(VisibleQuerySet):
    def live(self) -> Self:
        return self.filter(state__in=LIVE_STATES)

    def visible_to(self, user: Any, action: str = "view") -> Self:
        """A problem is visible to whoever may see one of its incidents."""
        if user.is_active and user.is_superuser:
            return self
        seen = ProblemIncident.objects.filter(problem=OuterRef("pk"), incident__in=Incident.objects.visible_to(user))
        mine = self.filter(Exists(seen))
        return mine if action == "view" or user.has_perm(f"incidents.{action}_problem") else self.none()


class Problem(models.Model):
    """What incidents of one signature have behind them, on services of one type or of all. One live problem for each of both."""

    class State(models.TextChoices):
        PROPOSED = "proposed", "Proposed"
        REJECTED = "rejected", "Rejected"
        NEW = "new", "New"
        ASSESS = "assess", "Being assessed"
        ROOT_CAUSE_ANALYSIS = "root_cause_analysis", "Root cause is sought"
        FIX_IN_PROGRESS = "fix_in_progress", "Fix in progress"
        RESOLVED = "resolved", "Resolved"
        CLOSED = "closed", "Closed"

    class Outcome(models.TextChoices):
        FIXED = "fixed", "Fixed, and did not come back"
        RISK_ACCEPTED = "risk_accepted", "Risk accepted"
        NO_PROBLEM = "no_problem", "No problem of its own"

    signature = models.CharField(max_length=200)
    service_type = models.CharField(max_length=80, blank=True, help_text="The type of the services it is about; empty: of all types.")
    title = models.CharField(max_length=240)
    state = models.CharField(max_length=20, choices=State.choices, default=State.PROPOSED)
    outcome = models.CharField(max_length=14, blank=True, choices=Outcome.choices)
    because = models.JSONField(default=list, help_text="Why it was proposed: each reason with its counts.")
    root_cause = models.TextField(blank=True)
    workaround = models.TextField(blank=True)
    permanent_fix = models.CharField(max_length=200, blank=True, help_text="The change that removes the cause, by its number or address.")
    assignee = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="problems")
    proposed_at = models.DateTimeField()
    fixed_at = models.DateTimeField(null=True, help_text="When the fix was in place; what comes later came back.")
    muted_until = models.DateTimeField(null=True, help_text="Until then its signature is not proposed again.")
    closed_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField()

    objects = ProblemQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "signature", Lower("service_type"), condition=Q(state__in=LIVE_STATES), name="problem_one_live_per_kind"
            ),
            models.CheckConstraint(condition=~Q(state="rejected") | Q(muted_until__isnull=False), name="problem_rejected_is_muted"),
            models.CheckConstraint(
                condition=~Q(state="resolved") | (Q(fixed_at__isnull=False) & ~Q(root_cause="") & ~Q(permanent_fix="")),
                name="problem_resolved_is_explained",
            ),
            models.CheckConstraint(
                condition=~Q(state="closed") | (Q(closed_at__isnull=False) & ~Q(outcome="")), name="problem_closed_has_outcome"
            ),
        ]
        indexes = [
            models.Index(fields=["signature", "-proposed_at"], name="problem_of_signature"),
            models.Index(fields=["-updated_at", "-id"], name="problem_newest"),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def number(self) -> str:
        return f"PRB-{self.pk:04d}"

    @property
    def is_live(self) -> bool:
        return self.state in LIVE_STATES


class ProblemIncident(models.Model):
    """An incident that a problem stands behind."""

    problem = models.ForeignKey(Problem, on_delete=models.PROTECT, related_name="problem_incidents")
    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="problem_incidents")
    attached_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["problem", "incident"], name="problem_has_incident_once")]

    def __str__(self) -> str:
        return f"{self.incident} in {self.problem}"


@append_only
class ProblemEntry(models.Model):
    """One line of a problem's story."""

    problem = models.ForeignKey(Problem, on_delete=models.PROTECT, related_name="entries")
    at = models.DateTimeField()
    text = models.TextField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        indexes = [models.Index(fields=["problem", "at", "id"], name="entry_of_problem")]

    def __str__(self) -> str:
        return self.text


@tracked
class KnownError(Tracked):
    """What is known of failures of one signature: how they show, why they happen, what helps until it is fixed."""

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        PUBLISHED = "published", "Published"
        RETIRED = "retired", "Retired"

    signature = models.CharField(max_length=200)
    title = models.CharField(max_length=200)
    symptom = models.TextField()
    root_cause = models.TextField(blank=True)
    workaround = models.TextField(blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT, editable=False)
    problem = models.ForeignKey(Problem, null=True, editable=False, on_delete=models.PROTECT, related_name="known_errors")
    review_on = models.DateField("looked at again", null=True, blank=True, help_text="By then somebody looks whether it still helps.")

    class Meta:
        ordering = ["title"]
        constraints = [
            models.UniqueConstraint(
                fields=["signature", "title"], name="known_error_named_once",
                violation_error_message="There is a known error of this signature with this title already.",
            ),
            models.CheckConstraint(
                condition=~Q(state="published") | ~Q(workaround=""), name="known_error_published_helps",
                violation_error_message="What is published says what helps: write the workaround.",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.number

    @property
    def number(self) -> str:
        return f"KE-{self.pk:04d}"


@append_only
class Feedback(models.Model):
    """Whether a known error helped with an incident: said once for each. What was said by mistake is corrected by a further row."""

    known_error = models.ForeignKey(KnownError, on_delete=models.PROTECT, related_name="feedback")
    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="feedback")
    helped = models.BooleanField()
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    corrects = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="corrected_by")

    class Meta:
        verbose_name_plural = "feedback"
        constraints = [
            models.UniqueConstraint(fields=["known_error", "incident"], condition=Q(corrects=None), name="feedback_once_per_incident")
        ]

    def __str__(self) -> str:
        return f"{self.known_error} {'helped' if self.helped else 'did not help'} with {self.incident}"
