"""The admin doors of the catalogue: entries and their versions, then what surrounds them."""

from catalogue.admin.entries import ServiceAdmin
from catalogue.admin.surroundings import RelationAdmin, TeamAdmin, WindowAdmin
from catalogue.admin.versions import VersionAdmin

__all__ = ["RelationAdmin", "ServiceAdmin", "TeamAdmin", "VersionAdmin", "WindowAdmin"]
