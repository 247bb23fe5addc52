"""The words for each audience, changed here with a reason; and what people were told, to read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from incidents import phrasing
from incidents.models import AudienceTemplate, MajorDelivery, MajorMessage, MajorUpdate, StatusLink
from itsm_backup.common.admin import FactAdmin, FactInline, TrackedAdmin


@admin.register(AudienceTemplate)
class AudienceTemplateAdmin(TrackedAdmin):
    place = 11
    about = "What each audience is told of a major incident. Every change is a new version; what was sent stays as it was."
    list_display = ("__str__", "subject", "version")
    fields = ("placeholders", "subject", "body", "closing_subject", "closing_body", "addresses")
    readonly_fields = ("placeholders",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # one for each audience is shipped

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="Placeholders")
    def placeholders(self, row: AudienceTemplate) -> str:
        return "; ".join(f"{{{name}}} {words}" for name, words in phrasing.PLACEHOLDERS[row.audience].items())

    @admin.display(description="Version")
    def version(self, row: AudienceTemplate) -> int:
        return row.version


class MessageInline(FactInline, admin.StackedInline):
    model = MajorMessage
    fields = ("audience", "subject", "body", "template_version")
    verbose_name_plural = "What each audience is told"


class DeliveryInline(FactInline, admin.TabularInline):
    model = MajorDelivery
    fields = ("who", "address", "why", "message", "notice")
    verbose_name_plural = "Who was told"


@admin.register(MajorUpdate)
class MajorUpdateAdmin(FactAdmin):
    place = 12
    portal_page = ("portal:major_update", "major.number", "pk")
    about = "What people were told of major incidents. It is written and approved in the portal."
    inlines = (MessageInline, DeliveryInline)
    list_display = ("__str__", "state", "drafted_at", "approver", "sent_at")
    list_filter = ("state", "kind")
    list_select_related = ("major", "approver")
    ordering = ("-drafted_at",)
    fields = (
        "major", "number", "kind", "state", "audiences", "words", "details", "drafted_at", "rendered_at", "next_update_at", "approver",
        "sent_at", "content_hash",
    )  # fmt: skip


@admin.register(StatusLink)
class StatusLinkAdmin(FactAdmin):
    place = 13
    about = "Addresses under which the page of business users is read without signing in. They are made and taken back in the portal."
    list_display = ("label", "made_at", "made_by", "revoked_at", "revoked_by")
    list_select_related = ("made_by", "revoked_by")
    ordering = ("-made_at",)
    fields = ("label", "made_at", "made_by", "revoked_at", "revoked_by")
