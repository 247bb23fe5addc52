"""What answers of the API leave out for people who only depend on services: names of tools, storage and hosts, and what a tool said."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from rest_framework import serializers

from monitoring.naming import Owner, Plain, plains_for, throughout, told_rows

WITHHELD = "null for who is not told of tools."


class Withheld(serializers.BaseSerializer):
    """Of rows about a service. `emptied` are fields that hold such names and nothing else, with what is told in their place."""

    emptied: ClassVar[dict[str, Any]] = {}
    owned_through: ClassVar[str] = ""  # the relation of a row that names its service and its tool, if not the row itself

    def to_representation(self, row: Any) -> Any:
        told = super().to_representation(row)
        plain = self._plain(row)
        return told if plain is None else throughout(told | {name: self.emptied[name] for name in self.emptied if name in told}, plain)

    def _plain(self, row: Any) -> Plain | None:
        """Asked once for all rows of an answer."""
        if not hasattr(self, "_plains"):
            rows = self.parent.instance if isinstance(self.parent, serializers.ListSerializer) else None
            self._plains = plains_for(self.context["request"].user, [self._owner(one) for one in rows or [row]])
        return self._plains(self._owner(row))

    def _owner(self, row: Any) -> Owner:
        of = getattr(row, self.owned_through) if self.owned_through else row
        return of.service_id, getattr(of, "tool_id", None)


class OfTold(filters.CharFilter):
    """A name that is looked for only in rows whose names the person is told: what is found by a name would tell that it is there."""

    def filter(self, qs: QuerySet, value: str | None) -> QuerySet:
        return super().filter(qs.filter(told_rows(self.parent.request.user)), value) if value else qs


def plainly(user: Any, service: Any, told: Any) -> Any:
    """An answer about one service as the person is told it."""
    return throughout(told, plains_for(user, [(service.pk, None)])((service.pk, None)))
