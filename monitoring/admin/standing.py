"""Where a service stands as measured, for the panel on its pages."""

from __future__ import annotations

from typing import Any

from django.utils.html import format_html

from catalogue.models import ServiceVersion
from itsm_backup.common.time import duration_words, now
from monitoring.models import ServiceState
from monitoring.serving import SERVES, WORDS, serving


def verdict(service: Any) -> list[tuple[str, Any]]:
    """The live verdict, and the age of the newest restorable copy beside its promise."""
    state = ServiceState.objects.filter(service=service).first()
    if (state is None or state.verdict == "no_data") and _serves(service):
        word = format_html('<b class="verdict verdict--{}">{}</b>', SERVES, WORDS)
        return [("Verdict", format_html("{}: nothing of its own is measured", word))]
    if state is None:
        return [("Verdict", "not judged yet: no job is linked to it")]
    told: list[tuple[str, Any]] = [
        ("Verdict", format_html('<b class="verdict verdict--{}">{}</b>', state.verdict, state.get_verdict_display()))
    ]
    if state.captured_at:
        age = duration_words((now() - state.captured_at).total_seconds())
        told.append(("Newest copy", f"{age} old" + (f", promised: {duration_words(state.rpo_s)}" if state.rpo_s else "")))
    return told


def _serves(service: Any) -> bool:
    at = now()
    return ServiceVersion.objects.in_force(at).filter(serving(at=at, known_then=False), service=service).exists()
