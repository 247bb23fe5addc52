"""CMDBs: where they are, which columns take what, how they answer; their items, and which side is right about a field."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from catalogue import inventorying
from catalogue.admin.beside import BesideEntry
from catalogue.admin.outward import MappingField
from catalogue.agreed_fields import FIELDS
from catalogue.cmdbs import CMDBS
from catalogue.models import Cmdb, CmdbState, ConfigurationItem, FieldMaster, ItemLink, ItemReject
from itsm_backup.common.admin import Act, FactAdmin, ReasonedForm, TrackedAdmin
from itsm_backup.common.time import now

SECRETS = ("token", "password", "app_token", "webhook")


class LinesField(forms.Field):
    """Words, one a line."""

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:
        return value if isinstance(value, list) else [line.strip() for line in str(value or "").splitlines() if line.strip()]


def _secret(label: str) -> forms.CharField:
    return forms.CharField(
        required=False, strip=False, label=label, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )  # fmt: skip


class CmdbForm(ReasonedForm):
    """Secrets are written and never shown; an empty box keeps them."""

    token = _secret("API token")
    password = _secret("Password")
    app_token = _secret("App token")
    webhook = _secret("Secret shared with its webhooks")

    address = forms.URLField(
        assume_scheme="https", widget=forms.URLInput(attrs={"class": "vTextField"}),
        help_text="Its base address, as TOOL_ADDRESSES allows it. Redirects are not followed.",
    )  # fmt: skip
    tables = LinesField(
        required=False, widget=forms.Textarea(attrs={"rows": 4, "class": "vLargeTextField"}),
        help_text="What is read, one a line, in this order. Empty: what the kind usually has.",
    )  # fmt: skip
    columns = MappingField(
        required=False, widget=forms.Textarea(attrs={"rows": 10, "class": "vLargeTextField"}), label="Which field stands in which column",
        help_text=f"One field a line, such as “owner: custom_fields.backup_owner”. Empty: the usual ones. There is {', '.join(FIELDS)}.",
    )  # fmt: skip

    class Meta:
        model = Cmdb
        fields = (
            "name",
            "label",
            "kind",
            "address",
            "account",
            "certificates",
            "tables",
            "columns",
            "writes",
            "poll_interval_s",
            "enabled",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in SECRETS:
            held = bool(self.instance.pk and self.instance.secrets.get(name))
            self.fields[name].help_text = "Set; leave empty to keep it." if held else "Not set."

    def clean(self) -> Any:
        cleaned = super().clean()
        given = {name: cleaned[name] for name in SECRETS if cleaned.get(name)}
        held = self.instance.secrets if self.instance.pk else {}
        self.instance.secrets = {**held, **given}
        kind = CMDBS.get(cleaned.get("kind") or self.instance.kind)
        for names in kind.needs if kind else ():
            if not any(self.instance.secrets.get(name) for name in names):
                labels = " or ".join(str(self.fields[name].label).lower() for name in names)
                self.add_error(names[0], f"{kind.label} needs {'it' if len(names) == 1 else labels}.")
        if kind and self.instance.secrets.get("webhook") and not kind.webhooks:
            self.add_error("webhook", f"{kind.label} is read every few minutes only: it sends no message that could be heard here.")
        return cleaned


def _again(request: HttpRequest, cmdb: Any, form: forms.Form) -> str:
    inventorying.read_again(cmdb=cmdb, at=now())
    return f"{cmdb} is read in full within a minute."


@admin.register(Cmdb)
class CmdbAdmin(TrackedAdmin):
    place = 12
    heading = "CMDBs"
    about = "Configuration databases of others: their items are read, and named columns are told what the catalogue says."
    form = CmdbForm
    change_form_template = "admin/catalogue/cmdb.html"
    list_display = ("name", "kind", "address", "enabled", "writes", "count", "rejected", "answered")
    list_filter = ("kind", "enabled", "writes")
    list_select_related = ("state",)
    search_fields = ("name", "label", "address")
    fields = (
        "name", "label", "kind", "address", "account", *SECRETS, "certificates", "tables", "columns", "writes",
        "poll_interval_s", "enabled",
    )  # fmt: skip
    acts = (
        Act(
            name="read",
            words=lambda row: f"Read {row} in full",
            do=_again,
            fits=lambda row: row.enabled,
            told=lambda request, row: ["Every item is read anew. What is not there any more is marked as gone."],
        ),
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        there = Count("items", filter=Q(items__gone_at=None), distinct=True)
        return super().get_queryset(request).annotate(there=there, aside=Count("rejects", distinct=True))

    @admin.display(description="Items")
    def count(self, row: Any) -> int:
        return row.there

    @admin.display(description="Unreadable")
    def rejected(self, row: Any) -> int:
        return row.aside

    @admin.display(description="Last answer")
    def answered(self, row: Any) -> Any:
        return row.state.latest_answer_at if hasattr(row, "state") else None

    def may_revert(self, request: HttpRequest, obj: Any) -> bool:
        return False  # an earlier address with today's token would be a leak

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*super().get_readonly_fields(request, obj), *(("kind",) if obj else ()))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        shown = super().get_fields(request, obj)
        may_write = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        return shown if may_write else [name for name in shown if name not in SECRETS]

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        row = self.get_object(request, object_id)
        return super().change_view(request, object_id, form_url, {**(_told(row) if row is not None else {}), **(extra_context or {})})


def _told(row: Any) -> dict[str, Any]:
    """How it is, and what of it cannot be read."""
    state = CmdbState.objects.filter(cmdb=row).first()
    return {
        "state": state,
        "tested": {"live": "Tested live", "recorded": "Tested on recorded answers", "documented": "Tested on documented payloads"}[
            row.connector.tested
        ],
        "facts": [("Items", row.there), ("Unreadable", row.aside)],
        "rejects": ItemReject.objects.filter(cmdb=row)[:20],
        "webhook": reverse("cmdb_webhook", args=[row.name]) if "webhook" in row.secrets else "",
        "items_url": f"{reverse('admin:catalogue_configurationitem_changelist')}?cmdb__id__exact={row.pk}",
    }


@admin.register(ConfigurationItem)
class ConfigurationItemAdmin(FactAdmin):
    place = 13
    heading = "Configuration items"
    about = "What the CMDBs have, as they tell it."
    list_display = ("name", "cmdb", "table", "state", "entry", "changed_at", "gone_at")
    list_filter = ("cmdb", "table", "retired", ("gone_at", admin.EmptyFieldListFilter), ("link", admin.EmptyFieldListFilter))
    search_fields = ("name", "external_id", "link__service__code")
    list_select_related = ("cmdb", "link__service")
    fields = (
        "name", "cmdb", ("table", "external_id"), ("state", "retired"), "fields", "related", "address", "changed_at",
        ("first_seen_at", "last_seen_at", "gone_at"),
    )  # fmt: skip

    @admin.display(description="Entry")
    def entry(self, row: Any) -> Any:
        return row.link.service if hasattr(row, "link") else None

    @admin.display(description="Relations")
    def related(self, row: Any) -> str:
        out = [f"{one.kind} {one.other}" for one in row.relations.select_related("other")[:50]]
        into = [f"{one.item} {one.kind} it" for one in row.related_from.select_related("item")[:50]]
        return "; ".join([*out, *into]) or "none"


@admin.register(ItemLink)
class ItemLinkAdmin(BesideEntry, TrackedAdmin):
    portal_page = ("portal:agreement_of", "service.code")
    place = 14
    heading = "Items of entries"
    singular = "item of an entry"
    about = "Which configuration item belongs to which entry. The portal proposes and links them."
    list_display = ("item", "service", "made_at")
    list_select_related = ("item", "service")
    search_fields = ("item__name", "service__code")
    fields = ("item", "service", "made_at")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # the portal's page says what speaks for it

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(FieldMaster)
class FieldMasterAdmin(TrackedAdmin):
    place = 15
    heading = "Masters of fields"
    about = "Which side is right about a field: the catalogue, the CMDB or monitoring. A field that is not listed has its usual master."
    list_display = ("field", "master", "usual")
    fields = ("field", "master")

    @admin.display(description="Usually")
    def usual(self, row: Any) -> str:
        return FIELDS[row.field].master

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*super().get_readonly_fields(request, obj), *(("field",) if obj else ()))
