"""Major incidents to read; they are worked on in the portal."""

from __future__ import annotations

from django.contrib import admin

from incidents.models import MajorAppointment, MajorIncident
from itsm_backup.common.admin import FactAdmin, FactInline


class AppointmentInline(FactInline, admin.TabularInline):
    model = MajorAppointment
    fields = ("part", "person", "at", "by", "reason")
    ordering = ("at", "id")
    verbose_name_plural = "Who led it"


@admin.register(MajorIncident)
class MajorAdmin(FactAdmin):
    place = 10
    portal_page = ("portal:major", "number")
    about = "Incidents that are led and told of as major ones. They are worked on in the portal."
    inlines = (AppointmentInline,)
    list_display = ("number", "incident", "state", "manager", "communications_lead", "next_update_at", "declared_at")
    list_filter = ("state",)
    list_select_related = ("incident", "manager", "communications_lead")
    ordering = ("-updated_at",)
    fields = (
        "number", "incident", "state", "because", "rejection", "proposed_by", "manager", "communications_lead", "interval_min",
        "next_update_at", "proposed_at", "declared_at", "resolved_at", "closed_at",
    )  # fmt: skip
