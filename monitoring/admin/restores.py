"""Restore tests by people, as the admin shows them; the portal plans, records and verifies them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from itsm_backup.common.admin import TrackedAdmin
from monitoring.models import RestorePlan


@admin.register(RestorePlan)
class RestorePlanAdmin(TrackedAdmin):
    place = 11
    portal_page = ("portal:restore_plan", "pk")
    heading = "Restore tests by people"
    singular = "restore test by a person"
    about = "Planned, recorded by who ran them, verified by somebody else. The portal's page Restore tests plans and records them."
    list_display = ("service", "planned_on", "job", "scope", "tester", "state", "outcome")
    list_select_related = ("service", "job", "tester")
    list_filter = ("state", "outcome", "scope")
    search_fields = ("service__code", "remark")
    fields = (
        "service", "job", ("scope", "planned_on"), "tester", "place", "state", ("made_at", "made_by"), ("started_at", "ended_at"),
        ("outcome", "compared"), "remark", "recorded_at", ("verified_by", "verified_at"), "finding", "cancelled_at", "run",
    )  # fmt: skip

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
