"""Work on many entries at once: what somebody asked for, and what came of each entry."""

from __future__ import annotations

from typing import Any, Self

import pgtrigger
from django.conf import settings
from django.db import models

from catalogue.models.service import Service, ServiceVersion


class BatchQuerySet(models.QuerySet):
    def visible_to(self, user: Any) -> Self:
        """One's own batches; those of everybody for who reads the whole catalogue."""
        if not user.is_active:
            return self.none()
        return self if user.has_perm("catalogue.view_service") and user.is_staff else self.filter(by=user)

    def running(self) -> Self:
        return self.filter(started_at__isnull=False, finished_at=None, stopped_at=None)


class Batch(models.Model):
    """One act asked for on many entries with one reason. It is seen first, then started; it can be left, stopped and gone on with."""

    class Act(models.TextChoices):
        DRAFT = "draft", "make drafts"
        SUBMIT = "submit", "submit for approval"
        APPROVE = "approve", "approve"

    act = models.CharField(max_length=8, choices=Act.choices)
    title = models.CharField(max_length=160)
    reason = models.TextField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    stopped_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects = BatchQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "batches"
        default_permissions = ()
        indexes = [
            models.Index(
                "id", name="batch_running", condition=models.Q(started_at__isnull=False, finished_at=None, stopped_at=None)
            )
        ]  # fmt: skip
        triggers = [
            pgtrigger.Trigger(
                name="asked_once",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                func="""
                IF (NEW.act, NEW.title, NEW.reason, NEW.by_id, NEW.asked_at) IS DISTINCT FROM
                   (OLD.act, OLD.title, OLD.reason, OLD.by_id, OLD.asked_at)
                   OR (OLD.finished_at IS NOT NULL AND NEW IS DISTINCT FROM OLD)
                THEN RAISE EXCEPTION 'what a batch was asked for never changes'; END IF;
                RETURN NEW;
                """,
            )
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def stage(self) -> str:
        """How far it is: proposed, running, stopped or finished."""
        if self.finished_at is not None:
            return "finished"
        return "proposed" if self.started_at is None else "stopped" if self.stopped_at is not None else "running"


class BatchItem(models.Model):
    """One entry of a batch. It is claimed and decided in the transaction of its act, so it happens once or not at all."""

    class State(models.TextChoices):
        WAITING = "waiting", "waiting"
        DONE = "done", "done"
        NOTHING = "nothing", "nothing to do"
        REFUSED = "refused", "refused"

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="items")
    place = models.PositiveIntegerField(help_text="The row of the file, or the place in the list that was chosen.")
    code = models.CharField(max_length=200, blank=True)
    service = models.ForeignKey(Service, null=True, on_delete=models.PROTECT, related_name="+")
    version = models.ForeignKey(ServiceVersion, null=True, on_delete=models.PROTECT, related_name="+")
    wish = models.JSONField(default=dict, help_text="Field → wanted value, or the hash of the content that was seen.")
    words = models.TextField(blank=True, help_text="What would happen, in words.")
    problems = models.JSONField(default=list, help_text="[column, what to do] of everything that is in the way.")
    doubts = models.JSONField(default=list, help_text="[column, sentence] of what is possible, but hardly meant.")
    stops = models.JSONField(default=list, help_text="[code, sentence] of every inequality that would not hold, as it was asked for.")
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    told = models.TextField(blank=True, help_text="What came of it.")
    done_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["batch", "place"]
        default_permissions = ()
        indexes = [models.Index("batch", "place", name="batch_waiting", condition=models.Q(state="waiting"))]
        constraints = [
            models.UniqueConstraint(fields=["batch", "place"], name="batch_item_once"),
            models.CheckConstraint(
                condition=models.Q(state="waiting", done_at__isnull=True) | (~models.Q(state="waiting") & models.Q(done_at__isnull=False)),
                name="batch_item_decided_has_a_time",
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="decided_once",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__state__in=["done", "nothing", "refused"]),
                func="RAISE EXCEPTION 'an item of a batch is decided once';",
            )
        ]

    def __str__(self) -> str:
        return f"{self.code} in {self.batch}"
