"""On which days what a provider did reached a service over hard relations. Its own days stay as they are; this stands beside them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import JSONObject

from catalogue.models import Propagation, ServiceVersion
from itsm_backup.common.time import parse_instant
from itsm_backup.portal.asof import Moment

A_DAY = dt.timedelta(days=1)  # days begin and end at other instants in each zone


def with_reach(rows: QuerySet[ServiceVersion], days: Sequence[dt.date], moment: Moment) -> QuerySet[ServiceVersion]:
    """The entries with what `reached_days` has to know of these days: part of the same question."""
    since = dt.datetime.combine(days[0], dt.time(), dt.UTC) - A_DAY
    of_service = Propagation.objects.filter(service=OuterRef("service_id"))
    steps = of_service.filter(at__gte=since, at__lte=moment.at).order_by("at", "pk")
    return rows.annotate(
        reached_before=Subquery(of_service.filter(at__lt=since).order_by("-at", "-pk").values("status")[:1]),
        reached_steps=ArraySubquery(steps.values(told=JSONObject(at="at", status="status"))),
    )


def steps_of(service_id: int, moment: Moment) -> list[tuple[dt.datetime, str]]:
    """All steps of one service until the moment: when, and with which status (none: it was over)."""
    return list(Propagation.objects.filter(service=service_id, at__lte=moment.at).order_by("at", "pk").values_list("at", "status"))


def reached_days(row: Any, days: Sequence[dt.date], moment: Moment) -> set[dt.date]:
    """The days, in the entry's zone, on which it was reached at any time; `row` is one of `with_reach`."""
    since = dt.datetime.combine(days[0], dt.time(), dt.UTC) - A_DAY
    steps = [(since, row.reached_before or ""), *((parse_instant(step["at"]), step["status"]) for step in row.reached_steps)]
    return spanned(steps, zone=row.zone, until=moment.at)


def spanned(steps: Iterable[tuple[dt.datetime, str]], *, zone: str, until: dt.datetime) -> set[dt.date]:
    """The days from each step with a status to the one that follows it, or until this instant."""
    where, found = ZoneInfo(zone), set[dt.date]()
    for (at, status), (following, _) in pairwise([*steps, (until, "")]):
        if status:
            first, last = at.astimezone(where).date(), following.astimezone(where).date()
            found |= {first + dt.timedelta(days=n) for n in range((last - first).days + 1)}
    return found
