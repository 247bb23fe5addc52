"""Who gets which report (people set it), and what was reported (to read)."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html

from itsm_backup.common.admin import FactAdmin, FactInline, TrackedAdmin
from itsm_backup.common.time import now
from reporting import scheduling, templating
from reporting.choosing import PlacesField
from reporting.models import Delivery, Report, ReportSchedule, ReportTemplate
from reporting.scoping import month_before
from reporting.sections import SECTIONS


@admin.register(ReportSchedule)
class ReportScheduleAdmin(TrackedAdmin):
    place = 1
    heading = "Report schedules"
    about = "Which monthly report goes to whom, and what a failed check of its inputs means."
    list_display = ("name", "services", "audience", "sent_to", "next_at", "enabled")
    list_filter = ("enabled", "audience", "policy")
    search_fields = ("name", "department", "application_type")
    fields = (
        "name",
        "enabled",
        ("department", "application_type"),
        ("tier", "label"),
        "audience",
        "recipients",
        "owner",
        "policy",
        ("day_of_month", "local_time", "zone"),
    )

    @admin.display(description="Services")
    def services(self, schedule: ReportSchedule) -> str:
        from reporting.compiling import scope_of

        return scope_of(schedule).words

    @admin.display(description="Recipients")
    def sent_to(self, schedule: ReportSchedule) -> str:
        return ", ".join(schedule.recipients) or "Nobody: it stands in the library only"

    @admin.display(description="Next")
    def next_at(self, schedule: ReportSchedule) -> dt.datetime | str:
        if not schedule.enabled:
            return "Off"
        at = now()
        month = month_before(at, zone=schedule.zone)
        due = scheduling.due_at(schedule, month)
        following = month_before(at + dt.timedelta(days=32), zone=schedule.zone)
        return due if due > at else scheduling.due_at(schedule, following)


@admin.register(ReportTemplate)
class ReportTemplateAdmin(TrackedAdmin):
    place = 3
    heading = "Report templates"
    about = "Which sections a report has for each audience, in which order."
    change_form_template = "admin/reporting/template.html"
    list_display = ("audience", "holds", "version")
    fields = ("sections",)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # there is one for each audience

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.has_view_permission(request):
            templating.templates()
        return super().changelist_view(request, *args, **kwargs)

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        found = self.get_object(request, object_id)
        more = {"next_version": found.version + 1} if found else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **more})

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        made = super().get_form(request, obj, change, **kwargs)
        if obj is not None and "sections" in made.base_fields:
            help_text = made.base_fields["sections"].help_text
            made.base_fields["sections"] = PlacesField(audience=obj.audience, label="Sections", help_text=help_text)
        return made

    @admin.display(description="Sections")
    def holds(self, template: ReportTemplate) -> str:
        return ", ".join(SECTIONS[template.audience].get(name, name) for name in template.sections)


class DeliveryInline(FactInline, admin.TabularInline):
    model = Delivery
    fields = ("recipient", "at", "sent_at", "latest_error")
    verbose_name_plural = "Sent to"

    @admin.display(description="Sent")
    def sent_at(self, delivery: Delivery) -> Any:
        return delivery.notice.sent_at or "Waiting"

    @admin.display(description="Latest error")
    def latest_error(self, delivery: Delivery) -> str:
        return delivery.notice.latest_error


@admin.register(Report)
class ReportAdmin(FactAdmin):
    place = 2
    about = "Every report that was made, with its seal."
    inlines = (DeliveryInline,)
    list_display = ("title", "month", "revision", "state", "made_at")
    list_filter = ("state", "month")
    search_fields = ("title",)
    ordering = ("-made_at", "-id")
    fields = ("title", "month", "revision", "state", "made_at", "schedule", "seal_digest", "manifest_sha", "library")

    @admin.display(description="Seal (SHA-256 of data and versions)")
    def seal_digest(self, report: Report) -> str:
        return bytes(report.seal).hex()

    @admin.display(description="Manifest (SHA-256)")
    def manifest_sha(self, report: Report) -> str:
        return bytes(report.manifest_digest or b"").hex() or "None"

    @admin.display(description="In the library")
    def library(self, report: Report) -> str:
        return format_html('<a href="{}">{}</a>', reverse("portal:report", args=[report.pk]), report.number)
