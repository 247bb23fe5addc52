"""What CMDBs were told, and where their word stands against ours."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from itsm_backup.common.admin import FactAdmin
from monitoring.models import WriteBack, WriteConflict


@admin.register(WriteBack)
class WriteBackAdmin(FactAdmin):
    place = 8
    heading = "Written back"
    about = "What each item of a CMDB was told last, and what was read back."
    list_display = ("item", "service", "accepted", "answer", "attempts", "answered_at")
    list_filter = ("item__cmdb", "accepted")
    search_fields = ("item__name", "service__code", "answer")
    list_select_related = ("item", "service", "notice")
    fields = ("item", "service", "wanted", "written", "accepted", "answer", "answered_at", "notice")

    @admin.display(description="Attempts")
    def attempts(self, row: Any) -> Any:
        return row.notice.attempts if row.notice else "–"


@admin.register(WriteConflict)
class WriteConflictAdmin(FactAdmin):
    place = 9
    portal_page = ("portal:agreement_of", "service.code")
    heading = "Conflicts with CMDBs"
    about = "Columns in which a CMDB holds what nobody wrote from here. The portal decides them."
    list_display = ("item", "service", "field", "ours", "theirs", "why", "found_at", "ended_at")
    list_filter = ("why", "field", ("ended_at", admin.EmptyFieldListFilter))
    search_fields = ("item__name", "service__code")
    list_select_related = ("item", "service")
    fields = ("item", "service", "field", ("ours", "theirs"), "why", ("found_at", "ended_at"), "decided")

    @admin.display(description="Decision")
    def decided(self, row: Any) -> Any:
        if hasattr(row, "decision"):
            return f"{row.decision.get_choice_display()}, by {row.decision.by}: {row.decision.reason}"
        return format_html('<a href="{}">See in portal</a>', reverse("portal:agreement_of", args=[row.service.code]))

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("decision__by")
