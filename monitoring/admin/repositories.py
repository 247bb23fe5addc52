"""The administration of repositories: what people say of the places where copies lie."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from itsm_backup.common.admin import TrackedAdmin
from monitoring.models import Repository


@admin.register(Repository)
class RepositoryAdmin(TrackedAdmin):
    place = 4
    about = "Where copies lie: medium, site, offline or locked, and what is copied on. The objective of copies counts by it."
    list_display = ("__str__", "medium", "site", "is_offsite", "is_offline", "lock_days", "copy_of")
    list_select_related = ("tool", "copy_of__tool")
    list_filter = ("tool", "medium", "is_offsite", "is_offline")
    search_fields = ("name", "site", "tool__name")
    autocomplete_fields = ("copy_of",)
    fields = (("tool", "name"), "copy_of", ("medium", "site"), ("is_offsite", "is_offline", "lock_days"))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*super().get_readonly_fields(request, obj), *(("tool", "name") if obj else ()))
