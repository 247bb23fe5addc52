"""How soon incidents have to be answered, and when teams work: changed here with a reason."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from incidents import targeting, wording
from incidents.models import ResponseTarget, WorkingHours
from itsm_backup.common.admin import TrackedAdmin


@admin.register(ResponseTarget)
class TargetAdmin(TrackedAdmin):
    place = 5
    about = "Within how long incidents are acknowledged and resolved. What is open keeps its times until its priority changes."
    list_display = ("priority", "says", "counts")
    fields = ("priority", ("acknowledge_min", "resolve_min"), "counts")

    def get_queryset(self, request: HttpRequest) -> Any:
        targeting.targets()  # a fresh installation ships them
        return super().get_queryset(request)

    @admin.display(description="Target")
    def says(self, target: ResponseTarget) -> str:
        return wording.response(target)


@admin.register(WorkingHours)
class HoursAdmin(TrackedAdmin):
    place = 6
    about = "When a team works. A team that is not here works Monday to Friday, 9 to 17, in the product's time zone."
    list_display = ("team", "says")
    list_select_related = ("team",)
    search_fields = ("team__name",)
    fields = ("team", "days", ("starts", "ends", "zone"), "free_days")

    @admin.display(description="Hours")
    def says(self, hours: WorkingHours) -> str:
        return wording.working_hours(hours)
