"""Keys to the API: who holds which, until when. The text of a key is shown once, by the command that makes it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from itsm_backup.common.admin import FactAdmin, bulk_act, may
from itsm_backup.common.admin.reasons import ReasonedAdmin
from itsm_backup.common.time import now
from monitoring import tokens
from monitoring.models import ApiToken


@admin.register(ApiToken)
class TokenAdmin(FactAdmin, ReasonedAdmin):
    place = 7
    heading = "Keys to the API"
    about = "Keys to the API. Made by the command “token”; here they are revoked."
    change_list_template = "admin/monitoring/tokens.html"
    list_display = ("begins_with", "user", "scope", "tool", "created_at", "expires_at", "revoked_at")
    list_filter = ("scope", "tool", ("revoked_at", admin.EmptyFieldListFilter))
    list_select_related = ("user", "tool")
    search_fields = ("hint", "user__username")
    ordering = ("-created_at",)
    fields = ("begins_with", "user", "scope", "tool", "created_at", "expires_at", "revoked_at")
    actions = ("revoke",)

    @admin.display(description="Begins with", ordering="hint")
    def begins_with(self, token: ApiToken) -> str:
        return f"{tokens.PREFIX}{token.hint}…"

    def has_revoke_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request, ApiToken, "change")

    @bulk_act(name="revoke", words="Revoke for good", permission="revoke")
    def revoke(self, request: HttpRequest, token: Any) -> bool:
        if token.revoked_at is not None:
            return False
        tokens.revoke(token=token, at=now())
        return True
