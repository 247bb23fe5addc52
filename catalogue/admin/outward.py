"""External catalogues: where they are, which column takes what, and what each answered of which entry."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from catalogue import presets, telling_outward
from catalogue.models import ExternalCatalogue, Publication
from itsm_backup.common.admin import Act, FactAdmin, ReasonedForm, TrackedAdmin
from itsm_backup.common.time import now


class MappingField(forms.Field):
    """Columns as lines of text: `u_backup_rpo_s: rpo_s`."""

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(f"{column}: {source}" for column, source in value.items()) if isinstance(value, dict) else value

    def to_python(self, value: Any) -> dict[str, str]:
        if isinstance(value, dict):
            return value
        found = {}
        for line in filter(None, (line.strip() for line in str(value or "").splitlines())):
            column, colon, source = line.partition(":")
            if not colon or not column.strip() or not source.strip():
                raise forms.ValidationError(f"“{line[:60]}” is no column with what it takes. Write for example “u_backup_rpo_s: rpo_s”.")
            found[column.strip()] = source.strip()
        return found


class CatalogueForm(ReasonedForm):
    """The secret is written and never shown; an empty box keeps it."""

    address = forms.URLField(
        assume_scheme="https", widget=forms.URLInput(attrs={"class": "vTextField"}),
        help_text="Its base address, as TOOL_ADDRESSES allows it. Redirects are not followed.",
    )  # fmt: skip
    password = forms.CharField(required=False, strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}))
    mapping = MappingField(
        required=False, widget=forms.Textarea(attrs={"rows": 12, "class": "vLargeTextField"}), label="Which column takes what",
        help_text=f"One column a line. Empty: the usual columns of the kind. There is {', '.join(presets.SOURCES)}; = and a fixed text.",
    )  # fmt: skip

    class Meta:
        model = ExternalCatalogue
        fields = ("name", "kind", "address", "table", "account", "mapping", "enabled")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        held = bool(self.instance.pk and self.instance.secrets.get("password"))
        self.fields["password"].help_text = "Set; leave empty to keep it." if held else "Not set."
        self.fields["password"].required = not held

    def clean(self) -> Any:
        cleaned = super().clean()
        if cleaned.get("password"):
            self.instance.secrets = {**self.instance.secrets, "password": cleaned["password"]}
        return cleaned


def _again(request: HttpRequest, catalogue: Any, form: forms.Form) -> str:
    count = telling_outward.tell_again(catalogue=catalogue, at=now())
    return f"{catalogue} is told of {count} entries anew within a minute."


class ToldAdmin(TrackedAdmin):
    """A system of others that is told things: how much it took, and secrets that only those see the boxes of who may write them."""

    secrets: tuple[str, ...] = ("password",)

    def get_queryset(self, request: HttpRequest) -> Any:
        counted = {name: Count("publications", filter=Q(publications__accepted=taken)) for name, taken in (("good", True), ("bad", False))}
        return super().get_queryset(request).annotate(**counted)

    @admin.display(description="Taken")
    def taken(self, row: Any) -> int:
        return row.good

    @admin.display(description="Not taken")
    def not_taken(self, row: Any) -> int:
        return row.bad

    def may_revert(self, request: HttpRequest, obj: Any) -> bool:
        return False  # an earlier address with today's password would be a leak

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*super().get_readonly_fields(request, obj), *(("kind",) if obj else ()))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        shown = super().get_fields(request, obj)
        may_write = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        return shown if may_write else [name for name in shown if name not in self.secrets]


@admin.register(ExternalCatalogue)
class ExternalCatalogueAdmin(ToldAdmin):
    place = 10
    heading = "External catalogues"
    about = "Catalogues of others that are told what entries promise and where they stand, whenever that changes."
    form = CatalogueForm
    change_form_template = "admin/catalogue/external.html"
    list_display = ("name", "kind", "address", "enabled", "taken", "not_taken")
    list_filter = ("kind", "enabled")
    search_fields = ("name", "address")
    fields = ("name", "kind", "address", "table", "account", "password", "mapping", "enabled")
    acts = (
        Act(
            name="again",
            words=lambda row: f"Tell {row} everything again",
            do=_again,
            fits=lambda row: row.enabled,
            told=lambda request, row: [
                "Every entry in force is told anew, and retired ones that it knows. Rows that are there are changed, none is made twice."
            ],
        ),
    )

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        row = self.get_object(request, object_id)
        told = _told(request, row) if row is not None else {}
        return super().change_view(request, object_id, form_url, {**told, **(extra_context or {})})


def _told(request: HttpRequest, row: Any) -> dict[str, Any]:
    """The latest answers, refusals first."""
    rows = Publication.objects.visible_to(request.user).filter(catalogue=row).select_related("service", "version", "notice")
    return {
        "answers": rows.order_by("accepted", "-answered_at")[:20],
        "waiting": telling_outward.waiting(row, now()) if row.enabled else 0,
        "facts": [("Taken", row.good), ("Not taken", row.bad)],
        "all_url": f"{reverse('admin:catalogue_publication_changelist')}?catalogue__id__exact={row.pk}",
    }


@admin.register(Publication)
class PublicationAdmin(FactAdmin):
    place = 11
    heading = "Told outside"
    about = "What each external catalogue was told of each entry last, and what it answered."
    list_display = (
        "service",
        "catalogue",
        "version_number",
        "status",
        "affected",
        "external_id",
        "accepted",
        "answer",
        "attempts",
        "answered_at",
    )
    list_filter = ("catalogue", "accepted")
    search_fields = ("service__code", "answer", "external_id")
    list_select_related = ("service", "catalogue", "version", "notice")
    fields = (
        "catalogue",
        "service",
        "version",
        "status",
        "affected",
        "affected_by",
        "lifecycle",
        "leaves_at",
        "external_id",
        "accepted",
        "answer",
        "answered_at",
        "notice",
    )

    @admin.display(description="Version")
    def version_number(self, row: Any) -> int:
        return row.version.number

    @admin.display(description="Attempts")
    def attempts(self, row: Any) -> Any:
        return row.notice.attempts if row.notice else "–"
