"""Escalation policies, changed here with a reason; what they say in words, and whom they would tell, the portal shows."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from incidents import choosing, wording
from incidents.models import Escalation, EscalationPolicy, EscalationStep, Rota, RotaMember, RotaSwap, Telling
from itsm_backup.common.admin import FactAdmin, FactInline, TrackedAdmin, TrackedInline


class StepInline(TrackedInline, admin.StackedInline):
    model = EscalationStep
    fields = (("after_min", "tell"), ("team", "person", "channel"))
    verbose_name_plural = "Who is told: steps with the same delay are one level"


@admin.register(EscalationPolicy)
class PolicyAdmin(TrackedAdmin):
    place = 2
    portal_page = ("portal:escalation",)
    about = "Who is told of an incident, when, and how often. The portal (Incidents, Who is told when) tries them without telling anybody."
    history_parts = (EscalationStep,)
    inlines = (StepInline,)
    list_display = ("name", "for_which", "says", "position", "enabled")
    list_filter = ("enabled",)
    search_fields = ("name",)
    fields = (
        ("name", "position", "enabled"), ("priorities", "tiers"), "repeat_min", ("quiet_from", "quiet_to", "quiet_weekends"),
        ("zone", "bypass"),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("steps__team", "steps__person", "steps__channel")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj is not None and obj.is_default)

    @admin.display(description="For")
    def for_which(self, policy: EscalationPolicy) -> str:
        return wording.for_which(policy)

    @admin.display(description="Tells")
    def says(self, policy: EscalationPolicy) -> str:
        return "; ".join(wording.levels(choosing.snapshot(policy))) or "nobody: it is passed over"


class MemberInline(TrackedInline, admin.TabularInline):
    model = RotaMember
    fields = ("place", "person")
    verbose_name_plural = "Members in their order"


class SwapInline(TrackedInline, admin.TabularInline):
    model = RotaSwap
    fields = ("person", "starts_at", "ends_at", "reason")
    verbose_name_plural = "Who stands in"


@admin.register(Rota)
class RotaAdmin(TrackedAdmin):
    place = 4
    portal_page = ("portal:on_call",)
    heading = "On-call rotas"
    singular = "on-call rota"
    about = "Who takes turns in being on call for a team. The portal (Incidents, On call) says who it is now and next, and swaps."
    history_parts = (RotaMember, RotaSwap)
    inlines = (MemberInline, SwapInline)
    list_display = ("team", "starts_on", "hand_over_at", "zone", "shift_days", "rule")
    list_select_related = ("team",)
    search_fields = ("team__name",)
    fields = ("team", ("starts_on", "hand_over_at", "zone"), ("shift_days", "rule"))


class TellingInline(FactInline, admin.TabularInline):
    model = Telling
    fields = ("level", "kind", "at", "recipients")


@admin.register(Escalation)
class EscalationAdmin(FactAdmin):
    place = 3
    about = "The policy of each incident as it was when it began to count, and who was told by it."
    inlines = (TellingInline,)
    list_display = ("incident", "number", "policy", "priority", "started_at", "next_at", "ended_at")
    list_select_related = ("incident", "policy")
    ordering = ("-started_at",)
    fields = ("incident", "number", "policy", "policy_version", "snapshot", "priority", "started_at", "next_at", "ended_at")
