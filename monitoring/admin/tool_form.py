"""The form of a tool: what its connector needs, secrets write-only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Container
from typing import Any

from django import forms

from itsm_backup.common.admin import ReasonedForm
from itsm_backup.common.admin.fields import value_words
from monitoring.connectors import CONNECTORS
from monitoring.models import Tool

SETTING, SECRET, REMOVE = "setting_", "secret_", "remove_"


def secret_set_at(tool: Tool) -> dict[str, dt.datetime]:
    """When each secret of the tool got its present value."""
    since: dict[str, dt.datetime] = {}
    earlier: dict[str, str] = {}
    for record in tool.history.order_by("history_date", "history_id").only("history_date", "secrets").iterator():
        since.update({name: record.history_date for name, value in record.secrets.items() if earlier.get(name) != value})
        earlier = record.secrets
    return {name: at for name, at in since.items() if name in tool.secrets}


def _secret_help(field: Any, at: dt.datetime | None) -> str:
    when = value_words(Tool._meta.get_field("monitored_from"), at) if at else ""
    standing = f"Set on {when}; leave empty to keep it." if at else "Not set."
    return f"{field.help} {standing}"


class ToolForm(ReasonedForm):
    """Settings and secrets of the tool's kind as fields of their own. A stored secret is never shown, an empty box keeps it."""

    class Meta:
        model = Tool
        fields = ("name", "label", "zone", "enabled", "poll_interval_s", "cadence", "budget", "monitored_from", "ping_key")

    kind = ""  # set on the class made for one kind

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.kind = self.instance.kind or self.kind
        if "cadence" in self.fields:
            self.fields["cadence"].required = False  # who says nothing of it leaves it as it is
        since = secret_set_at(self.instance) if self.instance.pk else {}
        for field in CONNECTORS[self.kind].settings_fields:
            if field.secret:
                self._prepare_secret(field, since.get(field.name))
            else:
                self.initial[SETTING + field.name] = self.instance.settings.get(field.name, "" if self.instance.pk else field.default)

    def _prepare_secret(self, field: Any, at: dt.datetime | None) -> None:
        held = field.name in self.instance.secrets
        self.fields[SECRET + field.name].required = field.required and not held
        self.fields[SECRET + field.name].help_text = _secret_help(field, at)

    def clean(self) -> Any:
        cleaned = super().clean()
        self.instance.settings, self.instance.secrets = self._settings(cleaned), self._secrets(cleaned)
        return cleaned

    def clean_cadence(self) -> str:
        return str(self.cleaned_data.get("cadence") or self.instance.cadence)

    def _settings(self, cleaned: dict[str, Any]) -> dict[str, Any]:
        kept = dict(self.instance.settings)
        for field in CONNECTORS[self.kind].settings_fields:
            if not field.secret and SETTING + field.name in cleaned:
                kept[field.name] = cleaned[SETTING + field.name]
        return {name: value for name, value in kept.items() if value not in ("", None)}

    def _secrets(self, cleaned: dict[str, Any]) -> dict[str, str]:
        kept = dict(self.instance.secrets)
        for field in CONNECTORS[self.kind].settings_fields:
            if field.secret and cleaned.get(SECRET + field.name):
                kept[field.name] = cleaned[SECRET + field.name]
            elif field.secret and cleaned.get(REMOVE + field.name):
                kept.pop(field.name, None)
        return kept

    def _update_errors(self, errors: forms.ValidationError) -> None:
        if "settings" in getattr(errors, "error_dict", {}):  # the model names the JSON; here each setting is a field with its own error
            told = errors.error_dict.pop("settings")
            if not any(name.startswith(SETTING) for name in self.errors):
                self.add_error(None, told)
        super()._update_errors(errors)


def form_for(kind: str) -> type[ToolForm]:
    """The form class for tools of one kind."""
    fields: dict[str, Any] = {}
    for field in CONNECTORS[kind].settings_fields:
        if not field.secret:
            lines = forms.Textarea(attrs={"rows": 3}) if field.lines else forms.TextInput()
            fields[SETTING + field.name] = forms.CharField(label=field.label, help_text=field.help, required=field.required, widget=lines)
            continue
        widget: forms.Widget = (
            forms.Textarea(attrs={"rows": 3}) if field.lines else forms.PasswordInput(attrs={"autocomplete": "new-password"})
        )
        fields[SECRET + field.name] = forms.CharField(label=field.label, required=False, strip=False, widget=widget)
        if not field.required:
            fields[REMOVE + field.name] = forms.BooleanField(label=f"Remove: {field.label}", required=False)
    return type(f"{kind.capitalize()}ToolForm", (ToolForm,), {"kind": kind, **fields})


def setting_names(kind: str, *, held: Container[str] = ()) -> list[str]:
    """Names of the form's fields that the connector asks for, in its order; `held` are the secrets that are set."""
    names = []
    for field in CONNECTORS[kind].settings_fields:
        names.append((SECRET if field.secret else SETTING) + field.name)
        if field.secret and not field.required and field.name in held:
            names.append(REMOVE + field.name)
    return names
