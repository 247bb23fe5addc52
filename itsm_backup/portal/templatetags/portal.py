"""Marks, verdicts and charts in templates."""

from __future__ import annotations

from typing import Any

from django import template
from django.template.defaultfilters import linebreaksbr
from django.utils.html import format_html
from django.utils.safestring import SafeString

from itsm_backup.common.charts.strip import LETTERS
from itsm_backup.portal.words import STATUSES, VERDICTS

register = template.Library()
MOST_LINES = 6


@register.filter
def mark(verdict: str) -> SafeString:
    """The mark alone, for places where the word stands beside it."""
    return format_html('<svg class="mark" aria-hidden="true"><use href="#mark-{}"/></svg>', verdict)


@register.filter
def letter(kind: str) -> str:
    """The letter of a day cell."""
    return LETTERS.get(kind, "")


@register.filter
def clamped(text: Any, most: int = 240) -> SafeString:
    """What somebody wrote, with its lines. What is longer than `most` characters or six lines shows its beginning and opens on demand,
    so that one long reason does not flood a page.
    """
    if hasattr(text, "__html__"):  # made by the product, not typed
        return SafeString(text)
    said = str(text)
    head = "\n".join(said[:most].split("\n")[:MOST_LINES])
    if len(head) == len(said):
        return linebreaksbr(said)
    if head == said[:most]:  # not in the middle of a word, unless it is a very long one
        cut = max(head.rfind(" "), head.rfind("\n"))
        head = head[:cut] if cut > most // 2 else head
    rest = said[len(head) :]
    told = '<details class="clamped"><summary>{}<span class="clamped-more">… <b>Read on</b></span></summary>{}</details>'
    return format_html(told, linebreaksbr(head), linebreaksbr(rest.lstrip()))


@register.simple_tag
def verdict(name: str, words: str = "") -> SafeString:
    """Mark and word of a verdict; other words may take the place of its own."""
    return format_html('<span class="verdict verdict--{}">{}{}</span>', name, mark(name), words or VERDICTS[name])


@register.simple_tag
def pill(status: str) -> SafeString:
    """A service's operational status."""
    words, name = STATUSES[status]
    return format_html('<span class="pill pill--{}">{}{}</span>', name, mark("broken" if name == "outage" else name), words)
