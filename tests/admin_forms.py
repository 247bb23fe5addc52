"""What tests of the admin share: sign in as somebody, read a page's form, send it as a browser would."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from guardian.shortcuts import assign_perm

from tests.factories import make_user


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def make_staff(*permissions: str, name: str = "", on: Any = None, may: tuple[str, ...] = ()) -> Any:
    """A person who may enter the admin, with permissions everywhere ("monitoring.change_tool") and rights on one row."""
    user = make_user(name, is_staff=True)
    for permission in permissions:
        app, codename = permission.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    for action in may:
        assign_perm(f"{action}_{on._meta.model_name}", user, on)
    return type(user).objects.get(pk=user.pk)  # without the cache of permissions


def url(model: Any, page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def change_url(row: Any) -> str:
    return url(type(row), "change", row.pk)


def filled(response: Any, **changes: Any) -> dict[str, Any]:
    """What a browser would send for the form of the page, with these changes."""
    forms = [response.context["adminform"].form]
    for inline in response.context.get("inline_admin_formsets") or []:
        forms += [inline.formset.management_form, *inline.formset.forms]
    return {**_values(forms), **changes}


def filled_list(response: Any, **changes: Any) -> dict[str, Any]:
    """The same for a list whose rows are edited in place."""
    formset = response.context["cl"].formset
    return {**_values([formset.management_form, *formset.forms]), "_save": "Save", **changes}


def _values(forms: list[Any]) -> dict[str, Any]:
    data = {}
    for form in forms:
        for field in form:
            value = field.value()
            if value is not None and value is not False and not field.field.disabled:
                shown = field.field.widget.format_value(value) if hasattr(field.field.widget, "format_value") else value
                data[field.html_name] = shown[0] if isinstance(shown, list) and len(shown) == 1 else shown
    return {name: "" if value is None else value for name, value in data.items()}
