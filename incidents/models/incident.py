"""One incident per cause: many alerts, one story."""

from __future__ import annotations

import datetime as dt
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce

from catalogue.models import Service, Team
from incidents.models.felt import FeltField
from itsm_backup.common.models import VisibleQuerySet, append_only
from monitoring.models import Alert

OPEN_STATES = ["new", "in_progress", "on_hold"]
ENDED_STATES = ["resolved", "closed", "cancelled"]
ENDED_AT = Coalesce("resolved_at", "updated_at")  # what was cancelled ended without being resolved


class IncidentQuerySet(VisibleQuerySet):
    def open(self) -> Self:
        return self.filter(state__in=OPEN_STATES)

    def of_kind(self, signature: str, service_type: str = "") -> Self:
        """Those of a signature, of services of this type where one is named; what was cancelled was none."""
        alike = self.filter(signature=signature).exclude(state="cancelled")
        return alike.filter(service_type__iexact=service_type) if service_type else alike

    def visible_to(self, user, action: str = "view") -> Self:  # type: ignore[no-untyped-def]
        """An incident is visible to whoever may see one of its alerts, or of those of the one that it was merged into."""
        if user.is_active and user.is_superuser:
            return self
        alerts = IncidentAlert.objects.filter(alert__in=Alert.objects.visible_to(user, "view"))
        mine = self.filter(Q(pk__in=alerts.values("incident")) | Q(merged_into__in=alerts.values("incident")))
        return mine if action == "view" or user.has_perm(f"incidents.{action}_incident") else self.none()

    def told_to(self, user) -> Self:  # type: ignore[no-untyped-def]
        """What the user may see, with `service_is_seen`, and with `told_title`, which names no service that they may not see."""
        service = Service.objects.visible_to(user).filter(pk=OuterRef("service"))
        alerts = Alert.objects.visible_to(user).filter(incident_alert__incident=OuterRef("pk")).order_by("opened_at", "pk")
        told = Coalesce(Subquery(alerts.values("title")[:1]), Value("Backups fail"))
        is_seen = Q(service=None) | Q(service_is_seen=True)
        seen = Alert.objects.visible_to(user)
        if seen.query.has_filters():  # it may be named by an alert out of their sight, such as that of a silent tool
            hidden = Alert.objects.filter(incident_alert__incident=OuterRef("pk"), title=OuterRef("title")).exclude(
                pk__in=seen.values("pk")
            )
            is_seen &= ~Q(Exists(hidden))
        return self.visible_to(user).annotate(
            service_is_seen=Exists(service),
            told_title=models.Case(models.When(is_seen, then=F("title")), default=told),
        )


class IncidentManager(models.Manager.from_queryset(IncidentQuerySet)):  # type: ignore[misc]
    """Leaves the frozen copy of the impact aside until it is asked for: it names every service that was hit, ten thousand at worst."""

    def get_queryset(self) -> IncidentQuerySet:
        return super().get_queryset().defer("impact_at_opening")


class Incident(models.Model):
    """An interruption of what was promised, with one cause. `cause_key` is held by one open incident at a time."""

    class State(models.TextChoices):
        NEW = "new", "New"
        IN_PROGRESS = "in_progress", "In progress"
        ON_HOLD = "on_hold", "On hold"
        RESOLVED = "resolved", "Resolved"
        CLOSED = "closed", "Closed"
        CANCELLED = "cancelled", "Cancelled"

    class Resolution(models.TextChoices):
        RECOVERED = "recovered", "Recovered by itself, proven"
        FIXED = "fixed", "Fixed"
        WORKED_AROUND = "worked_around", "Worked around"
        ACCEPTED = "accepted", "Accepted as it is"
        FALSE_ALARM = "false_alarm", "False alarm"

    class CauseCategory(models.TextChoices):
        STORAGE = "storage", "Storage and capacity"
        NETWORK = "network", "Network"
        CREDENTIALS = "credentials", "Credentials and rights"
        CONFIGURATION = "configuration", "Configuration"
        SOFTWARE = "software", "Software"
        HARDWARE = "hardware", "Hardware"
        OPERATION = "operation", "Operation by people"
        SUPPLIER = "supplier", "Supplier"
        UNKNOWN = "unknown", "Not known"

    cause_key = models.CharField(max_length=200)
    cause_is_specific = models.BooleanField(default=False)
    title = models.CharField(max_length=240)
    state = models.CharField(max_length=12, choices=State.choices, default=State.NEW)
    priority = models.CharField(max_length=2)
    impact = models.CharField(max_length=6)
    urgency = models.CharField(max_length=6)
    priority_reason = models.TextField(help_text="The arithmetic of the priority, in words.")
    service = models.ForeignKey(Service, null=True, on_delete=models.PROTECT, related_name="incidents", help_text="The one hit hardest.")
    team = models.ForeignKey(Team, null=True, on_delete=models.PROTECT, related_name="incidents")
    assignee = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="incidents")
    opened_at = models.DateTimeField(help_text="When what it was opened for began.")
    known_at = models.DateTimeField(help_text="When it was opened here: its targets count from then, as nobody could know of it before.")
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_until = models.DateTimeField(null=True, help_text="When the acknowledgement lapses, if it does.")
    acknowledge_by = models.DateTimeField(null=True, help_text="When it has to be acknowledged, by its priority's target.")
    resolve_by = models.DateTimeField(null=True)
    breach_at = models.DateTimeField(null=True, help_text="What is due next of the two; empty while it is on hold or over.")
    holds = models.JSONField(default=list, blank=True, help_text="Spans on hold, [from, until]; their time does not count.")
    resolved_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    resolution = models.CharField(max_length=14, blank=True, choices=Resolution.choices)
    cause_category = models.CharField(max_length=14, blank=True, choices=CauseCategory.choices)
    reopened = models.PositiveSmallIntegerField(default=0, help_text="How often it was over and happened again.")
    reopened_at = models.DateTimeField(null=True, help_text="When a person last said that it was not over.")
    merged_into = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="merged")
    split_from = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="splits")
    resolved_by_evaluation = models.BigIntegerField(null=True, help_text="The evaluation that proved it over.")
    impact_at_opening = FeltField(default=dict, help_text="Who felt it when it opened: a frozen copy.")
    updated_at = models.DateTimeField()
    weighed_at = models.DateTimeField(null=True, editable=False)
    judged_at = models.DateTimeField(null=True, editable=False, help_text="The instant of the figures its priority stands on.")
    weighed_evaluation = models.BigIntegerField(default=0, editable=False, help_text="The newest judgement its priority stands on.")
    weighed_catalogue = models.BigIntegerField(default=0, editable=False, help_text="The state of the catalogue it stands on.")
    signature = models.CharField(max_length=200, blank=True, help_text="What kind of failure it is, without names, places and times.")
    service_type = models.CharField(max_length=80, blank=True, help_text="What type of service it hit: database, archive …")
    studied_at = models.DateTimeField(null=True, editable=False, help_text="When it was last looked at whether it comes again.")
    major_looked_at = models.DateTimeField(null=True, editable=False, help_text="When it was last looked at whether it is a major one.")
    priority_set = models.CharField(max_length=2, blank=True, help_text="Set by a person; holds until the reckoned one rises.")
    priority_set_against = models.CharField(max_length=2, blank=True, help_text="What was reckoned when a person set it.")

    objects = IncidentManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["cause_key"], condition=models.Q(state__in=OPEN_STATES), name="incident_one_open_per_cause"),
            models.CheckConstraint(
                condition=~models.Q(state__in=["resolved", "closed"]) | models.Q(resolved_at__isnull=False),
                name="incident_resolved_has_time",
            ),
            models.CheckConstraint(
                condition=models.Q(acknowledged_until=None) | models.Q(acknowledged_until__gt=models.F("acknowledged_at")),
                name="incident_lapses_after_acknowledgement",
            ),
            models.CheckConstraint(
                condition=models.Q(merged_into=None) | models.Q(state="cancelled") & ~models.Q(merged_into=models.F("id")),
                name="incident_merged_is_cancelled",
            ),
        ]
        indexes = [
            models.Index(fields=["id"], name="incident_open", condition=models.Q(state__in=OPEN_STATES)),
            models.Index(fields=["-opened_at"], name="incident_newest"),
            models.Index(fields=["breach_at", "id"], name="incident_by_breach", condition=models.Q(state__in=OPEN_STATES)),
            models.Index(ENDED_AT.desc(), F("id").desc(), name="incident_by_end", condition=models.Q(state__in=ENDED_STATES)),
            models.Index(fields=["resolved_at"], name="incident_to_close", condition=models.Q(state="resolved")),
            models.Index(fields=["signature", "-opened_at"], name="incident_of_signature"),
            models.Index(fields=["opened_at"], name="incident_to_study", condition=models.Q(studied_at=None)),
            models.Index(fields=["cause_key", "-opened_at"], name="incident_of_cause"),
        ]
        permissions = [("resolve_incident", "Can resolve an incident by hand")]

    def __str__(self) -> str:
        return self.number

    def save(self, **options: Any) -> None:  # type: ignore[override]
        """What is written without it was known when it began."""
        self.known_at = self.known_at or self.opened_at
        super().save(**options)

    @property
    def number(self) -> str:
        return f"INC-{self.pk:04d}"

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_STATES

    @property
    def goes_on_since(self) -> dt.datetime:
        """When it began, or was last said not to be over: what proves that it is over is newer."""
        return max(self.opened_at, self.reopened_at or self.opened_at)

    @property
    def ended_at(self) -> dt.datetime:
        """When it was over, of one that is; what was cancelled ended without being resolved."""
        return self.resolved_at or self.updated_at


class IncidentAlert(models.Model):
    """An alert belongs to one incident for good: this row is how incidents know which alerts they have handled."""

    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="incident_alerts")
    alert = models.OneToOneField(Alert, on_delete=models.PROTECT, related_name="incident_alert")
    attached_at = models.DateTimeField()
    told_occurrences = models.PositiveIntegerField(default=1, help_text="How many of its occurrences the story of the incident tells.")
    told_at = models.DateTimeField(null=True, help_text="When the newest happened that the story tells.")

    def __str__(self) -> str:
        return f"{self.alert} in {self.incident}"


@append_only
class AlertMove(models.Model):
    """An alert that a merge or a split handed from one incident to another: by these it is known which one held it when."""

    alert = models.ForeignKey(Alert, on_delete=models.PROTECT, related_name="moves")
    left = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="alerts_left", help_text="The incident that held it before.")
    joined = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="alerts_moved_in")
    at = models.DateTimeField()

    class Meta:
        ordering = ["at", "pk"]
        constraints = [
            models.CheckConstraint(condition=~models.Q(left=models.F("joined")), name="move_goes_elsewhere"),
        ]

    def __str__(self) -> str:
        return f"{self.alert} from {self.left} to {self.joined}"


class EntryQuerySet(models.QuerySet):
    def known_by(self, at: dt.datetime) -> Self:
        """Lines of what had happened by then, and was known by then."""
        return self.filter(Q(noticed_at=None) | Q(noticed_at__lte=at), at__lte=at)

    def told_to(self, user) -> Self:  # type: ignore[no-untyped-def]
        """Lines about no alert, and those about alerts that the user may see."""
        seen = Alert.objects.visible_to(user)
        if not seen.query.has_filters():
            return self.all()  # who sees all is compared with no list
        return self.filter(Q(alert=None) | Exists(seen.filter(pk=OuterRef("alert"))))


@append_only
class IncidentEntry(models.Model):
    """One line of an incident's timeline: a fact, or what a person did or wrote."""

    class Kind(models.TextChoices):
        OPENED = "opened", "opened"
        JOINED = "joined", "alert joined"
        REPEATED = "repeated", "happened again"
        STATE = "state", "state changed"
        PRIORITY = "priority", "priority changed"
        NOTE = "note", "note"
        MERGED = "merged", "merged"
        SPLIT = "split", "split"
        MAIL = "mail", "message"
        MAJOR = "major", "major incident"

    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="entries")
    at = models.DateTimeField()
    noticed_at = models.DateTimeField(null=True, help_text="When it became known, of what happened before that.")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    text = models.TextField()
    alert = models.ForeignKey(Alert, null=True, on_delete=models.PROTECT, related_name="+", help_text="The alert whose words the line has.")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")

    objects = EntryQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["incident", "at", "id"], name="entry_of_incident")]

    def __str__(self) -> str:
        return self.text
