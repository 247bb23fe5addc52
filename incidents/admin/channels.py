"""Channels beside mail: addresses and keys are written and never shown."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from incidents import delivering
from incidents.models import Channel
from incidents.models.channels import validate_address
from itsm_backup.common.admin import ReasonedForm, TrackedAdmin

SECRETS = ("address", "key")


class ChannelForm(ReasonedForm):
    """An empty box keeps what is stored: the address of a chat service is a secret, too."""

    address = forms.CharField(
        required=False, strip=True, widget=forms.PasswordInput(attrs={"autocomplete": "off", "class": "vTextField"}),
        help_text="https://… of a webhook; slack://, ntfy:// and so on of a service. TOOL_ADDRESSES has to list its host.",
    )  # fmt: skip
    key = forms.CharField(
        required=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Of a webhook: signs each request (X-Signature). The other side checks it.",
    )  # fmt: skip

    class Meta:
        model = Channel
        fields = ("name", "kind", "enabled")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in SECRETS:
            if name in self.fields:
                held = bool(self.instance.pk and self.instance.secrets.get(name))
                self.fields[name].help_text += " Set; leave empty to keep it." if held else " Not set."

    def clean(self) -> Any:
        cleaned = super().clean()
        given = {name: cleaned[name] for name in SECRETS if cleaned.get(name)}
        secrets = {**self.instance.secrets, **given}
        kind = cleaned.get("kind") or self.instance.kind
        try:
            validate_address(kind, secrets.get("address", ""))
        except ValidationError as error:
            self.add_error("address", error)
        else:
            self.instance.secrets = secrets
        return cleaned


@admin.register(Channel)
class ChannelAdmin(TrackedAdmin):
    place = 5
    about = "Where people are told beside mail: signed webhooks, and chat and push services such as Slack, Teams and ntfy."
    form = ChannelForm
    list_display = ("name", "kind", "enabled")
    list_filter = ("kind", "enabled")
    search_fields = ("name",)
    fields = ("name", "kind", "address", "key", "enabled")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if form.cleaned_data.get("address") and (why := delivering.stands_in_the_way(obj)):
            messages.warning(request, f"Nothing goes to {obj} yet: {why}")

    def may_revert(self, request: HttpRequest, obj: Any) -> bool:
        return False  # an earlier name with today's address would be a leak

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*super().get_readonly_fields(request, obj), *(("kind",) if obj else ()))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        shown = super().get_fields(request, obj)
        may_write = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        return shown if may_write else [name for name in shown if name not in SECRETS]
