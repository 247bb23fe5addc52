"""Rules that people tune: which service a job belongs to, what a message means, and when a status changes."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html_join

from itsm_backup.common.admin import TrackedAdmin, TrackedInline, bulk_act
from itsm_backup.common.admin.reasons import RowsFormSet
from itsm_backup.common.time import now
from monitoring import workflow
from monitoring.models import AttributionCondition, AttributionRule, CauseRule, StatusWorkflow


class SwitchedAdmin(TrackedAdmin):
    """Rules in an order, each switched on or off: in the list, one by one, or many at once."""

    list_editable = ("position", "enabled")
    list_display_links = ("name",)
    actions = ("enable", "disable")

    @bulk_act(name="enable", words="Switch on")
    def enable(self, request: HttpRequest, row: Any) -> bool:
        return self._switch(row, True)

    @bulk_act(name="disable", words="Switch off")
    def disable(self, request: HttpRequest, row: Any) -> bool:
        return self._switch(row, False)

    def _switch(self, row: Any, on: bool) -> bool:
        if row.enabled == on:
            return False
        row.enabled = on
        row.save()
        return True


class ConditionFormSet(RowsFormSet):
    """A rule has to say something about the job: a condition, or at least the tool."""

    def clean(self) -> None:
        super().clean()
        kept = [form for form in self.forms if form.has_changed() or form.instance.pk]
        kept = [form for form in kept if not (hasattr(form, "cleaned_data") and form.cleaned_data.get("DELETE"))]
        if not kept and self.instance.tool_id is None:
            raise forms.ValidationError("The rule would match no job. Add a condition, or choose a tool to take all of its jobs.")


class ConditionInline(TrackedInline, admin.TabularInline):
    model = AttributionCondition
    formset = ConditionFormSet
    fields = ("field", "operator", "value")
    verbose_name_plural = "Conditions: all of them must hold"
    extra = 1


@admin.register(AttributionRule)
class AttributionAdmin(SwitchedAdmin):
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

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"valid_from": now(), **super().get_changeform_initial_data(request)}

    @admin.display(description="Matches when")
    def says(self, rule: AttributionRule) -> Any:
        return format_html_join(" and ", "{}", ((str(condition),) for condition in rule.conditions.all())) or "every job of the tool"


@admin.register(CauseRule)
class CauseAdmin(SwitchedAdmin):
    place = 5
    about = "What the message of a failed run means, and which component has it."
    list_display = ("name", "title", "component", "position", "enabled")
    list_filter = ("enabled", "component")
    search_fields = ("name", "title", "pattern")
    fields = ("name", "title", "position", "pattern", "component", "enabled")


@admin.register(StatusWorkflow)
class WorkflowAdmin(TrackedAdmin):
    place = 6
    heading = "Status thresholds"
    about = "The thresholds by which measurements become a status. The portal (Services, Thresholds) tries others on past days first."
    fields = (
        "at_risk_fraction",
        ("outage_factor_tier_1", "outage_factor_tier_2", "outage_factor_tier_3", "outage_factor_tier_4"),
        ("fall_after", "rise_after"),
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
