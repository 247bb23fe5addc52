"""People and roles in the admin: accounts are deactivated, never deleted; roles are given and taken with a reason."""

from __future__ import annotations

from typing import Any

from allauth.mfa.models import Authenticator
from django import forms
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model, password_validation
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.utils.html import format_html_join

from catalogue import duties
from catalogue.models import Service, ServiceVersion
from itsm_backup import granting
from itsm_backup.common.admin import Act, FactAdmin, Impossible, ReasonedForm, ReasonForm, given_reason, may
from itsm_backup.common.admin.acts import ActingAdmin
from itsm_backup.common.admin.right_words import rights_words
from itsm_backup.common.admin.rights import NamedMultipleField
from itsm_backup.common.admin.texts import clamped
from itsm_backup.common.time import now
from itsm_backup.roles import ROLES, scope_of
from monitoring.models import Tool

User = get_user_model()


def _departments() -> list[tuple[str, str]]:
    names = ServiceVersion.objects.in_force(now()).exclude(department="").values_list("department", flat=True)
    return [(name, name) for name in sorted(set(names))]


class RoleForm(ReasonForm):
    """Which role, and on what: everywhere when nothing is named."""

    role = forms.ChoiceField(choices=[(name, f"{name}: {role.duty}") for name, role in ROLES.items()])
    services = NamedMultipleField(Service.objects.with_words(), required=False, label="Only on these services")
    tools = forms.ModelMultipleChoiceField(Tool.objects.all(), required=False, label="Only on these tools")
    departments = forms.MultipleChoiceField(choices=_departments, required=False, label="Only on services of these departments")
    field_order = ("role", "services", "tools", "departments", "change_reason")


class TakeRoleForm(ReasonForm):
    """Which of the roles held is taken away."""

    role = forms.ChoiceField(choices=())
    field_order = ("role", "change_reason")


class PasswordForm(ReasonForm):
    """A first password, told to the person, who changes it."""

    password = forms.CharField(label="New password", strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}))
    again = forms.CharField(label="The same again", strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}))
    field_order = ("password", "again", "change_reason")

    def clean_again(self) -> str:
        again = self.cleaned_data["again"]
        if again != self.cleaned_data.get("password"):
            raise forms.ValidationError("The two passwords differ.")
        password_validation.validate_password(again)
        return again


def _give(request: HttpRequest, person: Any, form: forms.Form) -> str:
    limits = {name: form.cleaned_data[name] for name in ("services", "tools", "departments")}
    role = form.cleaned_data["role"]
    try:
        new = granting.grant(user=person, role=role, by=request.user, at=now(), reason=given_reason(request), **limits)
    except granting.NotGranted as error:
        raise Impossible(str(error)) from None
    if not new:
        return f"{person} held that already; nothing was changed."
    return " ".join([f"{person} now holds: {', '.join(scope.group for scope in new)}.", *duties.cautions(person, role)])


def _take(request: HttpRequest, person: Any, form: forms.Form) -> str:
    scope = scope_of(form.cleaned_data["role"])
    if scope is None:
        raise Impossible("That is no role. Nothing was changed.")
    try:
        granting.revoke(user=person, scope=scope, by=request.user, at=now(), reason=given_reason(request))
    except granting.NotGranted as error:
        raise Impossible(str(error)) from None
    return f"{person} no longer holds: {scope.group}."


def _set_password(request: HttpRequest, person: Any, form: forms.Form) -> str:
    person.set_password(form.cleaned_data["password"])
    person.save(update_fields=["password"])
    return f"{person} can sign in with the new password. Every other session of {person} has ended."


def _forget_second_factor(request: HttpRequest, person: Any, form: forms.Form) -> str:
    Authenticator.objects.filter(user=person).delete()
    return f"{person} signs in with the password alone now, and can set a second factor up again."


def may_manage(request: HttpRequest, person: Any = None) -> bool:
    """Whether the one who asks may change accounts; an administrator's account only by another administrator."""
    if person is not None and person.is_superuser and not request.user.is_superuser:
        return False
    return may(request, User, "change", person and person.pk)


def _managers_of_others(request: HttpRequest, person: Any) -> str:
    if not may_manage(request, person):
        return f"You may not change the account {person}."
    if person == request.user:
        return "Nobody gives or takes their own roles: ask another administrator."
    return ""


class AccountForm(ReasonedForm):
    class Meta:
        model = User
        fields = ("username", "first_name", "last_name", "email", "is_active", "is_superuser")
        labels = {"is_superuser": "Administrator of the whole product"}
        help_texts = {
            "is_active": "Take the tick away when somebody leaves: the account stays, because the history names it.",
            "is_superuser": "May see and configure everything. Even so, nobody approves what they wrote.",
            "username": "By this name the person signs in.",
        }


@admin.register(User)
class AccountAdmin(ActingAdmin):
    heading = "People"
    singular = "person"
    place = 1
    about = "Who can sign in, and with which roles."
    form = AccountForm
    change_form_template = "admin/tracked_change_form.html"
    list_display = ("username", "full_name", "email", "roles_held", "is_active", "last_login")
    list_filter = ("is_active", "is_superuser")
    search_fields = ("username", "first_name", "last_name", "email")
    ordering = ("username",)
    actions = None
    acts = (
        Act(
            name="give",
            words=lambda person: f"Give {person} a role",
            do=_give,
            fits=lambda person: person.is_active,
            told=lambda request, person: ["The role holds everywhere, unless you name services, tools or departments."],
            blocked=_managers_of_others,
            form=RoleForm,
            primary=True,
        ),
        Act(
            name="take",
            words=lambda person: f"Take a role from {person}",
            do=_take,
            fits=lambda person: bool(granting.held_by(person)),
            blocked=_managers_of_others,
            form=TakeRoleForm,
        ),
        Act(
            name="password",
            words=lambda person: f"Set a password for {person}",
            do=_set_password,
            fits=lambda person: True,
            form=PasswordForm,
        ),
        Act(
            name="second-factor",
            words=lambda person: f"Forget the second factor of {person}",
            do=_forget_second_factor,
            fits=lambda person: Authenticator.objects.filter(user=person).exists(),
            told=lambda request, person: ["For somebody who lost the phone or key. Make sure that it is really them who asks."],
        ),
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("groups")

    def own_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        who = ("Who", {"fields": ["username", ("first_name", "last_name"), "email"]})
        powers = ["is_active", *(["is_superuser"] if request.user.is_superuser else []), *(["roles_held", "last_login"] if obj else [])]
        return [who, ("What they may do", {"fields": powers})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("roles_held", "last_login")

    @admin.display(description="Name", ordering="last_name")
    def full_name(self, person: Any) -> str:
        return person.get_full_name() or "–"

    @admin.display(description="Roles")
    def roles_held(self, person: Any) -> str:
        names = [group.name for group in person.groups.all()]
        return ", ".join(["administrator"] * person.is_superuser + sorted(names)) or "none"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_manage(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # accounts are deactivated: the history names them

    def act_form(self, request: HttpRequest, obj: Any, act: Act) -> forms.Form:
        form = super().act_form(request, obj, act)
        if isinstance(form, TakeRoleForm):
            form.fields["role"].choices = [(scope.group, scope.group) for scope in granting.held_by(obj)]  # type: ignore[attr-defined]
        return form

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change and obj == request.user and not obj.is_active:
            raise Impossible("You cannot deactivate your own account: ask another administrator.")
        if not change:
            obj.set_unusable_password()
        if obj.is_superuser and "is_superuser" in form.changed_data and (objection := duties.objection_to_administration(obj)):
            raise Impossible(objection)
        if obj.is_superuser:
            obj.is_staff = True
        super().save_model(request, obj, form, change)


@admin.register(Group)
class RoleAdmin(FactAdmin):
    heading = "Roles"
    about = "What each role may do, and who holds it. Roles come with the product."
    list_display = ("name", "duty", "held_by")
    search_fields = ("name",)
    ordering = ("name",)
    fields = ("name", "duty", "held_by", "may_do")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("user_set")

    @admin.display(description="Duty")
    def duty(self, group: Group) -> str:
        scope = scope_of(group.name)
        return ROLES[scope.role].duty if scope else "–"

    @admin.display(description="Held by")
    def held_by(self, group: Group) -> str:
        return ", ".join(sorted(person.get_username() for person in group.user_set.all())) or "nobody"

    @admin.display(description="May do everywhere")
    def may_do(self, group: Group) -> str:
        held = group.permissions.values_list("content_type__app_label", "codename")
        told = rights_words(sorted(f"{app}.{codename}" for app, codename in held))
        return format_html_join("", "<p>{}</p>", ((one,) for one in told)) if told else "nothing everywhere"


@admin.register(LogEntry)
class DoneAdmin(FactAdmin):
    heading = "What was done here"
    about = "Every change made through these pages, deletions and grants included, with its reason."
    list_display = ("action_time", "user", "what", "object_repr", "change_message_words")
    list_filter = ("action_flag", "content_type")
    list_select_related = ("user", "content_type")
    search_fields = ("object_repr", "change_message", "user__username")
    ordering = ("-action_time",)
    fields = ("action_time", "user", "what", "object_repr", "change_message_words")

    @admin.display(description="Kind", ordering="content_type")
    def what(self, entry: LogEntry) -> str:
        return str(entry.content_type.name) if entry.content_type else "–"

    @admin.display(description="What, and why")
    def change_message_words(self, entry: LogEntry) -> str:
        return clamped(entry.get_change_message() or entry.get_action_flag_display())
