"""Post-incident reviews to read, with every change of them; they are written, published and corrected in the portal."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from incidents.models import EntryProposal, PostIncidentReview, ReviewAction, ReviewAnswer
from itsm_backup.common.admin import FactAdmin, FactInline, TrackedAdmin


class AnswerInline(FactInline, admin.TabularInline):
    model = ReviewAnswer
    fields = ("question", "service", "proposed", "answer", "note", "answered_by")
    verbose_name_plural = "Was the catalogue right?"


class ActionInline(FactInline, admin.TabularInline):
    model = ReviewAction
    fields = ("what", "owner", "due_on", "state", "outcome")
    verbose_name_plural = "Actions"


@admin.register(PostIncidentReview)
class ReviewAdmin(TrackedAdmin):
    place = 10
    portal_page = ("portal:review", "number")
    about = "What incidents teach, and whether the catalogue was right. They are written and published in the portal."
    history_parts = (ReviewAnswer, ReviewAction)
    inlines = (AnswerInline, ActionInline)
    list_display = ("number", "incident", "revision", "state", "required", "published_at", "publisher")
    list_filter = ("state", "required")
    list_select_related = ("incident", "publisher")
    search_fields = ("cause", "factors", "went_well", "went_wrong", "lucky", "incident__title")
    fields = (
        "incident",
        "revision",
        "state",
        "required",
        "cause",
        "factors",
        "went_well",
        "went_wrong",
        "lucky",
        "published_at",
        "publisher",
    )

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # authors and publishers are told apart where it is worked on

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(EntryProposal)
class EntryProposalAdmin(FactAdmin):
    place = 11
    about = "What reviews ask entries to say instead, and what became of it. Stewards answer in the portal."
    list_display = ("question", "service", "incident", "state", "version", "made_at", "answered_by")
    list_filter = ("state", "question")
    list_select_related = ("service", "incident", "version", "answered_by")
    search_fields = ("text", "reason", "service__code")
    fields = ("incident", "question", "service", "text", "made_at", "state", "version", "reason", "answered_by", "answered_at")
