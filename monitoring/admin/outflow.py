"""Monitoring systems of others: where they are, what they are told, and what they answered."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from catalogue.admin.outward import ToldAdmin
from itsm_backup.common.admin import Act, FactAdmin, ReasonedForm
from itsm_backup.common.time import now
from monitoring import telling_onward
from monitoring.models import ExternalMonitoring, StatusPublication

SECRETS = {"icinga2": "password", "zabbix": "token"}


class MonitoringForm(ReasonedForm):
    """Secrets are written and never shown; an empty box keeps them."""

    address = forms.URLField(
        assume_scheme="https", widget=forms.URLInput(attrs={"class": "vTextField"}),
        help_text="Its base address, as TOOL_ADDRESSES allows it. Redirects are not followed.",
    )  # fmt: skip
    password = forms.CharField(required=False, strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}))
    token = forms.CharField(
        required=False, strip=False, label="API token", widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )  # fmt: skip

    class Meta:
        model = ExternalMonitoring
        fields = ("name", "kind", "address", "account", "certificates", "host", "item", "enabled")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in SECRETS.values():
            held = bool(self.instance.pk and self.instance.secrets.get(name))
            self.fields[name].help_text = "Set; leave empty to keep it." if held else "Not set."

    def clean(self) -> Any:
        cleaned = super().clean()
        given = {name: cleaned[name] for name in SECRETS.values() if cleaned.get(name)}
        held = self.instance.secrets if self.instance.pk else {}
        self.instance.secrets = {**held, **given}
        needed = SECRETS.get(cleaned.get("kind") or self.instance.kind)
        if needed and not self.instance.secrets.get(needed):
            self.add_error(needed, "It is needed to sign in there.")
        return cleaned


def _again(request: HttpRequest, target: Any, form: forms.Form) -> str:
    count = telling_onward.tell_again(target=target, at=now())
    return f"{target} is told of {count} entries anew within a minute."


@admin.register(ExternalMonitoring)
class ExternalMonitoringAdmin(ToldAdmin):
    place = 10
    heading = "External monitoring"
    about = "Monitoring systems of others that are told the status, the promise and the next expected backup of each entry."
    form = MonitoringForm
    secrets = tuple(SECRETS.values())
    change_form_template = "admin/monitoring/outflow.html"
    list_display = ("name", "kind", "address", "enabled", "taken", "not_taken")
    list_filter = ("kind", "enabled")
    search_fields = ("name", "address")
    fields = ("name", "kind", "address", "account", "password", "token", "certificates", "host", "item", "enabled")
    acts = (
        Act(
            name="again",
            words=lambda row: f"Tell {row} everything again",
            do=_again,
            fits=lambda row: row.enabled,
            told=lambda request, row: ["Where every entry stands is told anew."],
        ),
    )

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        row = self.get_object(request, object_id)
        told = _told(request, row) if row is not None else {}
        return super().change_view(request, object_id, form_url, {**told, **(extra_context or {})})


def _told(request: HttpRequest, row: Any) -> dict[str, Any]:
    """How it takes what it is told; refusals first."""
    rows = StatusPublication.objects.visible_to(request.user).filter(monitoring=row).select_related("service", "notice")
    return {
        "health": telling_onward.health(row),
        "answers": rows.order_by("accepted", "-answered_at")[:20],
        "facts": [("Taken", row.good), ("Not taken", row.bad)],
        "all_url": f"{reverse('admin:monitoring_statuspublication_changelist')}?monitoring__id__exact={row.pk}",
    }


@admin.register(StatusPublication)
class StatusPublicationAdmin(FactAdmin):
    place = 11
    heading = "Told to monitoring"
    about = "What each monitoring system was told of each entry last, and what it answered."
    list_display = ("service", "monitoring", "status", "accepted", "answer", "attempts", "answered_at")
    list_filter = ("monitoring", "accepted")
    search_fields = ("service__code", "answer")
    list_select_related = ("service", "monitoring", "notice")
    fields = ("monitoring", "service", "said", "accepted", "answer", "answered_at", "notice")

    @admin.display(description="Status")
    def status(self, row: Any) -> str:
        return row.said.get("status", "")

    @admin.display(description="Attempts")
    def attempts(self, row: Any) -> Any:
        return row.notice.attempts if row.notice else "–"
