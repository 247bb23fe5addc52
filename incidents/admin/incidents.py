"""Incidents to read; they are worked on in the portal."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from incidents.models import Incident, IncidentAlert, IncidentEntry, Reply
from itsm_backup.common.admin import FactAdmin, FactInline
from monitoring.models import Alert


class AlertInline(FactInline, admin.TabularInline):
    model = IncidentAlert
    fields = ("alert", "attached_at")
    verbose_name_plural = "Alerts"

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).filter(alert__in=Alert.objects.visible_to(request.user))


class EntryInline(FactInline, admin.TabularInline):
    model = IncidentEntry
    fields = ("at", "kind", "text", "by")
    ordering = ("at", "id")
    verbose_name_plural = "What happened"

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).told_to(request.user)


@admin.register(Incident)
class IncidentAdmin(FactAdmin):
    portal_page = ("portal:incident", "number")
    about = "One for each cause, with its alerts and all that was done."
    inlines = (AlertInline, EntryInline)
    list_display = ("number", "told", "state", "priority", "hit_hardest", "team", "assignee", "opened_at", "breach_at", "resolved_at")
    list_filter = ("state", "priority", "team")
    list_select_related = ("service", "team", "assignee")
    search_fields = ("told_title", "cause_key")
    ordering = ("-opened_at",)
    fields = (
        "number", "told", "state", "priority", "priority_reason", "hit_hardest", "team", "assignee", "opened_at", "known_at",
        "acknowledged_at", "acknowledged_until", "acknowledge_by", "resolve_by", "resolved_at", "closed_at", "resolution", "cause_category",
        "reopened", "merged_into", "split_from", "cause_key",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).told_to(request.user)

    @admin.display(description="title", ordering="title")
    def told(self, incident: Any) -> str:
        return str(incident.told_title)

    @admin.display(description="hit hardest", ordering="service")
    def hit_hardest(self, incident: Any) -> str:
        return str(incident.service) if incident.service and incident.service_is_seen else ""

    def note(self, request: HttpRequest) -> str:
        waiting = self.get_queryset(request).open().count()
        return f"{waiting} open" if waiting else ""


@admin.register(Reply)
class ReplyAdmin(FactAdmin):
    place = 7
    heading = "Replies by mail"
    about = "What came back to mails about incidents, and what was done about it."
    list_display = ("received_at", "sender", "incident", "did", "told")
    list_filter = ("did",)
    list_select_related = ("incident",)
    search_fields = ("sender", "message_id")
    ordering = ("-received_at", "-pk")
    fields = ("received_at", "sender", "by", "incident", "did", "told", "message_id")
