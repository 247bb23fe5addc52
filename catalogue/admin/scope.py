"""The scope register: backup services by name, and every decision on them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from catalogue.models import ScopeDecision, ScopeLine
from itsm_backup.common.admin import TrackedAdmin
from itsm_backup.common.time import now


@admin.register(ScopeLine)
class ScopeLineAdmin(TrackedAdmin):
    place = 10
    heading = "Scope register"
    about = "Backup services as people know them. Where each stands is decided in the portal."
    list_display = ("name", "created_at")
    search_fields = ("name",)
    fields = ("name", "in_portal")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("in_portal", *super().get_readonly_fields(request, obj))

    @admin.display(description="Decisions")
    def in_portal(self, line: Any) -> Any:
        if line.pk is None:
            return "Decide once it is saved."
        return format_html('<a href="{}">See in portal</a>', reverse("portal:scope_line", args=[line.pk]))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        obj.created_at = obj.created_at or now()
        super().save_model(request, obj, form, change)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(ScopeDecision)
class ScopeDecisionAdmin(TrackedAdmin):
    place = 11
    heading = "Scope decisions"
    about = "Every decision on a backup service, newest first. The newest one holds; none is ever changed."
    list_display = ("line", "outcome", "entry", "hosting", "decided_by", "decided_at", "review_on")
    list_select_related = ("line", "entry", "decided_by")
    list_filter = ("outcome", "hosting")
    search_fields = ("line__name", "entry__code", "reason")
    fields = ("line", "outcome", "entry", ("hosting", "provider"), "answers", "reason", "review_on", ("decided_by", "decided_at"))

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # the portal's form asks the questions

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
