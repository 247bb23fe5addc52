"""Texts of people on a page: their beginning, and the whole of them on demand."""

from __future__ import annotations

from typing import Any

from django.template.defaultfilters import linebreaksbr
from django.utils.html import format_html
from django.utils.safestring import SafeString

MOST_LINES = 6


def clamped(text: Any, most: int = 240) -> SafeString:
    """What somebody wrote, with its lines. What is longer than `most` characters or six lines shows its beginning and opens on demand,
    so that one long reason does not flood a page.
    """
    if hasattr(text, "__html__"):  # made by the product, not typed
        return SafeString(text)
    said = str(text)
    head = beginning(said, most)
    if len(head) == len(said):
        return linebreaksbr(said)
    rest = said[len(head) :]
    told = '<details class="clamped"><summary>{}<span class="clamped-more">… <b>Read on</b></span></summary>{}</details>'
    return format_html(told, linebreaksbr(head), linebreaksbr(rest.lstrip()))


def beginning(said: str, most: int) -> str:
    """As much of it as has at most so many characters and six lines, not cut within a word unless that is a very long one."""
    head = "\n".join(said[:most].split("\n")[:MOST_LINES])
    if len(head) == len(said) or head != said[:most]:
        return head
    cut = max(head.rfind(" "), head.rfind("\n"))
    return head[:cut] if cut > most // 2 else head
