"""Marks, verdicts and charts in templates."""

from __future__ import annotations

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from itsm_backup.common.admin.texts import clamped
from itsm_backup.common.charts.strip import LETTERS
from itsm_backup.portal.words import STATUSES, VERDICTS

register = template.Library()
register.filter("clamped", clamped)


@register.filter
def mark(verdict: str) -> SafeString:
    """The mark alone, for places where the word stands beside it."""
    return format_html('<svg class="mark" aria-hidden="true"><use href="#mark-{}"/></svg>', verdict)


@register.filter
def letter(kind: str) -> str:
    """The letter of a day cell."""
    return LETTERS.get(kind, "")


@register.simple_tag
def verdict(name: str, words: str = "") -> SafeString:
    """Mark and word of a verdict; other words may take the place of its own."""
    return format_html('<span class="verdict verdict--{}">{}{}</span>', name, mark(name), words or VERDICTS[name])


@register.simple_tag
def pill(status: str) -> SafeString:
    """A service's operational status."""
    words, name = STATUSES[status]
    return format_html('<span class="pill pill--{}">{}{}</span>', name, mark("broken" if name == "outage" else name), words)
