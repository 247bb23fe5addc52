"""The two kinds of doors: what people configure (TrackedAdmin) and what the machine recorded (FactAdmin)."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import flatten
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import FieldDoesNotExist
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils.functional import cached_property

from itsm_backup.common.admin.acts import ActingAdmin
from itsm_backup.common.admin.columns import NamedColumns
from itsm_backup.common.admin.fields import in_words
from itsm_backup.common.admin.filters import FilteringAdmin
from itsm_backup.common.admin.grants import GrantsAdmin
from itsm_backup.common.admin.history import HistoryAdmin
from itsm_backup.common.admin.reasons import RowsFormSet
from itsm_backup.common.admin.rights import ByRights, LoggedAdmin
from itsm_backup.common.admin.saved import SavingAdmin
from itsm_backup.common.admin.texts import ShortTexts

COUNTED_UP_TO = 10_000


class CappedPaginator(Paginator):
    """Counts no further than 10,000: the newest are what people look at, and big tables answer at once."""

    @cached_property
    def count(self) -> int:
        return self.object_list[: COUNTED_UP_TO + 1].count()


class InWords:
    """Read-only fields in words: 26 h instead of 93600."""

    model: Any

    def _shown(self, names: Any) -> list[Any]:
        return [self._shown(name) if isinstance(name, (list, tuple)) else self._one(name) for name in names]

    def _one(self, name: Any) -> Any:
        try:
            field = self.model._meta.get_field(name) if isinstance(name, str) else None
        except FieldDoesNotExist:
            return name
        if field is None or not field.concrete or field.choices:
            return name
        person = field.is_relation and issubclass(field.related_model, AbstractBaseUser)
        return in_words(field) if person or not field.is_relation else name


class InPortal:
    """Leads from a row to where the portal shows it: `portal_page` names the page and what of the row its address needs."""

    portal_page: tuple[str, ...] = ()

    def portal_url(self, row: Any) -> str:
        """Where the portal shows the row; empty where it does not."""
        if not self.portal_page:
            return ""
        page, *parts = self.portal_page
        try:
            return reverse(page, args=[attrgetter(part)(row) for part in parts])
        except (AttributeError, NoReverseMatch):  # it belongs to nothing that has a page
            return ""

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any) -> HttpResponse:
        context.setdefault("portal_url", self.portal_url(obj) if obj else "")
        page: HttpResponse = super().render_change_form(request, context, *args, obj=obj, **kwargs)  # type: ignore[misc]
        return page


class TrackedAdmin(InPortal, ShortTexts, NamedColumns, FilteringAdmin, SavingAdmin, GrantsAdmin, ActingAdmin, HistoryAdmin, InWords):
    """A row that people configure: reason on every path, rights on single rows, acts, history with differences."""

    change_form_template = "admin/tracked_change_form.html"
    list_per_page = 50

    def facts_beside(self, request: HttpRequest, row: Any) -> list[tuple[str, Any]]:
        """(label, words) of what stands above the form; `row` is None while a new one is written."""
        return []

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any) -> HttpResponse:
        context.setdefault("facts", self.facts_beside(request, obj))
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return fieldsets
        locked = [(title, {**options, "fields": self._shown(options["fields"])}) for title, options in fieldsets]
        return [
            (title, {name: each for name, each in options.items() if name != "description"}) for title, options in locked
        ]  # how to fill in


class TrackedInline(ByRights, InWords):
    """Rows edited with the one above them, under the same reason."""

    formset = RowsFormSet
    extra = 0

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        names = super().get_fields(request, obj)
        return names if self._editable(request, obj) else self._shown(names)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return super().get_readonly_fields(request, obj) if self._editable(request, obj) else self.get_fields(request, obj)

    def _editable(self, request: HttpRequest, obj: Any) -> bool:
        return self.has_change_permission(request, obj) or self.has_add_permission(request, obj)

    def _through(self, request: HttpRequest, obj: Any, action: str) -> bool:
        """A part follows the row above it: who may change that one may add, change and take away its parts."""
        door = admin.site._registry.get(self.parent_model)  # type: ignore[attr-defined]
        if door is None:
            return False
        if action == "view":
            return door.has_view_permission(request, obj)
        return door.has_change_permission(request, obj) if obj is not None else door.has_add_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._through(request, obj, "view")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._through(request, obj, "change")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._through(request, obj, "change")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._through(request, obj, "change")


class PlainForm(forms.ModelForm):
    """Labels without a colon, as on every other page."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})


class FactAdmin(InPortal, ShortTexts, NamedColumns, FilteringAdmin, InWords, SavingAdmin, LoggedAdmin):
    """What the machine recorded: to read, never to write."""

    form = PlainForm

    change_form_template = "admin/fact_change_form.html"
    paginator = CappedPaginator
    show_full_result_count = False
    list_per_page = 50
    actions = None

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self._shown(super().get_fields(request, obj))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return flatten(self.get_fields(request, obj))  # fields of one line stand together in a tuple

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class FactInline(InWords, ByRights):
    """Recorded parts of a row, to read."""

    extra = 0
    can_delete = False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self._shown(super().get_fields(request, obj))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.get_fields(request, obj)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True  # whoever sees the row above sees its parts

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
