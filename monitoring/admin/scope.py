"""What people said about what tools told: parts of backup services, mapped attributes, detected changes that need no new version."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from itsm_backup.common.admin import TrackedAdmin
from monitoring.models import AttributeMapping, ScopeClaim, SettledChange


@admin.register(ScopeClaim)
class ScopeClaimAdmin(TrackedAdmin):
    place = 7
    heading = "Parts of backup services"
    about = "Which repository or job belongs to which backup service of the scope register. The portal gives and takes them."
    list_display = ("line", "tool", "repository_name", "job", "made_at", "ended_at")
    list_select_related = ("line", "tool", "job")
    list_filter = ("tool", ("ended_at", admin.EmptyFieldListFilter))
    search_fields = ("line__name", "repository_name", "job__name")
    fields = ("line", "tool", "repository_name", "job", ("made_at", "ended_at"))

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(AttributeMapping)
class AttributeMappingAdmin(TrackedAdmin):
    place = 7
    portal_page = ("portal:mapping", "tool.name")
    heading = "Attribute mappings"
    about = "Which of a tool's own attributes mean which fields of the catalogue. The portal writes, tries and approves them."
    list_display = ("tool", "number", "state", "author", "approver", "approved_at")
    list_select_related = ("tool", "author", "approver")
    list_filter = ("state", "tool")
    search_fields = ("tool__name", "reason")
    fields = ("tool", ("number", "state"), "rows", "reason", ("author", "approver", "approved_at"))

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # the portal tries each version on the tool's last answer

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(SettledChange)
class SettledChangeAdmin(TrackedAdmin):
    place = 7
    portal_page = ("portal:detected",)
    heading = "Settled changes"
    about = "Detected changes of which a steward said that no new version is needed, and why. The portal's page of detected changes asks."
    list_display = ("change", "reason", "settled_by", "settled_at")
    list_select_related = ("change__service", "change__job", "settled_by")
    fields = ("change", "reason", ("settled_by", "settled_at"))

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
