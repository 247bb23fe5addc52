"""What the pages of relations share: which services are shown, their names, and the filters."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, Count, OuterRef, Q, QuerySet, Subquery, When

from catalogue.impact import EffectiveTier
from catalogue.models import Relation, Service, ServiceVersion
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.service_list import Choice
from itsm_backup.portal.words import TIERS

FILTERS = ("kind", "department", "tier", "text")


@dataclass(frozen=True, kw_only=True)
class Named:
    """A service as the pages of relations name it."""

    pk: int
    code: str
    name: str
    short: str
    tier: int | None
    department: str
    effective_tier: int | None = None


@dataclass(frozen=True, kw_only=True)
class Filters:
    kinds: tuple[Choice, ...]
    departments: tuple[Choice, ...]
    tiers: tuple[Choice, ...]
    text: str
    filtered: bool


def asked_of(asked: Mapping[str, str]) -> dict[str, str]:
    return {name: asked.get(name, "").strip() for name in FILTERS}


def versions_of(user: Any, moment: Moment) -> QuerySet[ServiceVersion]:
    """Versions in force of the services that the person may see; today only of those that stand in the catalogue."""
    services = Service.objects.visible_to(user)
    versions = ServiceVersion.objects.in_force(moment.at).select_related("service")
    return versions.filter(service__in=services if moment.past else services.listed())


def narrowed(rows: QuerySet[ServiceVersion], wanted: Mapping[str, str]) -> QuerySet[ServiceVersion]:
    """The rows of these filters; an unknown value matches nothing."""
    if text := wanted["text"]:
        rows = rows.filter(Q(name__icontains=text) | Q(short_name__icontains=text) | Q(service__code__icontains=text))
    if department := wanted["department"]:
        rows = rows.filter(department=department)
    if tier := wanted["tier"]:
        rows = rows.filter(tier=int(tier)) if tier in ("1", "2", "3", "4") else rows.none()
    return rows


def filters_of(everything: QuerySet[ServiceVersion], wanted: Mapping[str, str]) -> Filters:
    names = everything.exclude(department="").order_by("department").values_list("department", flat=True).annotate(n=Count("pk"))
    return Filters(
        kinds=tuple(Choice(value=value, words=words, chosen=wanted["kind"] == value) for value, words in Relation.Kind.choices),
        departments=tuple(Choice(value=name, words=name, chosen=name == wanted["department"]) for name in names),
        tiers=tuple(Choice(value=str(n), words=f"Tier {n}, {name.lower()}", chosen=wanted["tier"] == str(n)) for n, name in TIERS.items()),
        text=wanted["text"],
        filtered=any(wanted.values()),
    )


def named(user: Any, moment: Moment, services: Collection[int], *, weighed: int = 0) -> dict[int, Named]:
    """Of these services those that the person may see, by id; one query. Without a version in force the code is the name.

    Of the one that is `weighed` it says the effective tier, too.
    """
    version = ServiceVersion.objects.in_force(moment.at).filter(service=OuterRef("pk"))
    rows = (
        Service.objects.visible_to(user).filter(pk__in=services)
        .annotate(**{f"its_{field}": Subquery(version.values(field)[:1]) for field in ("name", "short_name", "tier", "department")})
        .annotate(weight=Case(When(pk=weighed, then=EffectiveTier("pk", at=moment.at, known_then=moment.past))))
        .values_list("pk", "code", "its_name", "its_short_name", "its_tier", "its_department", "weight")
    )  # fmt: skip
    return {
        pk: Named(pk=pk, code=code, name=name or code, short=short or code, tier=tier, department=department or "", effective_tier=weight)
        for pk, code, name, short, tier, department, weight in rows
    }


def kinds_of(wanted: Mapping[str, str]) -> tuple[str, ...]:
    """The kinds to show; none that exists for a word that is no kind."""
    return (wanted["kind"],) if wanted["kind"] else ()
