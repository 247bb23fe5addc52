"""Rules that people tune: which service a job belongs to, what a message means, and when a status changes."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html_join

from itsm_backup.common.admin import TrackedAdmin, TrackedInline
from monitoring import workflow
from monitoring.models import AttributionCondition, AttributionRule, CauseRule, RuleVersion, StatusWorkflow


class RuleAdmin(TrackedAdmin):
    """Rules in their order, with their history. What one says changes on the bench of the portal, by a version that is approved."""

    list_display_links = ("name",)
    change_list_template = "admin/monitoring/rules.html"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ConditionInline(TrackedInline, admin.StackedInline):
    model = AttributionCondition
    fields = ("field", "operator", "value")
    verbose_name_plural = "Conditions: all of them must hold"
    extra = 0
    can_delete = False


@admin.register(AttributionRule)
class AttributionAdmin(RuleAdmin):
    place = 4
    about = "Which service a job belongs to. The first rule that matches decides."
    history_parts = (AttributionCondition,)
    inlines = (ConditionInline,)
    list_display = ("name", "service", "tool", "says", "position", "enabled")
    list_filter = ("enabled", "service", "tool")
    list_select_related = ("service", "tool")
    search_fields = ("name", "service__code")
    fields = ("name", "position", "service", "tool", "enabled", ("valid_from", "valid_to"))

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("conditions")

    @admin.display(description="Matches when")
    def says(self, rule: AttributionRule) -> Any:
        return format_html_join(" and ", "{}", ((str(condition),) for condition in rule.conditions.all())) or "every job of the tool"


@admin.register(CauseRule)
class CauseAdmin(RuleAdmin):
    place = 5
    about = "What the message of a failed run means, and which component has it."
    list_display = ("name", "title", "component", "position", "enabled")
    list_filter = ("enabled", "component")
    search_fields = ("name", "title", "pattern")
    fields = ("name", "title", "position", "pattern", "conditions", "component", "enabled")


@admin.register(RuleVersion)
class VersionAdmin(RuleAdmin):
    place = 5
    portal_page = ("portal:rule_version", "pk")
    about = "What rules say, version by version: who wrote it, who put it in force, and why."
    list_display = ("name", "number", "kind", "state", "author", "approver", "approved_at")
    list_filter = ("state", "kind")
    list_select_related = ("author", "approver")
    search_fields = ("name",)
    fields = ("name", "kind", "position", "conditions", "service", "tool", "title", "component", "enabled", "valid_to", "reason")


@admin.register(StatusWorkflow)
class WorkflowAdmin(TrackedAdmin):
    place = 6
    portal_page = ("portal:thresholds",)
    heading = "Status thresholds"
    singular = "status thresholds"
    about = "The thresholds by which measurements become a status. The portal (Services, Thresholds) tries others on past days first."
    fields = (
        "at_risk_fraction",
        ("outage_factor_tier_1", "outage_factor_tier_2", "outage_factor_tier_3", "outage_factor_tier_4"),
        ("fall_after", "rise_after"),
        ("flap_window", "flap_start_ratio", "flap_stop_ratio"),
        "silent_after_polls",
    )

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # there is one row

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.has_view_permission(request):
            return super().changelist_view(request, *args, **kwargs)
        return HttpResponseRedirect(reverse("admin:monitoring_statusworkflow_change", args=[workflow.current().pk]))
