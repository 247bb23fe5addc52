"""Problems to read; known errors, changed here or in the portal, each time with a reason."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from incidents import signing
from incidents.models import Feedback, Incident, KnownError, Problem, ProblemEntry, ProblemIncident, RiskAcceptance
from itsm_backup.common.admin import FactAdmin, FactInline, TrackedAdmin


class CameInline(FactInline, admin.TabularInline):
    model = ProblemIncident
    fields = ("incident", "attached_at")
    verbose_name_plural = "Incidents"

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).filter(incident__in=Incident.objects.visible_to(request.user))


class ProblemEntryInline(FactInline, admin.TabularInline):
    model = ProblemEntry
    fields = ("at", "text", "by")
    ordering = ("at", "id")
    verbose_name_plural = "What happened"


class RiskInline(FactInline, admin.TabularInline):
    model = RiskAcceptance
    fields = ("until", "owner", "reason", "asked_by", "asked_at", "granted", "answered_by", "answered_at", "ended_at")
    verbose_name_plural = "Risk accepted"


@admin.register(Problem)
class ProblemAdmin(FactAdmin):
    place = 8
    portal_page = ("portal:problem", "number")
    about = "What incidents of one kind have behind them. They are worked on in the portal."
    inlines = (CameInline, RiskInline, ProblemEntryInline)
    list_display = ("number", "title", "state", "assignee", "proposed_at", "fixed_at")
    list_filter = ("state",)
    list_select_related = ("assignee",)
    search_fields = ("title", "signature", "root_cause")
    ordering = ("-updated_at",)
    fields = (
        "number", "title", "signature", "service_type", "state", "outcome", "because", "root_cause", "workaround", "permanent_fix",
        "assignee", "proposed_at", "fixed_at", "muted_until", "closed_at",
    )  # fmt: skip


class FeedbackInline(FactInline, admin.TabularInline):
    model = Feedback
    fields = ("incident", "helped", "at", "by", "corrects")
    verbose_name_plural = "Whether it helped"

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).filter(incident__in=Incident.objects.visible_to(request.user))


@admin.register(KnownError)
class KnownErrorAdmin(TrackedAdmin):
    place = 9
    portal_page = ("portal:known_error", "number")
    about = "What is known of a kind of failure, and what helps. Drafts are made, published and retired in the portal."
    inlines = (FeedbackInline,)
    list_display = ("number", "title", "kind", "state", "review_on")
    list_filter = ("state",)
    search_fields = ("title", "symptom", "workaround", "signature")
    fields = ("signature", "title", "symptom", "root_cause", "workaround", "review_on")

    @admin.display(description="kind of failure", ordering="signature")
    def kind(self, row: KnownError) -> str:
        return signing.words_of(row.signature)
