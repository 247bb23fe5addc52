"""What people are told of a major incident: templates for each audience, updates that somebody else approves, and who got them."""

from __future__ import annotations

import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q

from incidents import phrasing
from incidents.models.major import MajorIncident
from itsm_backup.common.models import Notice, Tracked, append_only, authors_stay, tracked


class Audience(models.TextChoices):
    """For whom it is told; whoever belongs to several is told as the first of them, which says most."""

    RESPONDERS = "responders", "Responders"
    OWNERS = "owners", "Service owners"
    COMPLIANCE = "compliance", "Compliance"
    EXECUTIVES = "executives", "Executives"
    BUSINESS = "business", "Business users"


@tracked
class AudienceTemplate(Tracked):
    """The words for one audience, with placeholders that are filled from what is known. Every change is a new version."""

    audience = models.CharField(max_length=10, choices=Audience.choices, unique=True, editable=False)
    subject = models.CharField(max_length=200)
    body = models.TextField()
    closing_subject = models.CharField(max_length=200, help_text="Of the message that closes it.")
    closing_body = models.TextField()
    addresses = ArrayField(
        models.EmailField(), default=list, blank=True, help_text="Told besides those whom catalogue and roles name, with commas between."
    )

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return str(self.get_audience_display())

    @property
    def version(self) -> int:
        """1 as shipped; every change adds one."""
        return int(self.history.count())

    def clean(self) -> None:
        """Raises ValidationError for a placeholder that is none, or that says more than this audience is told."""
        told = {}
        for name in ("subject", "body", "closing_subject", "closing_body"):
            if problem := phrasing.problem_of(getattr(self, name) or "", self.audience):
                told[name] = problem
        if told:
            raise ValidationError(told)


def _author(expression: F) -> models.Func:
    integers = ArrayField(models.IntegerField())
    return models.Func(expression, template="ARRAY[%(expressions)s]::integer[]", output_field=integers)


class MajorUpdate(models.Model):
    """One time that people are told: drafted with the figures of that moment, approved by somebody else, and then never changed."""

    class Kind(models.TextChoices):
        UPDATE = "update", "Update"
        CLOSURE = "closure", "Closing message"

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        SENT = "sent", "Sent"
        WITHDRAWN = "withdrawn", "Withdrawn"

    major = models.ForeignKey(MajorIncident, on_delete=models.PROTECT, related_name="updates")
    number = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=7, choices=Kind.choices)
    state = models.CharField(max_length=9, choices=State.choices, default=State.DRAFT)
    audiences = ArrayField(models.CharField(max_length=10, choices=Audience.choices))
    words = models.TextField(help_text="What is being done, in plain words, for everybody.")
    details = models.TextField(blank=True, help_text="For responders and owners only.")
    author_ids = ArrayField(models.IntegerField(), editable=False)
    figures = models.JSONField(help_text="What was known when it was rendered.")
    figures_hash = models.CharField(max_length=64)
    rendered_at = models.DateTimeField()
    next_update_at = models.DateTimeField(null=True, help_text="What it says of the next one.")
    drafted_at = models.DateTimeField()
    approver = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    sent_at = models.DateTimeField(null=True, help_text="When it was approved and handed to the outbox.")
    content_hash = models.CharField(max_length=64, blank=True, help_text="SHA-256 of every text as it was approved.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["major", "number"], name="update_number_once"),
            models.UniqueConstraint(fields=["major"], condition=Q(state="draft"), name="update_one_draft"),
            models.CheckConstraint(
                condition=~Q(state="sent") | Q(approver__isnull=False, sent_at__isnull=False) & ~Q(content_hash=""),
                name="update_sent_is_approved",
            ),
            models.CheckConstraint(
                condition=Q(approver=None) | ~Q(author_ids__contains=_author(F("approver_id"))), name="update_author_never_approves"
            ),
            models.CheckConstraint(condition=Q(audiences__len__gt=0), name="update_is_for_somebody"),
        ]
        indexes = [models.Index(fields=["major", "-sent_at"], name="update_sent", condition=Q(state="sent"))]
        permissions = [("approve_majorupdate", "Can approve and send what others wrote of a major incident")]
        triggers = [
            pgtrigger.Trigger(
                name="sent_is_fixed",
                when=pgtrigger.Before,
                operation=pgtrigger.Update | pgtrigger.Delete,
                condition=pgtrigger.Q(old__state__in=["sent", "withdrawn"]),
                func="RAISE EXCEPTION 'what was sent or withdrawn never changes';",
            ),
            authors_stay(),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.number} of {self.major}"


@append_only
class MajorWording(models.Model):
    """The words of an update as somebody wrote them: what a draft said before it was changed can be read."""

    update = models.ForeignKey(MajorUpdate, on_delete=models.PROTECT, related_name="wordings")
    words = models.TextField()
    details = models.TextField(blank=True)
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.update} by {self.by}"


class MajorMessage(models.Model):
    """What one audience is told by an update, and whom it reaches. It changes while the update is a draft."""

    update = models.ForeignKey(MajorUpdate, on_delete=models.PROTECT, related_name="messages")
    audience = models.CharField(max_length=10, choices=Audience.choices)
    subject = models.CharField(max_length=300)
    body = models.TextField()
    template_version = models.BigIntegerField(help_text="History id of the template.")
    recipients = models.JSONField(help_text="Who is told, at which address, why, and as which audience instead.")

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["update", "audience"], name="message_once_per_audience")]
        triggers = [
            pgtrigger.Trigger(
                name="sent_is_fixed",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete,
                func="""
                IF EXISTS (SELECT 1 FROM incidents_majorupdate u WHERE u.state <> 'draft'
                           AND u.id IN (CASE WHEN TG_OP = 'INSERT' THEN NEW.update_id ELSE OLD.update_id END,
                                        CASE WHEN TG_OP = 'DELETE' THEN OLD.update_id ELSE NEW.update_id END))
                THEN RAISE EXCEPTION 'what was sent or withdrawn never changes'; END IF;
                RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
                """,
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_audience_display()}: {self.subject}"


@append_only
class MajorDelivery(models.Model):
    """Who was told what: one message of one update to one address. What became of it stands in its notice."""

    update = models.ForeignKey(MajorUpdate, on_delete=models.PROTECT, related_name="deliveries")
    message = models.ForeignKey(MajorMessage, on_delete=models.PROTECT, related_name="deliveries")
    who = models.CharField(max_length=200)
    address = models.CharField(max_length=254)
    why = models.CharField(max_length=200)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    notice = models.OneToOneField(Notice, on_delete=models.PROTECT, related_name="major_delivery")

    class Meta:
        verbose_name_plural = "major deliveries"
        constraints = [models.UniqueConstraint(fields=["update", "address"], name="delivery_once_per_address")]
        indexes = [models.Index(fields=["person"], name="delivery_to_person", condition=Q(person__isnull=False))]

    def __str__(self) -> str:
        return f"{self.update} to {self.address}"
