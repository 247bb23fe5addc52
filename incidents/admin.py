"""Incidents to read; they are worked on in the portal."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from incidents.models import Incident, IncidentAlert, IncidentEntry
from itsm_backup.common.admin import FactAdmin, FactInline


class AlertInline(FactInline, admin.TabularInline):
    model = IncidentAlert
    fields = ("alert", "attached_at")
    verbose_name_plural = "Alerts"


class EntryInline(FactInline, admin.TabularInline):
    model = IncidentEntry
    fields = ("at", "kind", "text", "by")
    ordering = ("at", "id")
    verbose_name_plural = "What happened"


@admin.register(Incident)
class IncidentAdmin(FactAdmin):
    about = "One for each cause, with its alerts and all that was done."
    inlines = (AlertInline, EntryInline)
    list_display = ("number", "title", "state", "priority", "service", "team", "assignee", "opened_at", "resolved_at")
    list_filter = ("state", "priority", "service", "team")
    list_select_related = ("service", "team", "assignee")
    search_fields = ("title", "cause_key")
    ordering = ("-opened_at",)
    fields = ("number", "title", "state", "priority", "priority_reason", "service", "team", "assignee", "opened_at", "acknowledged_at",
              "resolved_at", "cause_key")  # fmt: skip

    def note(self, request: HttpRequest) -> str:
        waiting = self.get_queryset(request).open().count()
        return f"{waiting} open" if waiting else ""
