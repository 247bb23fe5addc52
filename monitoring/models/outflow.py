"""Monitoring systems of others that are told where services stand, and what each was told last."""

from __future__ import annotations

import hashlib
import json

from django.core.exceptions import ValidationError
from django.db import models

from catalogue.models import Service
from itsm_backup.common.crypto import SecretsField
from itsm_backup.common.models import Notice, Tracked, VisibleQuerySet, tracked

CODE = "{code}"


@tracked
class ExternalMonitoring(Tracked):
    """One monitoring system of somebody else: where it is, and which of its items takes what we say of an entry."""

    class Kind(models.TextChoices):
        ICINGA2 = "icinga2", "Icinga 2 (passive check results)"
        ZABBIX = "zabbix", "Zabbix 7 (history.push)"

    name = models.CharField(max_length=80, unique=True)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    address = models.URLField(help_text="Its base address, as TOOL_ADDRESSES allows it. Redirects are not followed.")
    account = models.CharField(max_length=120, blank=True, help_text="API user of Icinga; empty for Zabbix.")
    secrets = SecretsField(editable=False, help_text="Encrypted; never shown again.")
    certificates = models.TextField("trusted certificates", blank=True, help_text="PEM, where no public authority vouches for the server.")
    host = models.CharField(max_length=120, help_text="Host there that bears the items; {code} stands for the code of the entry.")
    item = models.CharField(
        "service or key", max_length=120, blank=True,
        help_text="Service of Icinga, or the beginning of Zabbix's keys. Empty: backup-{code} for Icinga, backup for Zabbix.",
    )  # fmt: skip
    enabled = models.BooleanField("tell it", default=False)

    class Meta:
        verbose_name = "external monitoring"
        verbose_name_plural = "external monitoring"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        zabbix = self.kind == self.Kind.ZABBIX
        self.item = self.item.strip() or ("backup" if zabbix else f"backup-{CODE}")
        if not zabbix and CODE not in self.host + self.item:
            raise ValidationError({"item": "All entries would be told to one service. Put {code} into the service or the host."})
        if not zabbix and not self.account:
            raise ValidationError({"account": "Icinga wants an API user."})

    @property
    def place_hash(self) -> str:
        """Names where messages go: another one means that every entry is told again."""
        said = json.dumps([self.address, self.host, self.item])
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    def host_of(self, code: str) -> str:
        return self.host.replace(CODE, code)

    def item_of(self, code: str) -> str:
        return self.item.replace(CODE, code)


class StatusPublication(models.Model):
    """What one monitoring system was told of one entry last, and what it answered. Written by the machine."""

    permission_from = ("service",)

    monitoring = models.ForeignKey(ExternalMonitoring, on_delete=models.CASCADE, related_name="publications")
    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="+")
    said = models.JSONField(default=dict)
    place_hash = models.CharField(max_length=16)
    notice = models.ForeignKey(Notice, null=True, on_delete=models.SET_NULL, related_name="+")
    answered_at = models.DateTimeField(null=True)
    answer = models.TextField("last answer", blank=True)
    accepted = models.BooleanField(null=True)

    objects = VisibleQuerySet.as_manager()

    class Meta:
        verbose_name = "status told to monitoring"
        verbose_name_plural = "statuses told to monitoring"
        ordering = ["monitoring", "service"]
        constraints = [models.UniqueConstraint(fields=["monitoring", "service"], name="status_publication_once")]

    def __str__(self) -> str:
        return f"{self.service} in {self.monitoring}"
