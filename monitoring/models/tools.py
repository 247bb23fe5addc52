"""The tools we read from: what people set, what the machine knows of their health, and the tokens that let them in."""

from __future__ import annotations

import datetime as dt
from typing import Any, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models

from catalogue.models.service import validate_zone
from itsm_backup.common.crypto import SecretsField
from itsm_backup.common.models import Tracked, VisibleQuerySet, tracked
from monitoring.models.cadence import RequestBudget


def connector_choices() -> list[tuple[str, str]]:
    """Callable, so that adding a connector makes no migration."""
    from monitoring.connectors import CONNECTORS

    return [(kind, connector.label) for kind, connector in CONNECTORS.items()]


@tracked
class Tool(Tracked):
    """A backup or monitoring product we read from, or that reports to us. One restic repository is one tool."""

    class Cadence(models.TextChoices):
        FIXED = "fixed", "as set"
        COMPUTED = "computed", "worked out"

    name = models.SlugField(max_length=80, unique=True, help_text="Lower-case word by which commands and addresses know it.")
    label = models.CharField(max_length=120, blank=True, help_text="The name that people use.")
    kind = models.CharField(max_length=30, choices=connector_choices)
    settings = models.JSONField(default=dict, blank=True, help_text="What the connector needs, except secrets.")
    secrets = SecretsField(editable=False, help_text="Encrypted; never shown again.")
    zone = models.CharField("time zone", max_length=64, default="UTC", validators=[validate_zone])
    enabled = models.BooleanField(default=True)
    replayed = models.BooleanField(
        default=False, editable=False, help_text="Nothing real is asked: its answers are replayed recordings, and its alerts tell nobody."
    )
    poll_interval_s = models.PositiveIntegerField(default=900, validators=[MinValueValidator(60)])
    cadence = models.CharField(
        max_length=8, choices=Cadence.choices, default=Cadence.FIXED,
        help_text="Worked out: from the recovery points of what it backs up, within its budget, anew every hour.",
    )  # fmt: skip
    budget = models.ForeignKey(
        RequestBudget, null=True, blank=True, on_delete=models.PROTECT, related_name="tools", help_text="Where tools share a limit."
    )
    monitored_from = models.DateTimeField(help_text="What was due before is counted in figures, but never alerts.")
    ping_key = models.CharField(
        max_length=40, null=True, blank=True, unique=True, validators=[RegexValidator(r"^[A-Za-z0-9_-]{8,40}\Z")],
        help_text="First part of /ping/<ping key>/<slug>. Treat it like a password.",
    )  # fmt: skip

    class Meta:
        ordering = ["name"]
        permissions = [("poll_tool", "Can poll a tool now")]
        constraints = [models.CheckConstraint(condition=models.Q(poll_interval_s__gte=60), name="tool_poll_interval_at_least_a_minute")]

    def __str__(self) -> str:
        return self.label or self.name

    def asked_every_s(self, worked_out_s: int | None) -> int:
        """Seconds between two questions: what was worked out counts only while the tool follows it."""
        return (worked_out_s if self.cadence == self.Cadence.COMPUTED else None) or self.poll_interval_s

    @property
    def connector(self) -> Any:
        from monitoring.connectors import connector

        return connector(self.kind)

    def clean(self) -> None:
        if self.kind not in dict(connector_choices()):
            raise ValidationError({"kind": f"There is no connector called {self.kind}."})
        missing = [f.label for f in self.connector.settings_fields if f.required and not f.secret and not self.settings.get(f.name)]
        if missing:
            raise ValidationError({"settings": f"Still needed: {', '.join(missing)}."})


class ToolStateQuerySet(VisibleQuerySet):
    def due(self, at: dt.datetime) -> Self:
        """Real tools to ask now: enabled, polled, due, and not in somebody's hands."""
        free = models.Q(claimed_until__isnull=True) | models.Q(claimed_until__lte=at)
        return self.filter(free, tool__enabled=True, tool__replayed=False, next_poll_at__lte=at)


class ToolState(models.Model):
    """Health, cursor and cadence of a tool. Silence is a state of the tool, told once, never of each service."""

    permission_from = ("tool",)

    tool = models.OneToOneField(Tool, primary_key=True, on_delete=models.CASCADE, related_name="state")
    next_poll_at = models.DateTimeField(null=True, help_text="Empty for tools that report by themselves.")
    interval_s = models.PositiveIntegerField(null=True, help_text="Worked out; empty where people set it.")
    claimed_until = models.DateTimeField(null=True)
    latest_answer_at = models.DateTimeField(null=True)
    latest_complete_at = models.DateTimeField(null=True, help_text="Start of the latest reading that was complete.")
    cursor = models.JSONField(default=dict)
    compared_digest = models.BinaryField(max_length=32, null=True, help_text="Of the latest reading that was compared with what is known.")
    compared_answer = models.BigIntegerField(null=True, help_text="The latest answer that said the same.")
    consecutive_failures = models.PositiveIntegerField(default=0)
    problem = models.TextField(blank=True)
    silent_since = models.DateTimeField(null=True)
    next_judgement_at = models.DateTimeField(null=True)
    evaluation = models.ForeignKey("monitoring.Evaluation", null=True, on_delete=models.PROTECT, related_name="+")

    objects = ToolStateQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["next_poll_at"], name="tool_due", condition=models.Q(next_poll_at__isnull=False)),
            models.Index(fields=["next_judgement_at"], name="tool_to_judge", condition=models.Q(next_judgement_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"state of {self.tool}"

    @property
    def asked_every_s(self) -> int:
        """Seconds between two questions, while all is well."""
        return self.tool.asked_every_s(self.interval_s)

    @property
    def tells_nothing(self) -> bool:
        """Whether nothing can be known through the tool: it fell silent, or it is asked and has not answered in full yet."""
        return self.silent_since is not None or (self.tool.connector.polled and self.latest_complete_at is None)


class ApiToken(models.Model):
    """A key to the API: only its hash is kept. An ingest token may be bound to one tool."""

    class Scope(models.TextChoices):
        INGEST = "ingest", "send runs"
        READ = "read", "read"
        WRITE = "write", "read and write"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    scope = models.CharField(max_length=6, choices=Scope.choices)
    tool = models.ForeignKey(Tool, null=True, blank=True, on_delete=models.CASCADE, related_name="tokens")
    digest = models.BinaryField(max_length=32, unique=True)
    hint = models.CharField(max_length=8, help_text="First characters, to tell tokens apart.")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "API token"

    def __str__(self) -> str:
        return f"{self.hint}… ({self.get_scope_display()})"
