"""The admin door: reasons, rights, history, acts and look, the same for every app; here also what was sent."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from itsm_backup.common.admin.acts import Act, bulk_act
from itsm_backup.common.admin.reasons import Impossible, ReasonedForm, ReasonForm, given_reason
from itsm_backup.common.admin.rights import may
from itsm_backup.common.admin.tracked import FactAdmin, FactInline, TrackedAdmin, TrackedInline
from itsm_backup.common.models import Notice, Refusal

__all__ = [
    "Act",
    "FactAdmin",
    "FactInline",
    "Impossible",
    "ReasonForm",
    "ReasonedForm",
    "TrackedAdmin",
    "TrackedInline",
    "bulk_act",
    "given_reason",
    "may",
]


@admin.register(Notice)
class NoticeAdmin(FactAdmin):
    about = "Every message that left, or still has to leave, and how that went."
    list_display = ("subject", "recipient", "created_at", "sent_at", "attempts", "given_up_at")
    list_filter = (("sent_at", admin.EmptyFieldListFilter), ("given_up_at", admin.EmptyFieldListFilter))
    search_fields = ("subject", "recipient")
    ordering = ("-created_at",)
    fields = ("subject", "recipient", "created_at", "not_before", "sent_at", "attempts", "latest_error", "given_up_at", "message_id")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        names = super().get_fields(request, obj)
        return [*names, "body"] if request.user.has_perm("common.read_body_notice") else names


@admin.register(Refusal)
class RefusalAdmin(FactAdmin):
    place = 10
    heading = "Refused attempts"
    about = "Who tried what they may not do, when, from where, and why it was refused: in pages, administration and API."
    list_display = ("at", "who", "method", "path", "address", "why")
    list_filter = ("method",)
    search_fields = ("who", "path", "why", "what", "address")
    ordering = ("-at", "-pk")
    fields = ("at", "who", "method", "path", "address", "action", "what", "why")
