"""What catalogue, CMDB and monitoring say of an entry, what was written back, and where somebody else's word stands against ours."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from catalogue.agreed_fields import CHOICES
from catalogue.models import ConfigurationItem, Service
from itsm_backup.common.models import Notice, VisibleQuerySet, append_only


@append_only
class Comparison(models.Model):
    """One comparison of an entry's three sides. A new row only when anything differs from the latest one."""

    permission_from = ("service",)

    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="comparisons", db_index=False)
    at = models.DateTimeField()
    rows = models.JSONField(help_text="One for each field: what each side says, who is right, and whether they agree.")
    differing = models.PositiveSmallIntegerField()

    objects = VisibleQuerySet.as_manager()

    class Meta:
        indexes = [models.Index("service", models.F("at").desc(), name="comparison_newest")]

    def __str__(self) -> str:
        return f"{self.service} at {self.at:%Y-%m-%d %H:%M}"


class Agreement(models.Model):
    """Where an entry's three sides stand now."""

    permission_from = ("service",)
    rights_say = "agreements of sources"  # agreements alone are those with customers, teams and suppliers

    service = models.OneToOneField(Service, primary_key=True, on_delete=models.CASCADE, related_name="agreement")
    comparison = models.ForeignKey(Comparison, null=True, on_delete=models.PROTECT, related_name="+")
    differing = models.PositiveSmallIntegerField(default=0, help_text="In how many fields; what stands in the rail of every page.")
    compared_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(help_text="When to compare again; earlier when something changed.")

    objects = VisibleQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["due_at"], name="agreement_due")]

    def __str__(self) -> str:
        return f"agreement on {self.service}"


class WriteBack(models.Model):
    """What a CMDB was told of one item last, and what it answered. `written` is what was read back from there, by field."""

    permission_from = ("service",)

    item = models.OneToOneField(ConfigurationItem, primary_key=True, on_delete=models.CASCADE, related_name="write_back")
    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="+")
    wanted = models.JSONField(default=dict)
    written = models.JSONField(default=dict)
    notice = models.ForeignKey(Notice, null=True, on_delete=models.SET_NULL, related_name="+")
    answered_at = models.DateTimeField(null=True)
    answer = models.TextField("last answer", blank=True)
    accepted = models.BooleanField(null=True)

    objects = VisibleQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "write-backs"

    def __str__(self) -> str:
        return f"what {self.item} was told"


class ConflictQuerySet(VisibleQuerySet):
    def open(self) -> ConflictQuerySet:
        """Conflicts that wait for a person."""
        return self.filter(ended_at=None)


class WriteConflict(models.Model):
    """A CMDB holds what we did not write there, in a column that we would write. It waits for a person; nothing is overwritten."""

    class Why(models.TextChoices):
        OTHER = "other", "the CMDB holds another value, which nobody wrote from here"
        RACE = "race", "somebody changed the item there while it was being written"
        READ_BACK = "read_back", "what was read back is not what was written"

    permission_from = ("service",)

    item = models.ForeignKey(ConfigurationItem, on_delete=models.CASCADE, related_name="conflicts")
    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="conflicts")
    field = models.CharField(max_length=20, choices=CHOICES)
    ours = models.JSONField(null=True)
    theirs = models.JSONField(null=True)
    why = models.CharField(max_length=10, choices=Why.choices)
    found_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, help_text="When somebody decided, or both sides said the same again.")

    objects = ConflictQuerySet.as_manager()

    class Meta:
        verbose_name = "conflict with a CMDB"
        verbose_name_plural = "conflicts with CMDBs"
        ordering = ["-found_at", "-pk"]
        permissions = [("decide_writeconflict", "Can decide a conflict with a CMDB")]
        constraints = [
            models.UniqueConstraint(fields=["item", "field"], condition=models.Q(ended_at=None), name="conflict_once_while_open"),
            models.CheckConstraint(
                condition=models.Q(ended_at=None) | models.Q(ended_at__gte=models.F("found_at")), name="conflict_ends_later"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_field_display()} of {self.item}"


@append_only
class ConflictDecision(models.Model):
    """What a person decided on a conflict: ours is written, or theirs stays."""

    class Choice(models.TextChoices):
        OURS = "ours", "write what the catalogue says"
        THEIRS = "theirs", "leave what the CMDB says"

    permission_from = ("conflict__service",)

    conflict = models.OneToOneField(WriteConflict, on_delete=models.CASCADE, related_name="decision")
    choice = models.CharField(max_length=6, choices=Choice.choices)
    reason = models.TextField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    objects = VisibleQuerySet.as_manager()

    class Meta:
        verbose_name = "decision on a conflict"
        verbose_name_plural = "decisions on conflicts"
        constraints = [models.CheckConstraint(condition=~models.Q(reason=""), name="conflict_decision_has_a_reason")]

    def __str__(self) -> str:
        return f"{self.conflict}: {self.get_choice_display()}"
