"""What tools' words mean, and what their capabilities weigh: read here with their history, written in the portal."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from itsm_backup.common.admin import TrackedAdmin
from monitoring.connectors.capabilities import CAPABILITIES
from monitoring.models import CapabilityWeights, StatusMap


class ReadAdmin(TrackedAdmin):
    """Nothing is written here: the portal shows what a change would bring before it is made."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(StatusMap)
class StatusMapAdmin(ReadAdmin):
    place = 7
    portal_page = ("portal:meaning", "tool.name")
    heading = "Status maps"
    about = "What a tool's own words and numbers mean. The portal writes them, shows their effect and has them approved."
    list_display = ("tool", "number", "state", "author", "approver", "approved_at")
    list_select_related = ("tool", "author", "approver")
    list_filter = ("state", "tool")
    search_fields = ("tool__name", "reason")
    fields = ("tool", ("number", "state"), "words", "units", "reason", ("author", "approver", "approved_at"), "tried_at")


@admin.register(CapabilityWeights)
class CapabilityWeightsAdmin(ReadAdmin):
    place = 8
    portal_page = ("portal:compare_tools",)
    heading = "Weights of capabilities"
    about = "How much each capability counts when tools are compared. The portal's comparison sets them."
    fields = tuple(CAPABILITIES)
