"""Which month a report tells of, and which services are in it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
from django.db.models import F

from catalogue.models import ServiceVersion
from itsm_backup.common.time import day_bounds


class NotYet(ValueError):
    """The month cannot be reported; the message says why and when it can."""


class Month(msgspec.Struct, frozen=True):
    """A calendar month in a time zone."""

    first: dt.date
    zone: str

    @property
    def following(self) -> dt.date:
        return (self.first + dt.timedelta(days=32)).replace(day=1)

    @property
    def days(self) -> list[dt.date]:
        return [self.first + dt.timedelta(days=n) for n in range((self.following - self.first).days)]

    @property
    def starts_at(self) -> dt.datetime:
        return day_bounds(self.first, self.zone)[0]

    @property
    def ends_at(self) -> dt.datetime:
        return day_bounds(self.following, self.zone)[0]

    @property
    def words(self) -> str:
        return f"{self.first:%B %Y}"

    def bounds_in(self, zone: str) -> tuple[dt.datetime, dt.datetime]:
        """[start, end) of the same calendar month where a service keeps its days."""
        return day_bounds(self.first, zone)[0], day_bounds(self.following, zone)[0]


def month_of(text: str, *, zone: str, at: dt.datetime) -> Month:
    """The month written as `2026-06`; raises NotYet when it is no month, or is not over everywhere at `at`."""
    month = Month(first=month_named(text), zone=zone)
    if month.ends_at > at:
        raise NotYet(f"{month.words} is not over. Its report can be made from {month.following} on.")
    return month


def month_named(text: str) -> dt.date:
    """The first day of the month written as `2026-06`; raises NotYet when it is no month."""
    try:
        return dt.date.fromisoformat(f"{text}-01")
    except ValueError:
        raise NotYet(f"“{text[:40]}” is no month. Write it like 2026-06.") from None


def month_before(at: dt.datetime, *, zone: str) -> Month:
    """The latest month that is over at `at`."""
    from itsm_backup.common.time import local_day

    this = local_day(at, zone).replace(day=1)
    return Month(first=(this - dt.timedelta(days=1)).replace(day=1), zone=zone)


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """Which services a report is about; what is empty limits nothing."""

    department: str = ""
    application_type: str = ""
    tier: int | None = None
    label: str = ""

    @property
    def everything(self) -> bool:
        return self == Scope()

    @property
    def words(self) -> str:
        """`All services`, or `Tier 1, department Radiology`."""
        parts = [
            f"tier {self.tier}" if self.tier else "",
            f"department {self.department}" if self.department else "",
            f"type {self.application_type}" if self.application_type else "",
            f"label {self.label}" if self.label else "",
        ]
        said = ", ".join(part for part in parts if part)
        return said[:1].upper() + said[1:] if said else "All services"

    def series(self) -> str:
        """The series of reports on these services that belong to no schedule."""
        return f"scope {msgspec.json.encode(self).decode()}"


def versions_of(scope: Scope, month: Month) -> list[int]:
    """Ids of the versions that the month's report names, by service code: of each entry the last one in force in the month.

    A service is in the scope by what that version says. Ranges are compared in the report's zone.
    """
    latest = (
        ServiceVersion.objects.approved()
        .filter(effective__startswith__lt=month.ends_at, effective__overlap=(month.starts_at, month.ends_at))
        .exclude(commissioned_at__gte=month.ends_at)
        .order_by("service_id", F("effective").desc())
        .distinct("service_id")
    )
    chosen = ServiceVersion.objects.filter(pk__in=latest.values("pk"), **_filters(scope))
    return list(chosen.order_by("service__code").values_list("pk", flat=True))


def _filters(scope: Scope) -> dict[str, Any]:
    wanted = {"department": scope.department, "application_type": scope.application_type, "tier": scope.tier}
    found: dict[str, Any] = {name: value for name, value in wanted.items() if value}
    return found | ({"labels__contains": [scope.label]} if scope.label else {})
