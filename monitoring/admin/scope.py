"""What tools discovered, as parts of the backup services of the scope register."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from itsm_backup.common.admin import TrackedAdmin
from monitoring.models import ScopeClaim


@admin.register(ScopeClaim)
class ScopeClaimAdmin(TrackedAdmin):
    place = 7
    heading = "Parts of backup services"
    about = "Which repository or job belongs to which backup service of the scope register. The portal gives and takes them."
    list_display = ("line", "tool", "repository_name", "job", "made_at", "ended_at")
    list_select_related = ("line", "tool", "job")
    list_filter = ("tool", ("ended_at", admin.EmptyFieldListFilter))
    search_fields = ("line__name", "repository_name", "job__name")
    fields = ("line", "tool", "repository_name", "job", ("made_at", "ended_at"))

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
