"""What was recorded, to read: runs, what was due, judgements, alerts, and records that could not be read."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from itsm_backup.common.admin import FactAdmin
from itsm_backup.common.time import duration_words
from monitoring.models import Alert, BackupRun, Evaluation, ExpectedRun, QuarantinedRecord, RestoreTest


def pretty(value: Any) -> Any:
    return format_html('<pre class="raw" tabindex="0">{}</pre>', json.dumps(value, indent=2, ensure_ascii=False))


@admin.register(BackupRun)
class RunAdmin(FactAdmin):
    place = 10
    portal_page = ("portal:run", "pk")
    about = "Executions as the tools told them."
    list_display = ("run", "job", "service", "outcome_words", "occurred_at", "took", "message")
    list_filter = ("outcome", "operation", "tool")
    list_select_related = ("job", "service")
    ordering = ("-occurred_at",)
    fields = ("job", "tool", "service", "operation", "level", "state", "outcome", "occurred_at", "started_at", "ended_at", "captured_at",
              "time_quality", "exit_code", "bytes_source", "bytes_stored", "files_total", "files_failed", "rows_total",
              "encrypted", "verified", "message",
              "external_id", "artefact_id", "first_seen_at", "changed_at")  # fmt: skip

    @admin.display(description="Run", ordering="pk")
    def run(self, run: BackupRun) -> str:
        return f"run {run.pk}"

    @admin.display(description="Outcome", ordering="outcome")
    def outcome_words(self, run: BackupRun) -> Any:
        return format_html(
            '<span class="outcome outcome--{}">{}</span>', run.outcome or run.state, run.get_outcome_display() or run.get_state_display()
        )

    @admin.display(description="Took")
    def took(self, run: BackupRun) -> str:
        return duration_words((run.ended_at - run.started_at).total_seconds()) if run.started_at and run.ended_at else "–"


@admin.register(ExpectedRun)
class ExpectedRunAdmin(FactAdmin):
    place = 11
    about = "What was due, and what came of it."
    list_display = ("job", "due_at", "state", "worst_outcome", "attempts", "deadline_at", "backfilled")
    list_filter = ("state", "backfilled", "job__tool")
    list_select_related = ("job",)
    ordering = ("-due_at",)
    fields = (
        "job", "due_at", "opens_at", "deadline_at", "state", "worst_outcome", "attempts", "backfilled", "counts", "excuse", "settled_at",
    )  # fmt: skip


@admin.register(RestoreTest)
class RestoreTestAdmin(FactAdmin):
    place = 11
    about = "Restores that were tried on purpose, as their runs told of them."
    list_display = ("test", "job", "scope", "outcome", "verified", "took")
    list_filter = ("outcome", "scope", "verified", "job__service")
    list_select_related = ("job",)
    ordering = ("-started_at",)
    fields = ("run", "job", "scope", "outcome", "verified", "started_at", "ended_at", "usable_at", "duration_s", "point", "rows", "files",
              "size_bytes", "message")  # fmt: skip

    @admin.display(description="Test", ordering="started_at")
    def test(self, test: RestoreTest) -> str:
        return f"{test}"

    @admin.display(description="Took", ordering="duration_s")
    def took(self, test: RestoreTest) -> str:
        return duration_words(test.duration_s) if test.duration_s is not None else "–"


@admin.register(Evaluation)
class EvaluationAdmin(FactAdmin):
    place = 12
    about = "Every judgement, with the inputs that it can be repeated from."
    list_display = ("judgement", "service", "tool", "verdict", "status", "at")
    list_filter = ("verdict", "status", "service", "tool")
    list_select_related = ("service", "tool")
    ordering = ("-at",)
    fields = ("service", "tool", "at", "version", "method_version", "verdict", "status", "inputs_shown", "result_shown", "hash_shown")

    @admin.display(description="Judgement", ordering="pk")
    def judgement(self, evaluation: Evaluation) -> str:
        return f"evaluation {evaluation.pk}"

    @admin.display(description="Inputs")
    def inputs_shown(self, evaluation: Evaluation) -> Any:
        return pretty(evaluation.inputs)

    @admin.display(description="Result")
    def result_shown(self, evaluation: Evaluation) -> Any:
        return pretty(evaluation.result)

    @admin.display(description="Hash of the inputs")
    def hash_shown(self, evaluation: Evaluation) -> Any:
        return format_html("<code>{}</code>", bytes(evaluation.inputs_hash).hex())


@admin.register(Alert)
class AlertAdmin(FactAdmin):
    place = 9
    portal_page = ("portal:service", "service.code")
    about = "Conditions that somebody should know of, from first sight to end."
    list_display = ("title", "state", "priority", "service", "tool", "opened_at", "occurrences")
    list_filter = ("state", "alert_class", "priority", "service", "tool")
    list_select_related = ("service", "tool")
    search_fields = ("title", "dedup_key")
    ordering = ("-opened_at",)
    fields = ("title", "alert_class", "state", "severity", "priority", "service", "job", "tool", "cause_title", "opened_at", "last_seen_at",
              "occurrences", "reopened", "acknowledged_at", "acknowledged_by", "resolved_at", "evaluation")  # fmt: skip


@admin.register(QuarantinedRecord)
class QuarantineAdmin(FactAdmin):
    place = 8
    portal_page = ("portal:quarantine", "tool.name")
    about = "Records that could not be read, and why. The good ones of the same batch were stored."
    list_display = ("reason", "tool", "created_at", "resolved_at", "set_aside")
    list_filter = ("tool", ("resolved_at", admin.EmptyFieldListFilter), "set_aside")
    list_select_related = ("tool",)
    search_fields = ("reason",)
    ordering = ("-created_at",)
    fields = ("reason", "tool", "created_at", "resolved_at", "set_aside", "story", "excerpt_shown")

    def note(self, request: Any) -> str:
        waiting = self.get_queryset(request).filter(resolved_at=None).count()
        return f"{waiting} unread" if waiting else ""

    @admin.display(description="Read again")
    def story(self, record: QuarantinedRecord) -> Any:
        rows = (
            (f"{one.at:%Y-%m-%d %H:%M} UTC", one.by or "by itself", one.told) for one in record.readings.select_related("by").order_by("at")
        )
        return format_html_join(SafeString("<br>"), "{}, {}: {}", rows) or "Not yet."

    @admin.display(description="Excerpt")
    def excerpt_shown(self, record: QuarantinedRecord) -> Any:
        return format_html('<pre class="raw" tabindex="0">{}</pre>', record.excerpt)
