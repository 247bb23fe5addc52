"""What a rule says, in numbered versions: written by one person, tried on the bench, put in force by another."""

from __future__ import annotations

from typing import Any, Self

from django.db import models

from catalogue.models import Service
from catalogue.models.agreements import Approved, approved_constraints, approved_is_fixed
from itsm_backup.common.models import TrackedQuerySet, tracked
from monitoring.conditions import Condition
from monitoring.models.rules import CauseRule
from monitoring.models.tools import Tool


class RuleVersionQuerySet(TrackedQuerySet):
    def visible_to(self, user: Any, action: str = "view") -> Self:
        """A rule of belonging is visible with its service, one of causes by role alone; the other actions take the role, or the
        right to change the tool whose jobs alone it is about.
        """
        if not user.is_active:
            return self.none()
        if user.is_superuser:
            return self
        by_role = user.has_perm(f"monitoring.{action}_ruleversion")
        belonging = models.Q(kind="attribution", service__in=Service.objects.visible_to(user))
        if by_role:
            return self.filter(belonging | models.Q(kind="cause"))
        if action == "view":
            return self.filter(belonging)
        if action == "change":
            return self.filter(kind="attribution", tool__in=Tool.objects.visible_to(user, "change"))
        return self.none()


@tracked
class RuleVersion(Approved):
    """One version of a rule. Approved, it never changes, and is what the rule of its name says from then on."""

    class Kind(models.TextChoices):
        ATTRIBUTION = "attribution", "which service a job belongs to"
        CAUSE = "cause", "what the message of a failed run means"

    kind = models.CharField(max_length=12, choices=Kind.choices)
    name = models.CharField(max_length=120)
    position = models.PositiveIntegerField(default=100, help_text="Lower is asked first.")
    enabled = models.BooleanField(default=True)
    conditions = models.JSONField(default=list, help_text="Field, operator and value of each; all of them must hold.")
    service = models.ForeignKey(Service, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    tool = models.ForeignKey(Tool, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    valid_to = models.DateTimeField("ends", null=True, blank=True)
    title = models.CharField(max_length=120, blank=True, help_text="Completes the sentence: the backup fails because …")
    component = models.CharField(max_length=12, choices=CauseRule.Component.choices, blank=True)
    reason = models.TextField(help_text="Why this version is made.")
    sent_at = models.DateTimeField(null=True, editable=False, help_text="When it was sent for approval; empty while it is written.")
    decided = models.BigIntegerField(
        null=True, editable=False, unique=True, help_text="History id of the rule as this version made it: jobs and alerts name it."
    )

    objects = RuleVersionQuerySet.as_manager()

    class Meta:
        ordering = ["kind", "name", "-number"]
        verbose_name = "version of a rule"
        verbose_name_plural = "versions of rules"
        permissions = [("approve_ruleversion", "Can put a rule in force that somebody else wrote")]
        constraints = [
            models.UniqueConstraint(fields=["kind", "name", "number"], name="rule_number_once"),
            models.UniqueConstraint(fields=["kind", "name"], condition=models.Q(state="draft"), name="rule_one_draft"),
            models.CheckConstraint(
                condition=models.Q(kind="attribution", service__isnull=False) | (models.Q(kind="cause") & ~models.Q(title="")),
                name="rule_says_what_follows",
                violation_error_message="Say which service the jobs belong to, or what the message means.",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="approved") | models.Q(decided__isnull=False), name="rule_approved_is_in_force"
            ),
            *approved_constraints("rule"),
        ]
        triggers = [approved_is_fixed()]
        indexes = [models.Index(fields=["id"], name="rule_draft", condition=models.Q(state="draft"))]

    def __str__(self) -> str:
        return f"{self.name}, version {self.number}"

    @property
    def plain(self) -> list[Condition]:
        """Its conditions."""
        return [Condition(*(str(row.get(part, "")) for part in Condition._fields)) for row in self.conditions]

    def told(self, service: str = "") -> str:
        """What it says, as people would say it; the service by this name, else by its code."""
        service = service or str(self.service)
        whose = " and ".join(f"whose {one.words(self.kind)}" for one in self.plain)
        if self.kind == self.Kind.ATTRIBUTION:
            of_tool = f" of {self.tool}" if self.tool else ""
            told = f"A job{of_tool} {whose} belongs to {service}" if whose else f"Every job{of_tool} belongs to {service}"
        else:
            told = f"A run {whose} fails because {self.title}; the fault lies with {self.get_component_display()}"
        return f"{told}." if self.enabled else f"Switched off. {told}."
