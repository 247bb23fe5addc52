"""How often tools are asked: what the intervals are worked out by, and the budgets that tools share."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count
from django.http import HttpRequest, HttpResponse

from itsm_backup.common.admin import TrackedAdmin
from itsm_backup.common.admin.fields import in_words
from monitoring import calibrating
from monitoring.models import PollingPolicy, RequestBudget


@admin.register(PollingPolicy)
class PollingPolicyAdmin(TrackedAdmin):
    place = 2
    portal_page = ("portal:cadence",)
    about = "The share of a recovery point after which a tool is asked again, and the bounds."
    list_display = ("__str__", in_words(PollingPolicy._meta.get_field("least_s")), in_words(PollingPolicy._meta.get_field("most_s")))
    fields = (("tier_1_fraction", "tier_2_fraction"), ("tier_3_fraction", "tier_4_fraction"), ("least_s", "most_s"), "use_fraction")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # there is one row

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        calibrating.shipped_policy()
        return super().changelist_view(request, extra_context)


@admin.register(RequestBudget)
class RequestBudgetAdmin(TrackedAdmin):
    place = 3
    about = "How many questions an hour a source stands that several tools share."
    list_display = ("name", "requests_per_hour", "at_once", "members")
    search_fields = ("name",)
    fields = ("name", "requests_per_hour", "at_once")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).annotate(tools_=Count("tools"))

    @admin.display(description="Tools", ordering="tools_")
    def members(self, budget: Any) -> int:
        return int(budget.tools_)
