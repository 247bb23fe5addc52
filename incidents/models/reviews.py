"""Post-incident reviews: whether the catalogue was right, what is done about it, and what the entries are asked to say instead."""

from __future__ import annotations

from typing import Any, Self

import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from catalogue.models import Service, ServiceVersion
from catalogue.models.ownership import answered_is_fixed
from incidents.models.incident import Incident
from itsm_backup.common.models import Tracked, TrackedQuerySet, VisibleQuerySet, authors_stay, tracked

UNFINISHED = ["proposed", "draft", "in_review"]
READ_EARLY = "incidents.read_early_postincidentreview"

_PUBLISHED_IS_FIXED = """
IF OLD.state = 'published' THEN
  RAISE EXCEPTION 'a published review is never changed: a correction is a new revision' USING ERRCODE = 'check_violation';
END IF;
IF TG_OP = 'UPDATE' AND NEW.state IN ('in_review', 'published') AND EXISTS (
  SELECT 1 FROM incidents_reviewanswer a WHERE a.review_id = NEW.id AND a.answer = ''
) THEN
  RAISE EXCEPTION 'a review answers every question of the catalogue' USING ERRCODE = 'check_violation';
END IF;
RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
"""
_PART_IS_FIXED = """
IF EXISTS (SELECT 1 FROM incidents_postincidentreview r WHERE r.state = 'published'
           AND r.id IN (CASE WHEN TG_OP = 'INSERT' THEN NEW.review_id ELSE OLD.review_id END,
                        CASE WHEN TG_OP = 'DELETE' THEN OLD.review_id ELSE NEW.review_id END))
THEN RAISE EXCEPTION 'what a published review says is never changed' USING ERRCODE = 'check_violation'; END IF;
RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
"""
_ENDED_IS_FIXED = """
IF TG_OP = 'DELETE' OR OLD.state <> 'open' THEN
  RAISE EXCEPTION 'an action that ended stays as it is' USING ERRCODE = 'check_violation';
END IF;
RETURN NEW;
"""


def _guard(name: str, operation: pgtrigger.Operation | pgtrigger.Operations, func: str) -> pgtrigger.Trigger:
    return pgtrigger.Trigger(name=name, when=pgtrigger.Before, operation=operation, func=func)


class ReviewQuerySet(TrackedQuerySet):
    def visible_to(self, user: Any, action: str = "view") -> Self:
        """Published reviews of incidents that one may see; those on their way only for who may read them early."""
        if not user.is_active:
            return self.none()
        if user.is_superuser:
            return self
        seen = self.filter(incident__in=Incident.objects.visible_to(user))
        if action != "view":
            return seen if user.has_perm(f"incidents.{action}_postincidentreview") else self.none()
        return seen if user.has_perm(READ_EARLY) else seen.filter(state=PostIncidentReview.State.PUBLISHED)

    def newest(self) -> Self:
        """Of each incident the newest revision that is published."""
        later = PostIncidentReview.objects.filter(
            incident=models.OuterRef("incident"), state="published", revision__gt=models.OuterRef("revision")
        )
        return self.filter(~models.Exists(later.filter(state="published")), state="published")


@tracked
class PostIncidentReview(Tracked):
    """What an incident teaches. Published it is never changed; a correction is the next revision."""

    class State(models.TextChoices):
        PROPOSED = "proposed", "Proposed"
        DECLINED = "declined", "Declined"
        DRAFT = "draft", "Draft"
        IN_REVIEW = "in_review", "In review"
        PUBLISHED = "published", "Published"

    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="reviews", editable=False)
    revision = models.PositiveSmallIntegerField(default=1, editable=False)
    required = models.BooleanField(default=False, editable=False, help_text="Incidents of priority 1 and major ones are reviewed always.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.PROPOSED, editable=False)
    cause = models.TextField("what caused it", blank=True)
    factors = models.TextField("what contributed", blank=True)
    went_well = models.TextField(blank=True)
    went_wrong = models.TextField(blank=True)
    lucky = models.TextField("where we had luck", blank=True)
    facts = models.JSONField(default=dict, editable=False, help_text="What was on record when it was drafted, with where it stands.")
    facts_at = models.DateTimeField(null=True, editable=False)
    author_ids = ArrayField(models.IntegerField(), default=list, editable=False)
    proposed_at = models.DateTimeField(editable=False)
    submitted_at = models.DateTimeField(null=True, editable=False)
    published_at = models.DateTimeField(null=True, editable=False)
    publisher = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, editable=False, on_delete=models.PROTECT, related_name="+")

    objects = ReviewQuerySet.as_manager()

    class Meta:
        verbose_name = "post-incident review"
        ordering = ["-pk"]
        permissions = [
            ("publish_postincidentreview", "Can publish reviews that others wrote"),
            ("read_early_postincidentreview", "Can read reviews before they are published"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["incident", "revision"], name="review_revision_once"),
            models.UniqueConstraint(fields=["incident"], condition=Q(state__in=UNFINISHED), name="review_one_unfinished_per_incident"),
            models.CheckConstraint(condition=~Q(state="declined", required=True), name="review_required_is_not_declined"),
            models.CheckConstraint(
                condition=~Q(state__in=["in_review", "published"]) | (~Q(cause="") & ~Q(went_wrong="") & Q(submitted_at__isnull=False)),
                name="review_says_cause_and_lesson",
            ),
            models.CheckConstraint(
                condition=~Q(state="published") | Q(published_at__isnull=False, publisher__isnull=False),
                name="review_published_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(publisher__isnull=True)
                | ~Q(
                    author_ids__contains=models.Func(
                        F("publisher_id"), template="ARRAY[%(expressions)s]::integer[]", output_field=ArrayField(models.IntegerField())
                    )
                ),
                name="review_author_never_publishes",
            ),
        ]
        indexes = [
            models.Index(fields=["state", "-id"], name="review_by_state"),
            models.Index(fields=["-published_at"], name="review_library", condition=Q(state="published")),
        ]
        triggers = [_guard("published_is_fixed", pgtrigger.Update | pgtrigger.Delete, _PUBLISHED_IS_FIXED), authors_stay()]

    def __str__(self) -> str:
        return self.number

    @property
    def number(self) -> str:
        return f"PIR-{self.pk:04d}"


@tracked
class ReviewAnswer(Tracked):
    """One question of the catalogue: what the data say to it and why, and what a person says."""

    class Question(models.TextChoices):
        RPO = "rpo", "Was the recovery point (RPO) as described?"
        RTO = "rto", "Was the recovery time (RTO) as described?"
        RETENTION = "retention", "Was the retention as described?"
        DEPENDENCIES = "dependencies", "Were the dependencies complete?"
        TIER = "tier", "Was the tier right?"
        CONTACTS = "contacts", "Were the contacts right?"
        STATUS = "status", "Was the status shown truthfully, and in time?"
        RESTORE = "restore", "Was a restore proven beforehand?"

    class Answer(models.TextChoices):
        YES = "yes", "Yes"
        NO = "no", "No"
        UNKNOWN = "unknown", "Not known"

    review = models.ForeignKey(PostIncidentReview, on_delete=models.PROTECT, related_name="answers")
    question = models.CharField(max_length=12, choices=Question.choices)
    service = models.ForeignKey(Service, null=True, on_delete=models.PROTECT, related_name="+", help_text="The entry that it is about.")
    proposed = models.CharField(max_length=7, choices=Answer.choices, help_text="What the data say.")
    because = models.TextField(help_text="Why the data say so, in words.")
    links = models.JSONField(default=list, help_text="Where that can be read: page, its arguments and words.")
    suggestion = models.JSONField(default=dict, help_text="Fields of the entry that the data would set otherwise.")
    answer = models.CharField(max_length=7, choices=Answer.choices, blank=True)
    note = models.TextField(blank=True, help_text="For a no: what the entry should say instead.")
    answered_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    answered_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["review", "question"], name="answer_once_per_question"),
            models.CheckConstraint(
                condition=Q(answer="", answered_by=None, answered_at=None)
                | (~Q(answer="") & Q(answered_by__isnull=False, answered_at__isnull=False)),
                name="answer_by_somebody",
            ),
            models.CheckConstraint(condition=~Q(answer="no") | ~Q(note=""), name="answer_no_says_what_instead"),
        ]
        triggers = [_guard("published_is_fixed", pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete, _PART_IS_FIXED)]

    def __str__(self) -> str:
        return f"{self.get_question_display()} {self.get_answer_display() or 'not answered'}"


class ActionQuerySet(TrackedQuerySet):
    def overdue(self, on: Any) -> Self:
        """Open actions of published reviews that were due before that day."""
        return self.filter(state=ReviewAction.State.OPEN, due_on__lt=on, review__state=PostIncidentReview.State.PUBLISHED)


@tracked
class ReviewAction(Tracked):
    """Something that somebody does by a day, so that it does not happen again."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        DONE = "done", "Done"
        CANCELLED = "cancelled", "Cancelled"

    review = models.ForeignKey(PostIncidentReview, on_delete=models.PROTECT, related_name="actions")
    what = models.CharField(max_length=400)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="review_actions")
    due_on = models.DateField("due")
    state = models.CharField(max_length=9, choices=State.choices, default=State.OPEN)
    outcome = models.TextField(blank=True, help_text="What was done, or why it is not done.")
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")

    objects = ActionQuerySet.as_manager()

    class Meta:
        ordering = ["due_on", "pk"]
        constraints = [
            models.CheckConstraint(condition=~Q(what=""), name="action_says_what"),
            models.CheckConstraint(
                condition=Q(state="open", ended_at=None, ended_by=None)
                | (~Q(state="open") & Q(ended_at__isnull=False, ended_by__isnull=False)),
                name="action_ended_by_somebody",
            ),
            models.CheckConstraint(condition=~Q(state="cancelled") | ~Q(outcome=""), name="action_cancelled_says_why"),
        ]
        indexes = [
            models.Index(fields=["due_on"], name="action_open", condition=Q(state="open")),
            models.Index(fields=["owner", "due_on"], name="action_of_owner", condition=Q(state="open")),
        ]
        triggers = [
            _guard("ended_is_fixed", pgtrigger.Update | pgtrigger.Delete, _ENDED_IS_FIXED),
            _guard("added_before_publication", pgtrigger.Insert, _PART_IS_FIXED),
        ]

    def __str__(self) -> str:
        return self.what


class EntryProposal(models.Model):
    """What a review found wrong in an entry, for its steward: becomes a draft of the entry, is settled otherwise, or declined."""

    class State(models.TextChoices):
        OPEN = "open", "Waits for the steward"
        DRAFTED = "drafted", "Drafted"
        SETTLED = "settled", "Settled without a version"
        DECLINED = "declined", "Declined"

    permission_from = ("service",)

    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="entry_proposals")
    answer = models.OneToOneField(ReviewAnswer, on_delete=models.PROTECT, related_name="proposal")
    question = models.CharField(max_length=12, choices=ReviewAnswer.Question.choices)
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="review_proposals")
    text = models.TextField(help_text="What the entry should say instead.")
    suggestion = models.JSONField(default=dict)
    made_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    version = models.ForeignKey(ServiceVersion, null=True, on_delete=models.PROTECT, related_name="review_proposals")
    reason = models.TextField(blank=True)
    answered_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    answered_at = models.DateTimeField(null=True)

    objects = VisibleQuerySet.as_manager()

    class Meta:
        ordering = ["-made_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["incident", "question"], name="proposal_once_per_question"),
            models.CheckConstraint(
                condition=Q(state="open", answered_at=None, answered_by=None, version=None)
                | Q(state="drafted", answered_at__isnull=False, answered_by__isnull=False, version__isnull=False)
                | (
                    Q(state__in=["settled", "declined"], answered_at__isnull=False, answered_by__isnull=False, version=None) & ~Q(reason="")
                ),
                name="proposal_answer_is_whole",
            ),
        ]
        indexes = [models.Index(fields=["service"], name="proposal_open", condition=Q(state="open"))]
        triggers = [answered_is_fixed()]

    def __str__(self) -> str:
        return f"{self.get_question_display()} {self.service}"
