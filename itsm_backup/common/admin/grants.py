"""Rights on one row: who holds them, since when and why; every grant and withdrawal with a reason in the row's history."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from guardian.shortcuts import assign_perm, get_groups_with_perms, get_perms_for_model, get_users_with_perms, remove_perm

from itsm_backup.common.admin.objections import against_rights
from itsm_backup.common.admin.reasons import ReasonForm, given_reason
from itsm_backup.common.admin.rights import LoggedAdmin, PersonField, log_refusal, words_of
from itsm_backup.common.models import because, on_record

MAY_GRANT = "guardian.change_userobjectpermission"


def _name(holder: Any) -> str:
    return str(holder) if isinstance(holder, Group) else holder.get_full_name() or holder.get_username()


class GrantForm(ReasonForm):
    """Exactly the ticked rights, for one person on one row. Roles bring their own rights."""

    holder = PersonField(queryset=None, label="Person", error_messages={"required": "Choose the person."})
    rights = forms.MultipleChoiceField(
        label="Rights on it", required=False, widget=forms.CheckboxSelectMultiple, help_text="Nothing ticked takes every right away."
    )
    field_order = ("holder", "rights", "change_reason")

    def __init__(self, data: Any, *, app: str, rights: list[tuple[str, str]], by: Any, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.by, self.app = by, app
        self.fields["holder"].queryset = get_user_model().objects.filter(is_active=True).order_by("username")  # type: ignore[attr-defined]
        self.fields["rights"].choices = rights  # type: ignore[attr-defined]

    def clean_holder(self) -> Any:
        holder = self.cleaned_data["holder"]
        if holder == self.by:
            raise forms.ValidationError("Nobody gives rights to themselves: ask another administrator.")
        return holder

    def clean(self) -> Any:
        cleaned = super().clean() or {}
        wanted = [f"{self.app}.{codename}" for codename in cleaned.get("rights", ())]
        told = against_rights(cleaned["holder"], wanted) if "holder" in cleaned else ""
        if told:
            raise forms.ValidationError(f"These rights cannot be given. {told}")
        return cleaned


class GrantsAdmin(LoggedAdmin):
    """The page "Rights on this …": only for rows that own others (a tool, a service)."""

    grantable: tuple[str, ...] = ()  # actions that can be granted on one row; view comes with each of them

    def get_urls(self) -> list[Any]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_permissions"
        page = path("<path:object_id>/permissions/", self.admin_site.admin_view(self.grants_view), name=name)
        return [*([page] if self.grantable else []), *super().get_urls()]

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        may_grant = bool(self.grantable) and request.user.has_perm(MAY_GRANT)
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "may_grant": may_grant})

    def grants_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        obj = self.get_object(request, unquote(object_id))
        if obj is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        if not request.user.has_perm(MAY_GRANT):
            raise PermissionDenied("Administrators give and take rights.")
        names = {permission.codename: permission.name for permission in get_perms_for_model(obj)}
        rights = [(codename, names[codename]) for codename in self._codenames()]
        chosen = request.GET.get("who", "")
        held = {str(holder.pk): codenames for holder, codenames in self._held(obj) if not isinstance(holder, Group)}
        initial = {"holder": chosen, "rights": held.get(chosen, [])}
        form = GrantForm(
            request.POST if request.method == "POST" else None, app=self.opts.app_label, rights=rights, by=request.user, initial=initial
        )
        if request.method == "POST":
            if form.is_valid():
                return self._granted(request, obj, form)
            if ({"holder", "__all__"} & form.errors.keys()) and "holder" in form.data:
                log_refusal(request, action="grant", what=words_of(self.model, obj.pk))
        return self._grants_page(request, obj, form, dict(rights))

    def _codenames(self) -> list[str]:
        return [f"{action}_{self.opts.model_name}" for action in ("view", *self.grantable)]

    def _held(self, obj: Any) -> list[tuple[Any, list[str]]]:
        people = get_users_with_perms(obj, attach_perms=True, with_group_users=False)
        roles = get_groups_with_perms(obj, attach_perms=True)
        return sorted([*people.items(), *roles.items()], key=lambda item: _name(item[0]))

    def _granted(self, request: HttpRequest, obj: Any, form: GrantForm) -> HttpResponse:
        holder, wanted = form.cleaned_data["holder"], set(form.cleaned_data["rights"])
        if wanted:
            wanted.add(f"view_{self.opts.model_name}")
        held = next((set(codenames) for each, codenames in self._held(obj) if each == holder), set()) & set(self._codenames())
        names = dict(Permission.objects.filter(content_type__app_label=self.opts.app_label).values_list("codename", "name"))
        told = ", ".join(names[codename].lower() for codename in sorted(wanted)) or "no rights"
        because_of = because(f"{given_reason(request)} (rights of {_name(holder)} on it: {told})", by=request.user)
        with transaction.atomic(), because_of, on_record(by=request.user, reason=given_reason(request)):
            for codename in wanted - held:
                assign_perm(codename, holder, obj)
            for codename in held - wanted:
                remove_perm(codename, holder, obj)
            if wanted != held:
                obj.save()  # an entry in its history: who, when, why
                self.log_change(request, obj, f"Rights of {_name(holder)}: {told}.")
        messages.success(request, f"{_name(holder)} now holds on {obj}: {told}.")
        return HttpResponseRedirect(reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_permissions", args=[obj.pk]))

    def _grants_page(self, request: HttpRequest, obj: Any, form: forms.Form, rights: dict[str, str]) -> HttpResponse:
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        context = {
            **self.admin_site.each_context(request),
            "title": f"Rights on {obj}",
            "opts": self.opts,
            "heading": self.heading,
            "original": obj,
            "form": form,
            "held": [
                {
                    "name": _name(holder),
                    "key": holder.pk,
                    "is_role": isinstance(holder, Group),
                    "rights": [rights[c] for c in rights if c in codenames],
                }
                for holder, codenames in self._held(obj)
            ],
            "media": self.media,
        }
        return TemplateResponse(request, "admin/grants.html", context)
