"""What people chose to be told in a digest, to read; everybody changes their own in the portal."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from incidents.models import Digest, DigestPreference, OwnChannel
from itsm_backup.common.admin import FactAdmin, TrackedAdmin


@admin.register(DigestPreference)
class DigestPreferenceAdmin(TrackedAdmin):
    place = 30
    about = "Who gets a digest when, and what waits for it. Everybody chooses their own: portal, account, Your digest."
    list_display = ("person", "digest", "told_at", "zone", "waits")
    list_select_related = ("person",)
    list_filter = ("digest",)
    fields = ("person", "digest", ("told_at", "zone"), "waits")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(OwnChannel)
class OwnChannelAdmin(TrackedAdmin):
    place = 32
    about = "Where people are told beside mail, by what they call it. Everybody enters their own: portal, account, Your digest."
    list_display = ("person", "name", "kind", "priorities", "confirmed_at")
    list_select_related = ("person",)
    list_filter = ("kind", ("confirmed_at", admin.EmptyFieldListFilter))
    fields = ("person", ("name", "kind"), "priorities", ("asked_at", "confirmed_at"))

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Digest)
class DigestAdmin(FactAdmin):
    place = 31
    about = "Digests that were made; without a message there was nothing to tell."
    list_display = ("person", "on", "exceptions", "notice")
    list_select_related = ("person", "notice")
    ordering = ("-at",)
    fields = ("person", "on", "at", "exceptions", "notice")
