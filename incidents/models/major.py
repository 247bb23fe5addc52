"""Major incidents: proposed, declared by who leads them, told of at set intervals, reviewed and closed."""

from __future__ import annotations

from typing import Any, Self

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Q

from incidents.models.incident import Incident
from itsm_backup.common.models import VisibleQuerySet, append_only

GOING_ON = ["declared", "mitigating"]  # people are told at an interval
LIVE_STATES = ["candidate", "declared", "mitigating", "resolved", "review"]
LED_STATES = ["declared", "mitigating", "resolved", "review", "closed"]  # in these it has a manager and a communications lead
TOLD_STATES = ["declared", "mitigating", "resolved", "review"]  # in these people are told of it
SHORTEST_MIN, LONGEST_MIN = 15, 240
# from → to: whether a reason is required. Everything else is refused, by the database, too.
TRANSITIONS: dict[tuple[str, str], bool] = {
    ("candidate", "declared"): False,
    ("candidate", "rejected"): True,
    ("declared", "mitigating"): False,
    ("mitigating", "resolved"): False,
    ("resolved", "mitigating"): True,
    ("resolved", "review"): False,
    ("review", "closed"): False,
}


class MajorQuerySet(VisibleQuerySet):
    def live(self) -> Self:
        return self.filter(state__in=LIVE_STATES)

    def visible_to(self, user: Any, action: str = "view") -> Self:
        """A major incident is visible to whoever may see its incident."""
        if user.is_active and user.is_superuser:
            return self
        mine = self.filter(incident__in=Incident.objects.visible_to(user))
        return mine if action == "view" or user.has_perm(f"incidents.{action}_majorincident") else self.none()


class MajorIncident(models.Model):
    """An incident that is led and told of as a major one. One live row for each incident."""

    class State(models.TextChoices):
        CANDIDATE = "candidate", "Candidate"
        DECLARED = "declared", "Declared"
        MITIGATING = "mitigating", "Mitigating"
        RESOLVED = "resolved", "Resolved"
        REVIEW = "review", "In review"
        CLOSED = "closed", "Closed"
        REJECTED = "rejected", "Rejected"

    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="majors")
    state = models.CharField(max_length=10, choices=State.choices, default=State.CANDIDATE)
    because = models.JSONField(default=list, help_text="Why it was proposed: each reason in words, with the services that it stands on.")
    rejection = models.TextField(blank=True, help_text="Why it is none.")
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    manager = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    communications_lead = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    interval_min = models.PositiveSmallIntegerField("update every (minutes)", null=True)
    next_update_at = models.DateTimeField(null=True, help_text="By then people are told again.")
    remind_at = models.DateTimeField(null=True, editable=False, help_text="When somebody is reminded that an update is overdue.")
    proposed_at = models.DateTimeField()
    declared_at = models.DateTimeField(null=True)
    resolved_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField()

    objects = MajorQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["incident"], condition=Q(state__in=LIVE_STATES), name="major_one_live_per_incident"),
            models.CheckConstraint(
                condition=~Q(state__in=LED_STATES)
                | Q(manager__isnull=False, communications_lead__isnull=False, interval_min__isnull=False, declared_at__isnull=False)
                & ~Q(manager=F("communications_lead")),
                name="major_led_by_two_people",
            ),
            models.CheckConstraint(
                condition=Q(interval_min=None) | Q(interval_min__gte=SHORTEST_MIN, interval_min__lte=LONGEST_MIN),
                name="major_interval_fits",
            ),
            models.CheckConstraint(condition=~Q(state="rejected") | ~Q(rejection=""), name="major_rejected_says_why"),
            models.CheckConstraint(condition=Q(next_update_at=None) | Q(state__in=TOLD_STATES), name="major_over_is_not_due"),
            models.CheckConstraint(condition=Q(remind_at=None) | Q(next_update_at__isnull=False), name="major_reminds_of_what_is_due"),
            models.CheckConstraint(
                condition=~Q(state__in=["resolved", "review", "closed"]) | Q(resolved_at__isnull=False), name="major_resolved_has_time"
            ),
            models.CheckConstraint(condition=~Q(state="closed") | Q(closed_at__isnull=False), name="major_closed_has_time"),
        ]
        indexes = [
            models.Index(fields=["-updated_at"], name="major_newest"),
            models.Index(fields=["id"], name="major_live", condition=Q(state__in=LIVE_STATES)),
            models.Index(fields=["remind_at"], name="major_to_remind", condition=Q(remind_at__isnull=False)),
        ]
        triggers = [
            pgtrigger.FSM(name="moves_as_allowed", field="state", transitions=list(TRANSITIONS)),
            pgtrigger.Trigger(
                name="closed_was_told",
                when=pgtrigger.Before,
                operation=pgtrigger.UpdateOf("state"),
                condition=pgtrigger.Q(new__state="closed"),
                func="""
                IF NOT EXISTS (SELECT 1 FROM incidents_majorupdate u WHERE u.major_id = NEW.id AND u.kind = 'closure' AND u.state = 'sent'
                               AND u.sent_at >= NEW.resolved_at)
                THEN RAISE EXCEPTION 'a major incident is closed when people were told that it is over'; END IF;
                IF NOT EXISTS (SELECT 1 FROM incidents_postincidentreview r WHERE r.incident_id = NEW.incident_id AND r.state = 'published')
                THEN RAISE EXCEPTION 'a major incident is closed when its review is published'; END IF;
                RETURN NEW;
                """,
            ),
        ]
        permissions = [("declare_majorincident", "Can declare major incidents, reject candidates and lead them")]

    def __str__(self) -> str:
        return self.number

    @property
    def number(self) -> str:
        return f"MAJ-{self.pk:04d}"

    @property
    def is_live(self) -> bool:
        return self.state in LIVE_STATES


@append_only
class MajorAppointment(models.Model):
    """Who took over which part of a major incident, when and why."""

    class Part(models.TextChoices):
        MANAGER = "manager", "Major-incident manager"
        COMMUNICATIONS_LEAD = "communications_lead", "Communications lead"

    major = models.ForeignKey(MajorIncident, on_delete=models.PROTECT, related_name="appointments")
    part = models.CharField(max_length=20, choices=Part.choices)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.TextField(blank=True)

    class Meta:
        indexes = [models.Index(fields=["major", "at", "id"], name="appointment_of_major")]

    def __str__(self) -> str:
        return f"{self.person}: {self.get_part_display()} of {self.major}"
