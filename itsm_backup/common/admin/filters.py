"""Filters of lists by related rows: a short list to choose from, or one row of very many by its code or a part of its name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.core.exceptions import FieldDoesNotExist
from django.http import HttpRequest

from itsm_backup.common.admin import rights
from itsm_backup.common.admin.rights import sight, told


class VisibleRelatedFilter(admin.RelatedFieldListFilter):
    """A filter by a related row offers only what the person may see, and nothing where that is too much to choose from."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        ordering = self.field_admin_ordering(field, request, model_admin)
        seen = sight(request.user, field.related_model)
        if seen[: rights.MOST_OFFERED + 1].count() > rights.MOST_OFFERED:
            return []  # nobody reads so long a list: the search finds them
        if hasattr(seen, "with_words"):
            return [(row.pk, told(row)) for row in seen.with_words().order_by(*ordering)]
        return field.get_choices(include_blank=False, ordering=ordering, limit_choices_to={"pk__in": seen.values("pk")})


class CodeFilter(admin.FieldListFilter):
    """By a related row that has a code: only those that the person may see, in a form of its own."""

    template = "admin/code_filter.html"

    def __init__(self, field: Any, request: HttpRequest, params: Any, model: Any, model_admin: Any, field_path: str) -> None:
        self.own = f"of_{field_path.replace('__', '_')}"
        self.by_id = f"{field_path}__{field.target_field.name}__exact"  # how other pages lead here
        super().__init__(field, request, params, model, model_admin, field_path)
        self.rows = sight(request.user, field.related_model)
        self.offers: dict[Any, list[Any]] = request.__dict__.setdefault("_offers_by_code", {})  # two filters may offer the same

    def expected_parameters(self) -> list[str]:
        return [self.own, self.by_id]

    def _said(self, name: str) -> str:
        return str((self.used_parameters.get(name) or [""])[-1]).replace("\x00", "").strip()

    def _found(self) -> Any:
        """Rows of this id; else of this code, else those in whose name the words stand; None when nothing is asked."""
        if pk := self._said(self.by_id):
            return self.rows.filter(pk=pk) if pk.isdecimal() else self.rows.none()
        if not (words := self._said(self.own)):
            return None
        coded = self.rows.filter(code__iexact=words)
        if coded.exists() or not hasattr(self.rows, "with_words"):
            return coded
        return self.rows.with_words().filter(words__icontains=words)

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        found = self._found()
        return queryset if found is None else queryset.filter(**{f"{self.field_path}__in": found.values("pk")})

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        first = self._first()
        value = self._said(self.own)
        if pk := self._said(self.by_id):
            value = str(self.rows.filter(pk=pk).first() or pk) if pk.isdecimal() else pk
        kept = [(name, one) for name, each in changelist.params.items() for one in (each if isinstance(each, list) else [each])]
        yield {
            "name": self.own,
            "value": value,
            "offered": [(row.code, getattr(row, "words", "") or "") for row in first] if len(first) <= rights.MOST_OFFERED else (),
            "kept": [(name, one) for name, one in kept if name not in self.expected_parameters() and name not in ("p", "e")],
            "all": changelist.get_query_string(remove=self.expected_parameters()),
        }

    def _first(self) -> list[Any]:
        if self.rows.model not in self.offers:
            shown = self.rows.with_words() if hasattr(self.rows, "with_words") else self.rows
            self.offers[self.rows.model] = list(shown.order_by("code")[: rights.MOST_OFFERED + 1])
        return self.offers[self.rows.model]


class FilteringAdmin(admin.ModelAdmin):
    """Every filter by a related row offers only what the person may see."""

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        return [self._narrow(item) for item in super().get_list_filter(request)]

    def _narrow(self, item: Any) -> Any:
        try:
            field = self.model._meta.get_field(item) if isinstance(item, str) else None
        except FieldDoesNotExist:
            return item
        if field is None or not field.is_relation:
            return item
        coded = any(each.name == "code" for each in field.related_model._meta.concrete_fields)
        return (item, CodeFilter if coded else VisibleRelatedFilter)
