"""Who sees and does what in the admin: roles and grants on single rows, asked through `visible_to` only; refusals are logged."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.options import BaseModelAdmin
from django.contrib.admin.utils import unquote
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import Permission
from django.core.exceptions import ValidationError
from django.db import models
from django.forms.models import ModelChoiceIterator
from django.http import HttpRequest, HttpResponse
from guardian.models import GroupObjectPermission, UserObjectPermission

from itsm_backup.common.admin.fields import form_field_of

log = logging.getLogger("itsm_backup.refused")


def log_refusal(request: HttpRequest, *, action: str, what: str) -> None:
    """Note a forbidden attempt: a line in the log now, and a row on record with the answer."""
    user = request.user.get_username() or "anonymous"
    told = {"user": user, "action": action, "object": what, "path": request.path, "address": request.META.get("REMOTE_ADDR", "")}
    request.__dict__.setdefault("refused", []).append(told)  # kept once the answer is made
    log.warning(
        "refused %s",
        " ".join(f"{name}={json.dumps(str(value), ensure_ascii=False)}" for name, value in told.items()),
        extra={"refused": told},
    )


def words_of(model: Any, pk: Any) -> str:
    return f"{model._meta.label_lower}:{pk}"


def may(request: HttpRequest, model: Any, action: str, pk: Any = None) -> bool:
    """Whether the person may do `action` to the row `pk`, or to any row at all. Asked once per request."""
    asked = request.__dict__.setdefault("_may", {})
    key = (model, action, pk)
    if key not in asked and pk is None:  # the side menu asks the same of every model: one question for all of them
        asked |= {(one, action, None): answer for one, answer in _any_row({model, *admin.site._registry}, request.user, action).items()}
    elif key not in asked:
        asked[key] = _this_row(request.user, model, action, pk)
    return asked[key]


def _any_row(kinds: set[Any], user: Any, action: str) -> dict[Any, bool]:
    """For each model, whether the person may do `action` to any row of it."""
    found = {model: _by_role(user, model, action) for model in kinds}
    held = _held_on_rows(user) if user.pk else set()
    rows = [
        (model, model._default_manager.all()) for model, by_role in found.items() if not by_role and _perhaps(user, model, action, held)
    ]
    asked = {f"n{n}": model for n, (model, each) in enumerate(rows) if hasattr(each, "visible_to")}
    if asked:
        questions = {name: models.Exists(model._default_manager.visible_to(user, action)) for name, model in asked.items()}
        answers = get_user_model()._default_manager.filter(pk=user.pk).values(**questions).get()
        found |= {model: answers[name] for name, model in asked.items()}
    return found


def _held_on_rows(user: Any) -> set[str]:
    """Every right that the person or one of their roles holds on some single row, as `catalogue.change_service`."""
    if not hasattr(user, "_held_on_rows"):  # asked of the person, not of the wrapper that a request puts around them
        on_rows = models.Q(pk__in=UserObjectPermission.objects.filter(user=user).values("permission"))
        on_rows |= models.Q(pk__in=GroupObjectPermission.objects.filter(group__in=user.groups.all()).values("permission"))
        found = Permission.objects.filter(on_rows).values_list("content_type__app_label", "codename")
        user._held_on_rows = {f"{app}.{codename}" for app, codename in found}
    return user._held_on_rows


def _perhaps(user: Any, model: Any, action: str, held: set[str]) -> bool:
    """Whether there can be such a row at all: a right on single rows is held from which the model's rows hang."""
    by_role = _by_role(user, model, action)
    owners = getattr(model, "permission_from", ()) if by_role or action == "view" else deciding_owners(model)
    if f"{model._meta.app_label}.{action}_{model._meta.model_name}" in held or (by_role and not owners):
        return True
    return any(_perhaps(user, related(model, path), "view" if by_role else action, held) for path in owners)


def _this_row(user: Any, model: Any, action: str, pk: Any) -> bool:
    rows = model._default_manager.all()
    if not hasattr(rows, "visible_to"):
        return _by_role(user, model, action)
    return rows.visible_to(user, action).filter(pk=pk).exists()


def _by_role(user: Any, model: Any, action: str) -> bool:
    return user.is_active and user.has_perm(f"{model._meta.app_label}.{action}_{model._meta.model_name}")


def sight(user: Any, model: Any) -> Any:
    """Rows the person may look at: what they may view, and what they may change."""
    rows = model._default_manager.all()
    if not hasattr(rows, "visible_to"):
        return rows
    seen = rows.visible_to(user, "view")
    if not hasattr(model, "changed_from"):
        return seen
    return rows.filter(models.Q(pk__in=seen.values("pk")) | models.Q(pk__in=rows.visible_to(user, "change").values("pk")))


def deciding_owners(model: Any) -> tuple[str, ...]:
    """Paths to the rows on which one needs a right to change rows of this kind."""
    return tuple(getattr(model, "changed_from", getattr(model, "permission_from", ())))


def related(model: Any, path: str) -> Any:
    """The model at the end of a path of foreign keys."""
    for name in path.split("__"):
        model = model._meta.get_field(name).related_model
    return model


MOST_OFFERED = 200  # rows in a list to choose from; of more, one is named by its code


class CodeField(forms.ModelChoiceField):
    """One row of very many, named by its code."""

    widget = forms.TextInput
    default_error_messages = {"invalid_choice": "There is no “%(value)s” that you may choose here. Write a code as the lists show it."}

    def __init__(self, queryset: Any, **options: Any) -> None:
        super().__init__(queryset, **{**options, "to_field_name": "code", "empty_label": None})
        self.widget.attrs |= {"autocomplete": "off", "class": "vTextField"}
        self.help_text = f"{self.help_text} Write its code.".strip()

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, int):  # the id of a row that is stored, or named in the address
            return self.queryset.filter(pk=value).values_list("code", flat=True).first()
        return super().prepare_value(value)


def told(row: Any) -> str:
    """A row as people choose it: `SVC-001 · Patient record` where it has a code and a name."""
    words = getattr(row, "words", "")
    return f"{row} · {words}" if words else str(row)


class NamedField(forms.ModelChoiceField):
    """Rows by their code and name (a queryset with `with_words`)."""

    def label_from_instance(self, obj: Any) -> str:
        return told(obj)


class NamedMultipleField(forms.ModelMultipleChoiceField):
    """The same for several rows."""

    def label_from_instance(self, obj: Any) -> str:
        return told(obj)


class _Apart(ModelChoiceIterator):
    """People of one name have their user names beside."""

    def __iter__(self) -> Iterator[Any]:
        offered = list(super().__iter__())
        often = Counter(label for _, label in offered)
        for value, label in offered:
            yield value, f"{label} ({value.instance.get_username()})" if value and often[label] > 1 else label


class PersonField(forms.ModelChoiceField):
    """People by their names. `why_not` says of a person who is not offered what stands against them."""

    iterator = _Apart

    def __init__(self, queryset: Any, *, why_not: Callable[[Any], str] | None = None, **options: Any) -> None:
        super().__init__(queryset, **options)
        self.why_not = why_not

    def label_from_instance(self, obj: Any) -> str:
        return obj.get_full_name() or obj.get_username()

    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(value)
        except ValidationError as error:
            person = get_user_model()._default_manager.filter(pk=value).first() if self.why_not and str(value).isdecimal() else None
            if person is not None and self.why_not and (why := self.why_not(person)):
                raise ValidationError(why, code=error.code) from None
            raise


def _too_many(offered: Any) -> bool:
    """More rows than anybody wants to read in a list, where they have codes to name them by."""
    coded = any(field.name == "code" for field in offered.model._meta.concrete_fields)
    return coded and offered[: MOST_OFFERED + 1].count() > MOST_OFFERED


class ByRights(BaseModelAdmin):
    """Rows, choices and buttons by what the person may do to each row. A list is never refused to who may see one of its rows."""

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request)
        return rows.filter(pk__in=sight(request.user, self.model).values("pk")) if self._limited(request) else rows

    def _limited(self, request: HttpRequest) -> bool:
        return hasattr(self.model._default_manager.all(), "visible_to") and not request.user.is_superuser

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return any(may(request, self.model, action, obj and obj.pk) for action in ("view", "change"))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request, self.model, "change", obj and obj.pk)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request, self.model, "delete", obj and obj.pk)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """By role; or because the person may change a row that owns such rows."""
        owners = [related(self.model, path) for path in deciding_owners(self.model)]
        meta = self.model._meta
        by_role = request.user.is_active and request.user.has_perm(f"{meta.app_label}.add_{meta.model_name}")
        return by_role or any(may(request, owner, "change") for owner in owners)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        friendly = None if db_field.choices else form_field_of(db_field)
        field = friendly or super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None:
            field.widget.attrs.pop("maxlength", None)  # browsers cut what is pasted silently; the form says that it is too long
        return field

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        offered = kwargs.get("queryset")
        if offered is None:
            offered = self.get_field_queryset(kwargs.get("using"), db_field, request)
        if offered is None:
            offered = db_field.related_model._default_manager.all()
        narrowed = self._choices(db_field, request, offered)
        kept = getattr(request, "kept_choices", {}).get(db_field)  # what the row holds already stays, even out of sight
        if kept is not None:
            narrowed = offered.filter(pk__in=narrowed.values("pk")) | offered.filter(pk=kept)
        if issubclass(db_field.related_model, AbstractBaseUser):
            kwargs["form_class"] = PersonField
        elif _too_many(narrowed):
            kwargs["form_class"] = CodeField
        elif hasattr(narrowed, "with_words"):
            kwargs["form_class"], narrowed = NamedField, narrowed.with_words()
        if self._needed(db_field, request) == "change":
            kwargs["required"] = True  # without it the row would belong to nobody's right
        return super().formfield_for_foreignkey(db_field, request, **{**kwargs, "queryset": narrowed})

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """What the address names: rows by their ids."""
        told = super().get_changeform_initial_data(request)  # type: ignore[misc]
        keys = {field.name for field in self.model._meta.concrete_fields if isinstance(field, models.ForeignKey)}
        return {name: int(value) if name in keys and str(value).isdecimal() else value for name, value in told.items()}

    def _choices(self, db_field: Any, request: HttpRequest, offered: Any) -> Any:
        if hasattr(offered, "visible_to"):
            if self._needed(db_field, request) == "view":
                return offered.filter(pk__in=sight(request.user, db_field.related_model).values("pk"))
            return offered.visible_to(request.user, "change")
        if issubclass(db_field.related_model, AbstractBaseUser):
            return offered.filter(is_active=True).order_by("first_name", "last_name", "username")  # as they are shown
        return offered

    def _needed(self, db_field: Any, request: HttpRequest) -> str:
        """To put a row below an owner one must be allowed to change the owner, unless a role lets one add such rows everywhere."""
        meta = self.model._meta
        owns = any(path.split("__")[0] == db_field.name for path in deciding_owners(self.model))
        by_role = all(request.user.has_perm(f"{meta.app_label}.{action}_{meta.model_name}") for action in ("add", "change"))
        return "change" if owns and not by_role else "view"


class LoggedAdmin(ByRights, admin.ModelAdmin):
    """ByRights for whole pages: guessed addresses look like rows that do not exist, and are logged."""

    about = ""  # one sentence for the index page
    heading = ""  # the name of its list, where the model's own is no word that people use
    singular = ""  # one row of it, in the words of that heading
    place = 50  # among the doors of its group: lower stands first

    @property
    def one(self) -> str:
        """What its form adds."""
        return self.singular or str(self.opts.verbose_name)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        titled = {"title": f"Add {self.one}"} if object_id is None else {}
        return super().changeform_view(request, object_id, form_url, {**titled, **(extra_context or {})})

    def note(self, request: HttpRequest) -> str:
        """A few words beside the name on the index page, such as what waits."""
        return ""

    def waiting_for(self, request: HttpRequest) -> list[tuple[str, str]]:
        """(address, words) of what waits for this person."""
        return []

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        keys = [field for field in self.model._meta.concrete_fields if isinstance(field, models.ForeignKey)]
        request.kept_choices = {field: getattr(obj, field.attname) for field in keys if obj}  # type: ignore[attr-defined]
        return _logging_form(super().get_form(request, obj, change, **kwargs), request)

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> HttpResponse:
        if exists(self.model, unquote(object_id)):
            log_refusal(request, action="view", what=words_of(self.model, unquote(object_id)))
        return super()._get_obj_does_not_exist_redirect(request, opts, object_id)


def exists(model: Any, pk: Any, *, by: str = "pk") -> bool:
    try:
        return model._base_manager.filter(**{by: pk}).exists()
    except (ValueError, ValidationError):
        return False


def _logging_form(form_class: type[forms.ModelForm], request: HttpRequest) -> type[forms.ModelForm]:
    """The form, which also logs when a row out of sight was smuggled into a choice (the form itself refuses it)."""

    class LoggingForm(form_class):  # type: ignore[misc, valid-type]
        def add_error(self, field: str | None, error: Any) -> None:
            chosen = self.fields.get(field) if field else None
            if isinstance(chosen, forms.ModelChoiceField) and getattr(error, "code", "") == "invalid_choice":
                named = self.data.get(self.add_prefix(field))
                if exists(chosen.queryset.model, named, by=chosen.to_field_name or "pk"):
                    log_refusal(request, action="choose", what=words_of(chosen.queryset.model, named))
            super().add_error(field, error)

    return LoggingForm
