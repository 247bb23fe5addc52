"""A reason with every change: on forms, inlines, list edits, bulk actions and deletions alike."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin import actions
from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, QueryDict

from itsm_backup.common.admin.fields import WholeField
from itsm_backup.common.admin.objections import against_change
from itsm_backup.common.admin.rights import log_refusal, words_of
from itsm_backup.common.models import because

REASON = "change_reason"


def reason_field() -> forms.CharField:
    return WholeField(
        label="Reason for this change",
        max_length=1_000,
        strip=True,
        widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"}),
        help_text="Kept in the history with your name and the time.",
        error_messages={"required": "Say why you change this. Nothing was saved yet; what you entered is still here."},
    )


class ReasonForm(forms.Form):
    """The reason alone, for pages that confirm an act."""

    change_reason = reason_field()


class ReasonedForm(forms.ModelForm):
    """A form of a row, with the reason of the change beside it."""

    change_reason = reason_field()
    impossible = ""  # why an act refused what this form asks for

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})

    def clean(self) -> Any:
        cleaned = super().clean()
        if self.impossible:
            raise forms.ValidationError(self.impossible)
        return cleaned

    def has_changed(self) -> bool:
        return bool(set(self.changed_data) - {REASON})


def given_reason(request: HttpRequest) -> str:
    return request.POST.get(REASON, "").strip()


def saying(request: HttpRequest) -> AbstractContextManager[None]:
    """Everything inside happens because of what the person wrote; without a reason nothing tracked can be saved inside."""
    reason = given_reason(request)
    return because(reason, by=request.user) if reason else nullcontext()


def as_shown_again(request: HttpRequest) -> HttpRequest:
    """The same request as if the page had only been opened: Django's confirmation pages then ask again instead of acting."""
    shown = copy.copy(request)
    shown.method = "GET"
    shown.POST = QueryDict()
    return shown


def name_fields(form: forms.BaseForm, of: str) -> None:
    """In a table the column's head is the label; each field also says itself what it is, for screen readers."""
    for field in form.fields.values():
        field.widget.attrs.setdefault("aria-label", f"{field.label or 'Delete'} of {of}")


class RowsFormSet(forms.BaseInlineFormSet):
    """Parts of a row, edited in a table below it. A row that somebody added is meant, though it says only what it was offered with."""

    def _construct_form(self, i: int, **kwargs: Any) -> Any:
        form = super()._construct_form(i, **kwargs)
        if self.is_bound and i >= self.initial_form_count() + self.extra and form.add_prefix("DELETE") not in form.data:
            form.empty_permitted = False
            form.has_changed = lambda: True
        return form

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        name_fields(form, f"row {index + 1}" if index is not None else "the new row")


class ListEditFormSet(forms.BaseModelFormSet):
    """Rows edited in a list: one reason for all that change; rows that the person may not change are locked."""

    changeable: set[Any] = set()
    request: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.reason_form = ReasonForm(self.data if self.is_bound else None)

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        name_fields(form, str(form.instance))
        if not self._is_locked(form):
            return
        for name, field in form.fields.items():
            field.disabled = name != self.model._meta.pk.name  # what is sent for it is ignored

    def _is_locked(self, form: Any) -> bool:
        return form.instance.pk is not None and form.instance.pk not in self.changeable

    def clean(self) -> None:
        super().clean()
        for form in filter(self._is_locked, self.forms):
            if any(field.disabled and form.add_prefix(name) in form.data for name, field in form.fields.items()):
                log_refusal(self.request, action="change", what=words_of(self.model, form.instance.pk))
        if any(form.has_changed() for form in self.forms) and not self.reason_form.is_valid():
            raise forms.ValidationError(self.reason_form.errors[REASON][0])


class Impossible(Exception):
    """What was asked cannot be done; the message tells why, what still holds and who can."""


class ReasonedAdmin(admin.ModelAdmin):
    """No door of this admin changes a row without a reason."""

    form = ReasonedForm
    change_list_template = "admin/reasoned_change_list.html"
    save_on_top = False

    def own_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """The fieldsets without the reason; by default what Django would show."""
        return super().get_fieldsets(request, obj)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = [
            (title, {**options, "fields": [name for name in options["fields"] if name != REASON]})
            for title, options in self.own_fieldsets(request, obj)
        ]
        if self.has_change_permission(request, obj) if obj else self.has_add_permission(request):
            fieldsets.append((None, {"fields": [REASON], "classes": ["reason"]}))
        return fieldsets

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """An act that refuses while saving comes back as an error of the form, with everything that was entered."""
        self._no_objection(request)
        with saying(request):
            try:
                return super().changeform_view(request, *args, **kwargs)
            except Impossible as error:
                request.impossible = str(error)  # type: ignore[attr-defined]
                return super().changeform_view(request, *args, **kwargs)

    def _no_objection(self, request: HttpRequest) -> None:
        """Raises PermissionDenied, with the rule, when a duty of the person excludes the one that changes such rows."""
        told = against_change(request.user, self.model) if request.method == "POST" else ""
        if told:
            raise PermissionDenied(told)

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self._no_objection(request)
        with saying(request):
            return super().changelist_view(request, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change or form.has_changed() or getattr(request, "reverting", False):
            super().save_model(request, obj, form, change)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        made = super().get_form(request, obj, change, **kwargs)
        return type(made.__name__, (made,), {"impossible": getattr(request, "impossible", "")})

    def get_changelist_form(self, request: HttpRequest, **kwargs: Any) -> Any:
        return super().get_changelist_form(request, **{"form": forms.ModelForm, **kwargs})

    def get_changelist_formset(self, request: HttpRequest, **kwargs: Any) -> Any:
        made = super().get_changelist_formset(request, **{"formset": ListEditFormSet, **kwargs})
        made.request = request
        made.changeable = set(self.rows_for(request, "change").values_list("pk", flat=True)) if self.list_editable else set()
        return made

    def rows_for(self, request: HttpRequest, action: str) -> Any:
        """Rows on which the person may do `action`."""
        return self.model._default_manager.visible_to(request.user, action)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if self.get_object(request, unquote(object_id)) is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined, no-any-return]
        self._no_objection(request)
        form = ReasonForm(request.POST if request.method == "POST" else None)
        context = {**(extra_context or {}), "reason_form": form}
        if request.method == "POST" and not form.is_valid():
            return super().delete_view(as_shown_again(request), object_id, context)
        with saying(request):
            return super().delete_view(request, object_id, context)

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        form.changed_data = [name for name in form.changed_data if name != REASON]
        return super().construct_change_message(request, form, formsets, add)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return super().log_addition(request, obj, with_reason(request, message))

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return super().log_change(request, obj, with_reason(request, message))

    def log_deletions(self, request: HttpRequest, queryset: Iterable[Any]) -> Any:
        return LogEntry.objects.log_actions(request.user.pk, queryset, DELETION, change_message=with_reason(request, "Deleted."))


def with_reason(request: HttpRequest, message: Any) -> str:
    """What Django's own log keeps: what changed, in words, and why."""
    words = LogEntry(change_message=json.dumps(message)).get_change_message() if isinstance(message, list) else str(message)
    reason = given_reason(request)
    return f"{words} Reason: {reason}" if reason else words


@admin.action(permissions=["delete"], description="Delete selected %(verbose_name_plural)s")
def delete_selected(modeladmin: Any, request: HttpRequest, queryset: Any) -> HttpResponse | None:
    """Django's own bulk deletion, which also asks for the reason."""
    confirmed = bool(request.POST.get("post"))
    form = ReasonForm(request.POST if confirmed else None)
    if confirmed and form.is_valid():
        return actions.delete_selected(modeladmin, request, queryset)
    answer = actions.delete_selected(modeladmin, as_shown_again(request), queryset)
    answer.context_data["reason_form"] = form
    return answer
