"""Columns of texts in the admin's lists: their beginning, and the whole of it on demand, so that one long text does not flood a list."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from django.contrib.admin.utils import display_for_field
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.http import HttpRequest
from django.utils.html import format_html

from itsm_backup.common.admin.fields import label_of
from itsm_backup.common.clamping import beginning, clamped

MOST = 120
_TEXTS = (models.CharField, models.TextField, models.JSONField)


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
