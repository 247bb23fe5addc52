"""One row while the demo estate is here: how far its history is replayed."""

from __future__ import annotations

from django.db import models


class Replay(models.Model):
    """How far the demo is. What it tells counts from `anchor_at`, the instant of its loading; the row is its only memory."""

    anchor_at = models.DateTimeField(help_text="The instant of loading: stories count from here.")
    fed_until = models.DateTimeField(help_text="Everything before is replayed.")
    loaded_at = models.DateTimeField(null=True, help_text="When the load was complete; until then it is not.")

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(models.Value(1), name="demo_once")]

    def __str__(self) -> str:
        return f"demo estate of {self.anchor_at:%Y-%m-%d %H:%M}"
