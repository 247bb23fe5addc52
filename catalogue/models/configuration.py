"""Configuration items as a CMDB gives them, which entry each belongs to, and which side is right about a field."""

from __future__ import annotations

import datetime as dt
from typing import Any, Self

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models

from catalogue.agreed_fields import CHOICES, FIELDS, SIDES
from catalogue.models.service import Service
from itsm_backup.common.crypto import SecretsField
from itsm_backup.common.models import Tracked, VisibleQuerySet, tracked


def cmdb_choices() -> list[tuple[str, str]]:
    """Callable, so that adding a kind makes no migration."""
    from catalogue.cmdbs import CMDBS

    return [(kind, one.label) for kind, one in CMDBS.items()]


@tracked
class Cmdb(Tracked):
    """One configuration database of somebody else: read always, and written only in the columns that are named here."""

    name = models.SlugField(max_length=80, unique=True, help_text="Lower-case word by which addresses know it.")
    label = models.CharField(max_length=120, blank=True, help_text="The name that people use.")
    kind = models.CharField(max_length=12, choices=cmdb_choices)
    address = models.URLField(help_text="Its base address, as TOOL_ADDRESSES allows it. Redirects are not followed.")
    account = models.CharField(max_length=120, blank=True, help_text="Who signs in there; empty where a token is enough.")
    secrets = SecretsField(editable=False, help_text="Encrypted; never shown again.")
    certificates = models.TextField("trusted certificates", blank=True, help_text="PEM, where no public authority vouches for the server.")
    tables = models.JSONField(default=list, blank=True, help_text="What is read, in this order. Empty: what the kind usually has.")
    columns = models.JSONField(default=dict, blank=True, help_text="Field → column there. Empty: the usual ones of the kind.")
    writes = models.BooleanField(
        "write back", default=False, help_text="Whether columns of which this CMDB is not the master are written there."
    )
    poll_interval_s = models.PositiveIntegerField("read every … seconds", default=900, validators=[MinValueValidator(60)])
    enabled = models.BooleanField(default=True)
    replayed = models.BooleanField(
        default=False, editable=False, help_text="Made answers stand in its place, as in the demo: it is never asked."
    )

    class Meta:
        verbose_name = "CMDB"
        verbose_name_plural = "CMDBs"
        ordering = ["name"]
        constraints = [models.CheckConstraint(condition=models.Q(poll_interval_s__gte=60), name="cmdb_read_at_most_every_minute")]

    def __str__(self) -> str:
        return self.label or self.name

    @property
    def connector(self) -> Any:
        from catalogue.cmdbs import CMDBS

        return CMDBS[self.kind]

    def clean(self) -> None:
        if self.kind not in dict(cmdb_choices()):
            raise ValidationError({"kind": f"There is no kind of CMDB called {self.kind}."})
        self.tables = self.tables or list(self.connector.tables)
        self.columns = self.columns or dict(self.connector.columns)
        if unknown := [table for table in self.tables if table not in self.connector.tables and not self.connector.any_table]:
            raise ValidationError({"tables": f"{', '.join(unknown)}: not known. There is {', '.join(self.connector.tables)}."})
        if unknown := sorted(set(self.columns) - set(FIELDS)):
            raise ValidationError({"columns": f"{', '.join(unknown)}: no field. There is {', '.join(FIELDS)}."})
        if unknown := sorted(name for name in self.columns if name == "in_use"):
            raise ValidationError({"columns": "Whether something is in use follows from its state there and needs no column."})


class CmdbStateQuerySet(VisibleQuerySet):
    def due(self, at: dt.datetime) -> Self:
        """CMDBs to read now: enabled, due, and not in somebody's hands."""
        free = models.Q(claimed_until__isnull=True) | models.Q(claimed_until__lte=at)
        return self.filter(free, cmdb__enabled=True, next_read_at__lte=at)


class CmdbState(models.Model):
    """How a CMDB is: when it answered, what is wrong, and where reading goes on."""

    permission_from = ("cmdb",)

    cmdb = models.OneToOneField(Cmdb, verbose_name="CMDB", primary_key=True, on_delete=models.CASCADE, related_name="state")
    next_read_at = models.DateTimeField()
    claimed_until = models.DateTimeField(null=True)
    latest_answer_at = models.DateTimeField(null=True)
    latest_complete_at = models.DateTimeField(null=True, help_text="Start of the latest reading that came to its end.")
    cursor = models.JSONField(default=dict)
    consecutive_failures = models.PositiveIntegerField(default=0)
    problem = models.TextField(blank=True)

    objects = CmdbStateQuerySet.as_manager()

    class Meta:
        verbose_name = "state of a CMDB"
        verbose_name_plural = "states of CMDBs"
        indexes = [models.Index(fields=["next_read_at"], name="cmdb_due")]

    def __str__(self) -> str:
        return f"state of {self.cmdb}"


class ItemQuerySet(VisibleQuerySet):
    def there(self) -> Self:
        """Items that the CMDB still has."""
        return self.filter(gone_at=None)


class ConfigurationItem(models.Model):
    """One thing as its CMDB tells it. `fields` holds our fields that it has a column for, by name."""

    permission_from = ("cmdb",)

    cmdb = models.ForeignKey(Cmdb, verbose_name="CMDB", on_delete=models.CASCADE, related_name="items", db_index=False)
    table = models.CharField(max_length=80)
    external_id = models.CharField("number there", max_length=80)
    name = models.CharField(max_length=200)
    state = models.CharField("state there", max_length=80, blank=True)
    retired = models.BooleanField(default=False)
    address = models.CharField("page there", max_length=500, blank=True)
    fields = models.JSONField(default=dict)
    told_relations = models.JSONField(default=list, help_text="(kind, table, number there) of other items, as it told them.")
    changed_at = models.DateTimeField("changed there", null=True)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    gone_at = models.DateTimeField(null=True)

    objects = ItemQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]
        constraints = [models.UniqueConstraint(fields=["cmdb", "table", "external_id"], name="item_once_per_cmdb")]
        indexes = [models.Index(fields=["name"], name="ci_by_name")]

    def __str__(self) -> str:
        return self.name


class ItemRelation(models.Model):
    """How two items of one CMDB hang together, as it says: `item` `kind` `other`."""

    permission_from = ("item",)

    item = models.ForeignKey(ConfigurationItem, on_delete=models.CASCADE, related_name="relations")
    kind = models.CharField(max_length=80)
    other = models.ForeignKey(ConfigurationItem, on_delete=models.CASCADE, related_name="related_from")

    objects = VisibleQuerySet.as_manager()

    class Meta:
        ordering = ["item", "kind", "other"]
        constraints = [
            models.UniqueConstraint(fields=["item", "kind", "other"], name="item_relation_once"),
            models.CheckConstraint(condition=~models.Q(item=models.F("other")), name="item_relation_between_two"),
        ]

    def __str__(self) -> str:
        return f"{self.item} {self.kind} {self.other}"


class ItemReject(models.Model):
    """One record of a CMDB that cannot be read, and why. It goes when it can be read, or is no longer there."""

    permission_from = ("cmdb",)

    cmdb = models.ForeignKey(Cmdb, verbose_name="CMDB", on_delete=models.CASCADE, related_name="rejects", db_index=False)
    table = models.CharField(max_length=80)
    external_id = models.CharField("number there", max_length=80)
    reason = models.TextField()
    excerpt = models.TextField(blank=True)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    objects = VisibleQuerySet.as_manager()

    class Meta:
        verbose_name = "unreadable record of a CMDB"
        verbose_name_plural = "unreadable records of CMDBs"
        ordering = ["-last_seen_at"]
        constraints = [models.UniqueConstraint(fields=["cmdb", "table", "external_id"], name="item_reject_once")]

    def __str__(self) -> str:
        return f"{self.table} {self.external_id}"


@tracked
class ItemLink(Tracked):
    """This item belongs to this entry, says a person. An item belongs to one entry at most."""

    permission_from = ("service",)

    item = models.OneToOneField(ConfigurationItem, on_delete=models.CASCADE, related_name="link")
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="item_links")
    made_at = models.DateTimeField(editable=False)

    class Meta:
        verbose_name = "configuration item of an entry"
        verbose_name_plural = "configuration items of entries"
        ordering = ["service", "item"]

    def __str__(self) -> str:
        return f"{self.item} of {self.service}"


@tracked
class FieldMaster(Tracked):
    """Which side is right about a field. Without a row it is the side that the field usually has."""

    field = models.CharField(max_length=20, choices=CHOICES, unique=True)
    master = models.CharField(max_length=10, choices=list(SIDES.items()))

    class Meta:
        verbose_name = "master of a field"
        verbose_name_plural = "masters of fields"
        ordering = ["field"]
        constraints = [
            models.CheckConstraint(condition=models.Q(master__in=list(SIDES)), name="field_master_is_a_side"),
            models.CheckConstraint(
                condition=~models.Q(field="in_use") | models.Q(master="cmdb"),
                name="field_in_use_is_the_cmdbs",
                violation_error_message="Whether something is in use is always the CMDB's to say.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_field_display()}: {self.get_master_display()}"


def masters() -> dict[str, str]:
    """Field → side that is right about it, as set now."""
    chosen = dict(FieldMaster.objects.values_list("field", "master"))
    return {name: chosen.get(name, field.master) for name, field in FIELDS.items()}
