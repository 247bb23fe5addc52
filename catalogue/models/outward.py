"""External catalogues that are told what ours says, and what each was told last."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

from catalogue.models.service import Service, ServiceVersion
from itsm_backup.common.crypto import SecretsField
from itsm_backup.common.models import Notice, Tracked, VisibleQuerySet, tracked


@tracked
class ExternalCatalogue(Tracked):
    """One catalogue of somebody else: where it is, which table entries become rows of, and which column takes what."""

    class Kind(models.TextChoices):
        SERVICENOW = "servicenow", "ServiceNow (Table API)"
        ITOP = "itop", "iTop (REST/JSON)"

    name = models.CharField(max_length=80, unique=True)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    address = models.URLField(help_text="Its base address, as TOOL_ADDRESSES allows it. Redirects are not followed.")
    table = models.CharField("table or class", max_length=80, blank=True, help_text="Empty: the one that the kind usually has.")
    account = models.CharField(max_length=120, help_text="Who signs in there. It needs to read and write this table only.")
    secrets = SecretsField(editable=False, help_text="Encrypted; never shown again.")
    mapping = models.JSONField(default=dict, blank=True, help_text="Column → what it takes. Empty: what the kind usually has.")
    enabled = models.BooleanField(default=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        from catalogue import presets

        presets.furnish(self)
        problems = presets.problems_of(self.mapping, self.kind)
        if problems:
            raise ValidationError({"mapping": problems})

    @property
    def mapping_hash(self) -> str:
        """Names what rows are made of: another one means that every entry is told again."""
        said = json.dumps([self.address, self.table, self.mapping], sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()[:16]


class Publication(models.Model):
    """What one catalogue was told of one entry last, and what it answered. Written by the machine."""

    permission_from = ("service",)

    catalogue = models.ForeignKey(ExternalCatalogue, on_delete=models.CASCADE, related_name="publications")
    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="+")
    version = models.ForeignKey(ServiceVersion, on_delete=models.PROTECT, related_name="+")
    status = models.CharField(max_length=12)
    affected = models.CharField(
        "affected by a provider", max_length=12, blank=True, help_text="The status that reached it, with its cause."
    )
    affected_by = models.ForeignKey(Service, null=True, on_delete=models.SET_NULL, related_name="+")
    lifecycle = models.CharField(max_length=20, choices=Service.Lifecycle, default=Service.Lifecycle.CATALOGUE)
    leaves_at = models.DateTimeField(null=True, help_text="When it leaves the catalogue, or left it.")
    mapping_hash = models.CharField(max_length=16)
    notice = models.ForeignKey(Notice, null=True, on_delete=models.SET_NULL, related_name="+")
    external_id = models.CharField("number there", max_length=80, blank=True)
    answered_at = models.DateTimeField(null=True)
    answer = models.TextField("last answer", blank=True)
    accepted = models.BooleanField(null=True)

    objects = VisibleQuerySet.as_manager()

    class Meta:
        ordering = ["catalogue", "service"]
        constraints = [models.UniqueConstraint(fields=["catalogue", "service"], name="publication_once")]

    def __str__(self) -> str:
        return f"{self.service} in {self.catalogue}"


def sources_of(version: ServiceVersion, base_url: str, leaves_at: dt.datetime | None = None) -> dict[str, Any]:
    """Everything of an entry that a column may take, by name. What reaches it from a provider stands beside its own status.

    The status of a retired entry is "retired", so that a mapping which takes nothing else of its life does not leave it standing.
    """
    promise, status, reached = version.commitment, getattr(version.service, "status", None), getattr(version.service, "propagated", None)
    if retired := version.service.lifecycle == Service.Lifecycle.RETIRED:
        reached = None
    stands = version.service.lifecycle if retired else status.status if status else "unknown"
    return {
        "code": version.service.code, "name": version.name, "short_name": version.short_name, "summary": version.summary,
        "department": version.department, "tier": version.tier, "kind": version.kind, "version": version.number, "release": version.release,
        "owner": str(version.owner.get_full_name() or version.owner) if version.owner else "",
        "operations_team": str(version.operations_team or ""), "supplier": version.supplier, "rpo_s": promise.rpo_s, "rto_s": promise.rto_s,
        "retention_days": promise.retention_days, "success_rate": promise.success_rate, "status": stands,
        "status_since": status.since if status else None, "affected": reached.status if reached else "",
        "affected_by": reached.cause.code if reached else "", "lifecycle": version.service.lifecycle, "leaves_at": leaves_at,
        "stage": "obsolete" if retired else "production", "portal_url": f"{base_url}/services/{version.service.code}/",
    }  # fmt: skip
