"""Texts of people on pages and in the admin's lists: their beginning, and the whole of them on demand."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Any

from django.contrib.admin.utils import display_for_field
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.http import HttpRequest
from django.template.defaultfilters import linebreaksbr
from django.utils.html import format_html
from django.utils.safestring import SafeString

from itsm_backup.common.admin.fields import in_words, label_of

MOST, MOST_LINES = 120, 6  # characters in a list; lines anywhere
TURNING = frozenset({"R", "AL", "RLE", "RLO", "RLI", "LRE", "LRO", "LRI", "FSI"})
_TEXTS = (models.CharField, models.TextField, models.JSONField)


def clamped(text: Any, most: int = 240) -> SafeString:
    """What somebody wrote, with its lines. What is longer than `most` characters or six lines shows its beginning and opens on demand,
    so that one long reason does not flood a page.
    """
    if hasattr(text, "__html__"):  # made by the product, not typed
        return SafeString(text)
    said = str(text)
    head = beginning(said, most)
    if len(head) == len(said):
        return _by_itself(said)
    rest = said[len(head) :]
    told = '<details class="clamped"><summary>{}<span class="clamped-more">… <b>Read on</b></span></summary>{}</details>'
    return format_html(told, _by_itself(head), _by_itself(rest.lstrip()))


def _by_itself(said: str) -> SafeString:
    """With its lines. What is written from right to left, or says that it is, turns nothing round that stands beside it."""
    turns = any(unicodedata.bidirectional(one) in TURNING for one in said)
    return format_html("<bdi>{}</bdi>", linebreaksbr(said)) if turns else linebreaksbr(said)


def beginning(said: str, most: int) -> str:
    """As much of it as has at most so many characters and six lines, not cut within a word unless that is a very long one."""
    head = "\n".join(said[:most].split("\n")[:MOST_LINES])
    if len(head) == len(said) or head != said[:most]:
        return head
    cut = max(head.rfind(" "), head.rfind("\n"))
    return head[:cut] if cut > most // 2 else head


class ShortTexts:
    """Every column of a list that holds what people or machines wrote; the one that leads to the row opens no further: the row does."""

    model: Any
    list_display_links: Any

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        names = super().get_list_display(request)  # type: ignore[misc]
        return [self._short(name, leads=not self.list_display_links and not place) for place, name in enumerate(names)]

    def _short(self, name: Any, *, leads: bool) -> Any:
        try:
            field = self.model._meta.get_field(name) if isinstance(name, str) else None
        except FieldDoesNotExist:
            return name
        if isinstance(field, models.BooleanField):
            return in_words(field)  # a word: red and green are for verdicts
        text = isinstance(field, _TEXTS) and not field.choices and name not in (self.list_display_links or ())
        return _column(field, leads) if text else name


@cache
def _column(field: models.Field, leads: bool) -> Callable[[Any], Any]:
    def shown(row: Any) -> Any:
        said = str(display_for_field(getattr(row, field.name), field, "–"))
        if not leads:
            return clamped(said, MOST)
        head = beginning(said, MOST)
        return said if head == said else format_html('<span title="{}">{}…</span>', said, head)

    shown.__name__ = field.name  # the column keeps its class
    shown.short_description = label_of(field)  # type: ignore[attr-defined]
    shown.admin_order_field = field.name  # type: ignore[attr-defined]
    return shown
