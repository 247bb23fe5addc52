"""Tools: what people set, how the tool is, and asking it now."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html

from catalogue import duties
from itsm_backup.common.admin import Act, Impossible, TrackedAdmin, bulk_act, may
from itsm_backup.common.admin.fields import in_words, value_words
from itsm_backup.common.time import now
from monitoring import calibrating, polling
from monitoring.admin.tool_form import form_for, setting_names
from monitoring.connectors import CONNECTORS
from monitoring.connectors.base import TESTED_WORDS
from monitoring.models import Tool, ToolState

WHEN = ToolState._meta.get_field("latest_answer_at")


def _poll(request: HttpRequest, tool: Tool, form: forms.Form) -> str:
    receipt = polling.poll(tool=tool, at=now())
    if not receipt.complete:
        raise Impossible(f"{tool} was asked and did not answer in full. {' '.join(receipt.problems)} What was known before still holds.")
    return f"{tool} answered in full: {len(receipt.results)} records."


def _may_poll(request: HttpRequest, tool: Tool) -> str:
    if may(request, Tool, "poll", tool.pk):
        return ""
    return f"You may not poll {tool}. {duties.names(duties.who_may('poll', tool)) or 'Only an administrator'} can."


def health(tool: Tool) -> list[tuple[str, Any]]:
    """How the tool is, in words."""
    state = ToolState.objects.filter(tool=tool).first()
    if tool.replayed:
        return [("Health", "replayed recording: nothing real is asked, and its alerts tell nobody")]
    if state is None or state.latest_answer_at is None:
        return [("Health", "never answered yet")]
    if state.silent_since:
        standing = format_html('<b class="verdict verdict--no_data">Silent</b> since {}', value_words(WHEN, state.silent_since))
    elif state.consecutive_failures:
        standing = format_html('<b class="verdict verdict--at_risk">In trouble</b>: {} failures in a row', state.consecutive_failures)
    else:
        standing = format_html('<b class="verdict verdict--kept">{}</b>', "Answers")
    told = [("Health", standing), ("Latest answer", value_words(WHEN, state.latest_answer_at))]
    if state.latest_complete_at:
        told.append(("Latest complete reading", value_words(WHEN, state.latest_complete_at)))
    if state.next_poll_at:
        told.append(("Asked next", value_words(WHEN, state.next_poll_at)))
    return [*told, ("Problem", state.problem)] if state.problem else told


@admin.register(Tool)
class ToolAdmin(TrackedAdmin):
    place = 1
    portal_page = ("portal:tool", "name")
    about = "What we read from or what reports to us, how it is reached, and how it is."
    grantable = ("change", "poll")
    history_masked = ("ping_key",)
    list_display = ("name", "label", "kind", "enabled", "health_now", in_words(Tool._meta.get_field("poll_interval_s")))
    list_filter = ("enabled", "kind")
    list_select_related = ("state",)
    search_fields = ("name", "label")
    actions = ("enable", "disable")
    acts = (
        Act(
            name="poll",
            words=lambda tool: f"Poll {tool} now",
            do=_poll,
            fits=lambda tool: tool.enabled and tool.connector.polled and not tool.replayed,
            told=lambda request, tool: ["The tool is asked once, as its schedule would do it. This may take a few minutes."],
            blocked=_may_poll,
            form=forms.Form,
        ),
    )

    @admin.display(description="Health")
    def health_now(self, tool: Tool) -> Any:
        state = getattr(tool, "state", None)
        if state is None or state.latest_answer_at is None:
            return "never answered"
        if state.silent_since:
            verdict, word = "no_data", "Silent"
        else:
            verdict, word = ("at_risk", "In trouble") if state.consecutive_failures else ("kept", "Answers")
        return format_html('<span class="verdict verdict--{}">{}</span>', verdict, word)

    @bulk_act(name="enable", words="Switch on")
    def enable(self, request: HttpRequest, tool: Any) -> bool:
        return self._switch(tool, True)

    @bulk_act(name="disable", words="Switch off")
    def disable(self, request: HttpRequest, tool: Any) -> bool:
        return self._switch(tool, False)

    def _switch(self, tool: Any, on: bool) -> bool:
        changed = tool.enabled != on
        if changed:
            tool.enabled = on
            tool.save()
        return changed

    def _kind(self, request: HttpRequest, obj: Any) -> str:
        return obj.kind if obj is not None else request.GET.get("kind", "")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **{"form": form_for(self._kind(request, obj)), **kwargs})

    def own_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        kind = self._kind(request, obj)
        editable = self.has_change_permission(request, obj) if obj else True
        own = [
            "name",
            "label",
            "kind_words",
            "zone",
            "enabled",
            *(["poll_interval_s", "cadence", "budget"] if CONNECTORS[kind].polled else []),
            "monitored_from",
        ]
        asked = [
            (
                f"What {CONNECTORS[kind].label} needs",
                {"fields": setting_names(kind, held=obj.secrets if obj else ()) if editable else ["settings_words"]},
            )
        ]
        key = [("Reporting by itself", {"fields": ["ping_key"], "classes": ["collapse"]})] if editable else []
        return [(None, {"fields": own}), *(asked if CONNECTORS[kind].settings_fields else []), *key]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("kind_words", "settings_words")

    @admin.display(description="Kind")
    def kind_words(self, tool: Tool) -> str:
        return CONNECTORS[tool.kind].label if tool.kind else ""

    @admin.display(description="Settings")
    def settings_words(self, tool: Tool) -> str:
        labels = {field.name: field.label for field in tool.connector.settings_fields}
        return "; ".join(f"{labels.get(name, name)}: {value}" for name, value in tool.settings.items()) or "–"

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """First which kind, then the form of that kind."""
        kind = request.GET.get("kind")
        if kind in CONNECTORS or not self.has_add_permission(request):
            return super().add_view(
                request, form_url, {"title": f"Connect {CONNECTORS[kind].label}" if kind in CONNECTORS else "", **(extra_context or {})}
            )
        kinds = [
            {"kind": each.kind, "label": each.label, "polled": each.polled, "tested_words": TESTED_WORDS[each.tested]}
            for each in CONNECTORS.values()
        ]
        context = {**self.admin_site.each_context(request), "title": "Which kind of tool?", "opts": self.opts, "kinds": kinds}
        return TemplateResponse(request, "admin/monitoring/kinds.html", context)

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        tool = self.get_object(request, object_id)
        told = {"facts": health(tool)} if tool is not None else {}
        return super().change_view(request, object_id, form_url, {**told, **(extra_context or {})})

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if getattr(request, "reverting", False):
            obj.secrets = Tool.objects.get(pk=obj.pk).secrets  # an earlier password would hardly work: secrets stay as they are
        super().save_model(request, obj, form, change)
        calibrating.take_up(tool=obj, at=now())
