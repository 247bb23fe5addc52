"""An entry's way out of the catalogue: asked for by one person, approved by another, carried out on its day."""

from __future__ import annotations

import pgtrigger
from django.conf import settings
from django.db import models

from catalogue.models.service import Service
from itsm_backup.common.models import VisibleQuerySet

_OVER_IS_FIXED = """
IF TG_OP = 'DELETE' OR OLD.state IN ('refused', 'called_off', 'done') OR NEW.service_id <> OLD.service_id
   OR NEW.asked_by_id <> OLD.asked_by_id OR NEW.ends_at <> OLD.ends_at THEN
  RAISE EXCEPTION 'what was asked of a retirement, and one that is over, never changes' USING ERRCODE = 'check_violation';
END IF;
RETURN NEW;
"""


class Retirement(models.Model):
    """One way out: asked → planned (the entry is pending retirement) → done (it is retired); or refused, or called off."""

    class State(models.TextChoices):
        ASKED = "asked", "asked for"
        PLANNED = "planned", "planned"
        DONE = "done", "done"
        REFUSED = "refused", "refused"
        CALLED_OFF = "called_off", "called off"

    OPEN = (State.ASKED, State.PLANNED)
    permission_from = ("service",)

    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="retirements")
    state = models.CharField(max_length=12, choices=State.choices, default=State.ASKED)
    ends_at = models.DateTimeField(help_text="From then on the entry is retired, where nothing stands in the way.")
    successor = models.ForeignKey(Service, null=True, on_delete=models.PROTECT, related_name="succeeds", help_text="What follows it.")
    reason = models.TextField()
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True)
    answer = models.TextField(blank=True, help_text="What was said when it was decided on, or called off.")
    over_at = models.DateTimeField(null=True, help_text="When it was done, refused or called off.")

    objects = VisibleQuerySet.as_manager()

    class Meta:
        ordering = ["-asked_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["service"], condition=models.Q(state__in=["asked", "planned"]), name="retirement_one_open"),
            models.CheckConstraint(
                condition=models.Q(decided_by__isnull=True) | ~models.Q(decided_by=models.F("asked_by")),
                name="retirement_decided_by_somebody_else",
                violation_error_message="Who asked for a retirement does not decide on it.",
            ),
            models.CheckConstraint(
                condition=~models.Q(state__in=["planned", "done", "refused"])
                | models.Q(decided_by__isnull=False, decided_at__isnull=False),
                name="retirement_decided_by_somebody",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["asked", "planned"], over_at__isnull=True)
                | models.Q(state__in=["done", "refused", "called_off"], over_at__isnull=False),
                name="retirement_over_at_an_instant",
            ),
            models.CheckConstraint(
                condition=models.Q(successor__isnull=True) | ~models.Q(successor=models.F("service")), name="retirement_followed_by_another"
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="over_is_fixed", when=pgtrigger.Before, operation=pgtrigger.Update | pgtrigger.Delete, func=_OVER_IS_FIXED
            )
        ]

    def __str__(self) -> str:
        return f"retirement of {self.service}"


# The entry itself: nobody brings a retired one back, and none is retired while a version of it goes on.
pgtrigger.register(
    pgtrigger.Trigger(
        name="retired_for_good",
        when=pgtrigger.Before,
        operation=pgtrigger.UpdateOf("lifecycle"),
        func="""
        IF OLD.lifecycle = 'retired' AND NEW.lifecycle <> 'retired' THEN
          RAISE EXCEPTION 'a retired service never comes back: make a new one that supersedes it' USING ERRCODE = 'check_violation';
        END IF;
        IF NEW.lifecycle = 'retired' AND OLD.lifecycle <> 'retired' AND EXISTS (
          SELECT 1 FROM catalogue_serviceversion v WHERE v.service_id = NEW.id AND v.state = 'approved' AND upper_inf(v.effective)
        ) THEN
          RAISE EXCEPTION 'a service is retired only once its version in force has ended' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
        """,
    )
)(Service)
