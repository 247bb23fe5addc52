"""The scope register: backup services by name, and every decision on them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe

from catalogue.admin.entries import Fact, shown_facts
from catalogue.models import ScopeDecision, ScopeLine
from catalogue.scoping import QUESTIONS
from itsm_backup.common.admin import TrackedAdmin
from itsm_backup.common.time import now


def _stands(decision: ScopeDecision) -> list[Fact]:
    """What was decided, until when, and how the entry stands that it leads to."""
    told: list[Fact] = [("Decision", decision.get_outcome_display()), ("Next review", f"{decision.review_on:%d %b %Y}")]
    if decision.entry is None:
        return told
    return [*told, ("Entry", decision.entry.code), *shown_facts(decision.entry)]


@admin.register(ScopeLine)
class ScopeLineAdmin(TrackedAdmin):
    place = 10
    heading = "Scope register"
    portal_page = ("portal:scope_line", "pk")
    about = "Backup services as people know them. Where each stands is decided in the portal."
    list_display = ("name", "created_at")
    search_fields = ("name",)
    fields = ("name",)

    def facts_beside(self, request: HttpRequest, row: Any) -> list[Fact]:
        newest = row.decisions.select_related("entry").order_by("-decided_at", "-pk").first() if row else None
        return _stands(newest) if newest else [("Decision", "none yet: it is decided in the portal, once it is saved")]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        obj.created_at = obj.created_at or now()
        super().save_model(request, obj, form, change)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(ScopeDecision)
class ScopeDecisionAdmin(TrackedAdmin):
    place = 11
    heading = "Scope decisions"
    about = "Every decision on a backup service, newest first. The newest one holds; none is ever changed."
    list_display = ("line", "outcome", "entry", "hosting", "decided_by", "decided_at", "review_on")
    portal_page = ("portal:scope_line", "line_id")
    list_select_related = ("line", "entry", "decided_by")
    list_filter = ("outcome", "hosting")
    search_fields = ("line__name", "entry__code", "reason")
    fields = ("line", "outcome", "entry", ("hosting", "provider"), "answers_in_words", "reason", "review_on", ("decided_by", "decided_at"))

    @admin.display(description="Answers")
    def answers_in_words(self, row: ScopeDecision) -> Any:
        answered = [(QUESTIONS.get(name, name), ScopeDecision.Answer(said).label) for name, said in row.answers.items()]
        return format_html_join(mark_safe("<br>"), "{} {}", answered)

    def facts_beside(self, request: HttpRequest, row: Any) -> list[Fact]:
        return _stands(row)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # the portal's form asks the questions

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
