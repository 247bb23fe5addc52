"""Who answers for an entry, from one person to the next, and who said that it is still right."""

from __future__ import annotations

from typing import Any

import pgtrigger
from django.conf import settings
from django.db import models

from catalogue.models.service import Service, ServiceVersion, Team
from itsm_backup.common.models import VisibleQuerySet, append_only


def answered_is_fixed() -> pgtrigger.Trigger:
    return pgtrigger.Trigger(
        name="answered_is_fixed",
        when=pgtrigger.Before,
        operation=pgtrigger.Update | pgtrigger.Delete,
        func="IF TG_OP = 'DELETE' OR OLD.answered_at IS NOT NULL THEN RAISE EXCEPTION 'an answer that was given stays'; END IF;"
        " RETURN NEW;",
    )


def _named(person: Any) -> str:
    return person.get_full_name() or person.get_username()  # type: ignore[no-any-return]


class HandOver(models.Model):
    """A duty on its way from one person to another, or the backups from one team to another. Nothing moves before the receiver accepts:
    for a team that is whichever of its members answers."""

    class Duty(models.TextChoices):
        OWNER = "owner", "owner"
        STEWARD = "steward", "steward"
        OPERATIONS_TEAM = "operations_team", "operations team"

    permission_from = ("service",)

    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="hand_overs")
    duty = models.CharField(max_length=16, choices=Duty.choices)
    giver = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    receiver = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    former_team = models.ForeignKey(Team, null=True, on_delete=models.PROTECT, related_name="+")
    team = models.ForeignKey(Team, null=True, on_delete=models.PROTECT, related_name="hand_overs")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    reason = models.TextField()
    answered_at = models.DateTimeField(null=True)
    accepted = models.BooleanField(null=True)
    answer = models.TextField(blank=True)
    version = models.ForeignKey(
        ServiceVersion, null=True, on_delete=models.PROTECT, related_name="hand_overs", help_text="The version that names the receiver."
    )

    objects = VisibleQuerySet.as_manager()

    class Meta:
        ordering = ["-asked_at"]
        constraints = [
            models.UniqueConstraint(fields=["service", "duty"], condition=models.Q(answered_at=None), name="hand_over_one_open"),
            models.CheckConstraint(condition=~models.Q(giver=models.F("receiver")), name="hand_over_to_somebody_else"),
            models.CheckConstraint(condition=~models.Q(team=models.F("former_team")), name="hand_over_to_another_team"),
            models.CheckConstraint(
                condition=models.Q(duty__in=["owner", "steward"], giver__isnull=False, receiver__isnull=False, team=None, former_team=None)
                | models.Q(duty="operations_team", giver=None, team__isnull=False, former_team__isnull=False),
                name="hand_over_names_both_sides",
            ),
            models.CheckConstraint(
                condition=models.Q(answered_at=None) | models.Q(receiver__isnull=False), name="hand_over_answered_by_somebody"
            ),
            models.CheckConstraint(
                condition=models.Q(answered_at__isnull=True, accepted__isnull=True)
                | models.Q(answered_at__isnull=False, accepted__isnull=False),
                name="hand_over_answer_is_whole",
            ),
        ]
        triggers = [answered_is_fixed()]

    def __str__(self) -> str:
        return f"hand-over of {self.service} ({self.get_duty_display()})"

    @property
    def giving(self) -> str:
        """Whose duty it is until then."""
        return str(self.former_team) if self.former_team else _named(self.giver)

    @property
    def receiving(self) -> str:
        """Who is to take it over."""
        return str(self.team) if self.team else _named(self.receiver)


@append_only
class AttestationRound(models.Model):
    """A day by which owners say whether their entries are still right."""

    title = models.CharField(max_length=120)
    due_on = models.DateField("due")
    opened_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    opened_at = models.DateTimeField()

    class Meta:
        ordering = ["-opened_at"]

    def __str__(self) -> str:
        return self.title


class Attestation(models.Model):
    """What one owner said about one entry in a round."""

    permission_from = ("service",)

    round = models.ForeignKey(AttestationRound, on_delete=models.PROTECT, related_name="attestations")
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="attestations")
    version = models.ForeignKey(ServiceVersion, on_delete=models.PROTECT, related_name="+", help_text="What it was asked about.")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    answered_at = models.DateTimeField(null=True)
    right = models.BooleanField(null=True)
    remark = models.TextField(blank=True)

    objects = VisibleQuerySet.as_manager()

    class Meta:
        ordering = ["service__code"]
        indexes = [models.Index(fields=["person"], name="attestation_open", condition=models.Q(answered_at=None))]
        constraints = [
            models.UniqueConstraint(fields=["round", "service"], name="attestation_once_a_round"),
            models.CheckConstraint(
                condition=models.Q(answered_at__isnull=True, right__isnull=True) | models.Q(answered_at__isnull=False, right__isnull=False),
                name="attestation_answer_is_whole",
            ),
        ]
        triggers = [answered_is_fixed()]

    def __str__(self) -> str:
        return f"{self.service} in {self.round}"


@append_only
class AttestationReply(models.Model):
    """What came of an owner's word that an entry is not right: a steward's answer, and the version that takes it up."""

    permission_from = ("attestation__service",)

    attestation = models.OneToOneField(Attestation, on_delete=models.PROTECT, related_name="reply")
    text = models.TextField()
    version = models.ForeignKey(
        ServiceVersion, null=True, on_delete=models.PROTECT, related_name="+", help_text="The version that takes it up."
    )
    replied_at = models.DateTimeField()
    replied_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    objects = VisibleQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "attestation replies"

    def __str__(self) -> str:
        return f"reply to {self.attestation}"
