"""Columns that lead to other rows, as people know them: people by their names, entries by code and name; one question a kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.http import HttpRequest
from django.utils.html import format_html

from itsm_backup.common.admin.fields import label_of
from itsm_backup.common.admin.rights import told


class NamingList(ChangeList):
    """A list whose rows know the words for the rows that they lead to."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        name_related(self.result_list, [column.named for column in self.list_display if hasattr(column, "named")])


class NamedColumns:
    """`plain_columns` keep the short form: where the name stands in a column of its own."""

    model: Any
    plain_columns: tuple[str, ...] = ()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return NamingList

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [self._named(name) for name in super().get_list_display(request)]  # type: ignore[misc]

    def _named(self, name: Any) -> Any:
        try:
            field = self.model._meta.get_field(name) if isinstance(name, str) and name not in self.plain_columns else None
        except FieldDoesNotExist:
            return name
        return _column(field) if isinstance(field, models.ForeignKey) and _has_words(field) else name


def _is_person(field: Any) -> bool:
    return issubclass(field.related_model, AbstractBaseUser)


def _has_words(field: Any) -> bool:
    return _is_person(field) or hasattr(field.related_model._default_manager.all(), "with_words")


@cache
def _column(field: Any) -> Callable[[Any], Any]:
    def shown(row: Any) -> Any:
        words = row.__dict__.get("_named", {}).get(field.name)
        if words is None and getattr(row, field.attname) is not None:
            words = _words_of(getattr(row, field.name))
        return words or "–"

    shown.__name__ = field.name  # the column keeps its class
    shown.named = field  # type: ignore[attr-defined]
    shown.short_description = label_of(field)  # type: ignore[attr-defined]
    shown.admin_order_field = field.name  # type: ignore[attr-defined]
    return shown


def name_related(rows: Iterable[Any], fields: list[Any]) -> None:
    """Keep beside each row the words for what these of its fields lead to."""
    found = list(rows) if fields else []
    for model in {field.related_model for field in fields}:
        mine = [field for field in fields if field.related_model is model]
        wanted = {getattr(row, field.attname) for row in found for field in mine} - {None}
        words = {each.pk: _words_of(each) for each in _all(model).filter(pk__in=wanted)}
        for row in found:
            named = row.__dict__.setdefault("_named", {})
            named.update({field.name: words.get(getattr(row, field.attname)) for field in mine})


def _all(model: Any) -> Any:
    rows = model._default_manager.all()
    if hasattr(rows, "with_words"):
        return rows.with_words()
    return rows.only("username", "first_name", "last_name") if model is get_user_model() else rows


def _words_of(row: Any) -> Any:
    if isinstance(row, AbstractBaseUser):
        return row.get_full_name() or row.get_username()  # type: ignore[attr-defined]
    code, _, words = told(row).partition(" · ")
    return format_html('<span class="code">{}</span> {}', code, words) if words else code
