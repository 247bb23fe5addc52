"""The scope register: backup services as people know them, and where each stands in the catalogue. Decisions are only ever added."""

from __future__ import annotations

import datetime as dt
from typing import Any, Self

import pgtrigger
from django.conf import settings
from django.db import models

from catalogue.models.service import Service, ServiceVersion
from itsm_backup.common.models import Tracked, TrackedQuerySet, append_only, tracked

WRITE_LOCK = 7_315_013  # decisions are written one transaction at a time: two lines never become the same entry

_DECIDED = f"""
PERFORM pg_advisory_xact_lock({WRITE_LOCK});
IF EXISTS (SELECT 1 FROM catalogue_scopedecision d WHERE d.line_id = NEW.line_id AND d.decided_at >= NEW.decided_at) THEN
  RAISE EXCEPTION 'decisions on a backup service follow one another' USING ERRCODE = 'check_violation';
END IF;
IF NEW.review_on <= (NEW.decided_at AT TIME ZONE 'UTC')::date THEN
  RAISE EXCEPTION 'the next review of a decision lies after it' USING ERRCODE = 'check_violation';
END IF;
IF NEW.entry_id IS NOT NULL AND NOT EXISTS (
  SELECT 1 FROM catalogue_serviceversion v JOIN catalogue_service s ON s.id = v.service_id
  WHERE s.id = NEW.entry_id AND s.lifecycle IN ('catalogue', 'pending_retirement')
    AND v.state = 'approved' AND v.effective @> NEW.decided_at
) THEN
  RAISE EXCEPTION 'a decision names an entry that is published' USING ERRCODE = 'check_violation';
END IF;
IF NEW.outcome = 'listed' AND EXISTS (
  SELECT 1 FROM catalogue_scopedecision d WHERE d.entry_id = NEW.entry_id AND d.outcome = 'listed' AND d.line_id <> NEW.line_id
    AND NOT EXISTS (SELECT 1 FROM catalogue_scopedecision n WHERE n.line_id = d.line_id AND n.decided_at > d.decided_at)
) THEN
  RAISE EXCEPTION 'this entry stands for another backup service already' USING ERRCODE = 'unique_violation';
END IF;
RETURN NEW;
"""  # noqa: S608 - our own number


class LineQuerySet(TrackedQuerySet):
    def visible_to(self, user: Any, action: str = "view") -> Self:
        """Lines whose entry the user may see; those without an entry only by role over the whole estate."""
        if not user.is_active or user.is_superuser:
            return self if user.is_active else self.none()
        by_role = user.has_perm(f"catalogue.{action}_scopeline")
        newest = ScopeDecision.objects.filter(line=models.OuterRef("pk")).order_by("-decided_at").values("entry")[:1]
        stands = self.alias(_entry=models.Subquery(newest))
        seen = models.Q(_entry__in=Service.objects.visible_to(user, "view" if by_role else action))
        return stands.filter(seen | models.Q(_entry=None) if by_role else seen)


@tracked
class ScopeLine(Tracked):
    """A backup service as people know it, whether or not it has an entry. What was decided about it stands in its decisions."""

    name = models.CharField(max_length=160, unique=True, help_text="What people call it, e.g. Backup of the clinical databases.")
    created_at = models.DateTimeField(editable=False)

    objects = LineQuerySet.as_manager()

    class Meta:
        verbose_name = "backup service in scope"
        verbose_name_plural = "backup services in scope"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class DecisionQuerySet(TrackedQuerySet):
    def current(self, at: dt.datetime) -> Self:
        """The newest decision of each line at `at`."""
        newer = ScopeDecision.objects.filter(line=models.OuterRef("line"), decided_at__gt=models.OuterRef("decided_at"), decided_at__lte=at)
        return self.filter(~models.Exists(newer), decided_at__lte=at)


@append_only
@tracked
class ScopeDecision(Tracked):
    """Where a backup service stands: an entry of its own, part of another entry, or left out. The newest one holds."""

    class Outcome(models.TextChoices):
        LISTED = "listed", "listed as an entry of its own"
        REFERENCED = "referenced", "referenced through another entry"
        EXCLUDED = "excluded", "left out of the catalogue"

    class Answer(models.TextChoices):
        YES = "yes", "yes"
        NO = "no", "no"
        UNKNOWN = "unknown", "not known"

    QUESTIONS = ("customers", "agreement", "commitments", "consumers", "regulated")

    permission_from = ("line",)

    line = models.ForeignKey(ScopeLine, verbose_name="backup service", on_delete=models.PROTECT, related_name="decisions")
    outcome = models.CharField("decision", max_length=10, choices=Outcome.choices)
    entry = models.ForeignKey(
        Service, null=True, blank=True, on_delete=models.PROTECT, related_name="scope_decisions",
        help_text="The entry that it is, or that carries it.",
    )  # fmt: skip
    hosting = models.CharField(max_length=12, choices=ServiceVersion.Hosting.choices)
    provider = models.CharField(max_length=120, blank=True, help_text="Who hosts it, where that is somebody else.")
    answers = models.JSONField(help_text="Question of the catalogue → yes, no or unknown.")
    reason = models.TextField()
    review_on = models.DateField("next review", help_text="By then somebody decides again.")
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField()

    objects = DecisionQuerySet.as_manager()

    class Meta:
        verbose_name = "scope decision"
        ordering = ["-decided_at"]
        indexes = [models.Index("line", models.F("decided_at").desc(), name="scope_newest")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(outcome="excluded", entry__isnull=True)
                | models.Q(outcome__in=["listed", "referenced"], entry__isnull=False),
                name="scope_names_its_entry",
                violation_error_message="What is listed or referenced names its entry; what is left out names none.",
            ),
            models.CheckConstraint(
                condition=models.Q(answers__has_keys=["customers", "agreement", "commitments", "consumers", "regulated"]),
                name="scope_answers_every_question",
            ),
            models.CheckConstraint(condition=~models.Q(reason=""), name="scope_has_a_reason"),
        ]
        triggers = [pgtrigger.Trigger(name="decided", when=pgtrigger.Before, operation=pgtrigger.Insert, func=_DECIDED)]

    def __str__(self) -> str:
        return f"{self.line}: {self.get_outcome_display()}"
