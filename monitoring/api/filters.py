"""Filters that several lists share."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ParseError

from itsm_backup.common.time import NoZone, day_bounds, is_tellable, local_day, now, parse_instant

WINDOW = dt.timedelta(days=31)
AS_OF = OpenApiParameter(
    "as_of",
    OpenApiTypes.STR,
    description="Show what was known at this instant, e.g. 2026-11-23T09:42Z (RFC 3339 works too), or at the end of this day: 2026-11-23.",
)
FROM = OpenApiParameter("from", OpenApiTypes.STR, description="Only from this instant on; left out: 31 days before `to`.")
TO = OpenApiParameter("to", OpenApiTypes.STR, description="Only before this instant; left out: now and what is dated ahead.")


def instant_of(request: Any, name: str) -> dt.datetime | None:
    """The instant in a query parameter, or None when it is absent; raises ParseError with a sentence."""
    text = request.query_params.get(name, "")
    return read_instant(name, text) if text else None


def read_instant(name: str, text: str) -> dt.datetime:
    """The instant that a parameter names, in UTC; raises ParseError with a sentence.

    PostgreSQL knows no zones beyond 16 hours, so that no instant is asked of it as it was written.
    """
    text = text.replace(" ", "+")  # a plus sign that was not escaped
    try:
        at = parse_instant(text)
    except NoZone as error:
        raise ParseError(f"{name}: {error}") from None
    except (ValueError, OverflowError):
        raise ParseError(f"{name} is no instant with a zone: {text[:60]}. Write it like 2026-11-23T09:42Z.") from None
    if not is_tellable(at):
        raise ParseError(f"{name} lies outside the years 1970 to 8999: {text[:60]}.")
    return at


def moment_of(request: Any) -> tuple[dt.datetime, bool]:
    """(instant to show, whether it is in the past): `?as_of=` or now; raises ParseError for a time to come."""
    present, text = now(), request.query_params.get("as_of", "")
    at = _end_of_day(text, present) if len(text) == 10 else instant_of(request, "as_of")
    if at is None or at == present:
        return present, False
    if at > present:
        raise ParseError("as_of lies in the future: what will be known then is not known yet.")
    return at, True


def _end_of_day(text: str, present: dt.datetime) -> dt.datetime:
    """The last minute of a day in the product's zone, as pages read it; of today it is now. Raises ParseError."""
    try:
        day = dt.date.fromisoformat(text)
        ends = day_bounds(day, settings.TIME_ZONE)[1] - dt.timedelta(minutes=1)
    except (ValueError, OverflowError):
        raise ParseError(f"as_of is no day and no instant: {text}. Write it like 2026-11-23 or 2026-11-23T09:42Z.") from None
    if not is_tellable(ends):
        raise ParseError(f"as_of lies outside the years 1970 to 8999: {text}.")
    return present if day == local_day(present, settings.TIME_ZONE) else ends


def within(rows: QuerySet, request: Any, field: str) -> QuerySet:
    """Rows whose `field` lies in [from, to): never more than the caller asked for, 31 days when nothing was said."""
    starts, ends = instant_of(request, "from"), instant_of(request, "to")
    if ends is not None:
        rows = rows.filter(**{f"{field}__lt": ends})
    try:
        return rows.filter(**{f"{field}__gte": starts or (ends or now()) - WINDOW})
    except OverflowError:
        raise ParseError("`to` lies too far in the past.") from None


class Words(filters.BaseInFilter, filters.CharFilter):
    """One or several words of a list, separated by commas; another word is refused, because finding nothing would look like an answer."""

    def __init__(self, *args: Any, among: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.among = among

    def filter(self, qs: QuerySet, value: list[str] | None) -> QuerySet:
        wrong = next((word for word in value or [] if word not in self.among), None)
        if wrong is not None:
            raise ParseError(f"{self.field_name}: “{wrong[:40]}” is none of {', '.join(self.among)}.")
        return super().filter(qs, value)


class Instant(filters.CharFilter):
    """An instant to compare with; what is none, or lies where no calendar reckons, is refused with a sentence."""

    def __init__(self, name: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"help_text": "An instant with its zone, e.g. 2026-11-23T09:42Z.", **kwargs})
        self.name = name

    def filter(self, qs: QuerySet, value: str | None) -> QuerySet:
        return super().filter(qs, read_instant(self.name, value) if value else None)


def words(field: str, choices: list[str], told: str) -> Words:
    """A filter for one or several of these words; a word that is none of them is refused."""
    return Words(
        field_name=field, among=choices, lookup_expr="in", help_text=f"{told}: one or several of {', '.join(choices)}, separated by commas."
    )
