"""Between two looks: what can be told today of an instant that no judgement reached.

A judgement holds until its own `next_change_at`. Where the next one came later than that, nobody looked in between. There the
age is that of the newest copy as known today, the recovery point is judged by it with the thresholds of the last judgement,
and every other claim stays as it was judged last.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import msgspec
from django.db.models import DateTimeField, Exists, F, FloatField, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.db.models.functions import Cast, Coalesce

from catalogue.models import ServiceVersion, Window
from monitoring.claims import WORST_LAST, Verdict, WorkflowInput, limit_s
from monitoring.models import Evaluation, ProtectedItem, RestorePoint

NOTICED = dt.timedelta(minutes=5)  # the journey judges again within seconds; longer means that nobody looked
_NO_COPY = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class Bridged(msgspec.Struct, kw_only=True, frozen=True):
    """Where a service stood at an instant that no judgement reached. `rpo` is None where no recovery point is promised."""

    service: int
    verdict: str
    rpo: Verdict | None
    captured_at: dt.datetime | None
    counted_from: dt.datetime | None
    judged_at: dt.datetime
    next_judged_at: dt.datetime | None
    unwatched: bool  # whether the gap is longer than the journey needs to judge again


def gap_of(bridged: Iterable[Bridged]) -> tuple[dt.datetime, dt.datetime | None] | None:
    """The time in which none of these services was judged: from the latest judgement to the next, None for none yet."""
    gaps = [(one.judged_at, one.next_judged_at) for one in bridged if one.unwatched]
    return (max(since for since, _ in gaps), min((until for _, until in gaps if until), default=None)) if gaps else None


def bridge(versions: QuerySet[ServiceVersion], at: dt.datetime, *, now: dt.datetime) -> dict[int, Bridged]:
    """Those of the services, by id, whose latest judgement did not reach `at`; one question, however many they are."""
    rows = versions.order_by().annotate(holds_until=Cast(_latest(at, KeyTextTransform("next_change_at", "result")), DateTimeField()))
    rows = rows.filter(holds_until__lt=at).annotate(
        judged_at=_latest(at, F("at")),
        claims=_latest(at, KeyTransform("claims", "result")),
        fraction=Cast(_latest(at, KeyTextTransform("at_risk_fraction", KeyTransform("workflow", "inputs"))), FloatField()),
        next_judged_at=Subquery(Evaluation.objects.filter(service=OuterRef("service"), at__gt=at).order_by("at").values("at")[:1]),
        newest_at=_newest(at),
        is_held=Exists(Window.objects.holding(at).filter(service=OuterRef("service"))),
        promised_s=F("commitment__rpo_s"),
    )
    names = ("service", "commissioned_at", "holds_until", "judged_at", "claims", "fraction", "next_judged_at", "newest_at", "is_held")
    return {row["service"]: _bridged(row, at, now) for row in rows.values(*names, "promised_s")}


def _latest(at: dt.datetime, what: Any) -> Subquery:
    """A part of the latest judgement of then."""
    latest = Evaluation.objects.filter(service=OuterRef("service"), at__lte=at).order_by("-at", "-id")
    return Subquery(latest.annotate(_asked=what).values("_asked")[:1])


def _newest(at: dt.datetime) -> Subquery:
    """When the newest copy of the worst item was captured: NULL without items, `_NO_COPY` where none could be restored."""
    copies = RestorePoint.objects.usable_at(at).filter(item=OuterRef("pk")).order_by("-captured_at").values("captured_at")[:1]
    items = ProtectedItem.objects.filter(service=OuterRef("service")).annotate(newest=Subquery(copies))
    there = items.filter(Q(newest__isnull=False) | Q(first_seen_at__lte=at))
    worst = there.annotate(_found=Coalesce("newest", Value(_NO_COPY, output_field=DateTimeField()))).order_by("_found")
    return Subquery(worst.values("_found")[:1])


def _bridged(row: dict[str, Any], at: dt.datetime, now: dt.datetime) -> Bridged:
    captured_at = row["newest_at"] if row["newest_at"] != _NO_COPY else None
    counted_from = (captured_at or row["commissioned_at"]) if row["newest_at"] else None
    rpo = _rpo(row, counted_from, at)
    return Bridged(
        service=row["service"],
        verdict="held" if row["is_held"] else _worst(rpo, row["claims"] or []),
        rpo=rpo,
        captured_at=captured_at,
        counted_from=counted_from,
        judged_at=row["judged_at"],
        next_judged_at=row["next_judged_at"],
        unwatched=(row["next_judged_at"] or now) - row["holds_until"] > NOTICED,
    )


def _rpo(row: dict[str, Any], counted_from: dt.datetime | None, at: dt.datetime) -> Verdict | None:
    if row["promised_s"] is None:
        return None
    if counted_from is None:
        return "no_data"
    age_s = max(0, int((at - counted_from).total_seconds()))
    if age_s > row["promised_s"]:
        return "broken"
    fraction = row["fraction"] if row["fraction"] is not None else WorkflowInput().at_risk_fraction
    return "at_risk" if age_s > limit_s(fraction, row["promised_s"]) else "kept"


def _worst(rpo: Verdict | None, claims: list[dict[str, Any]]) -> str:
    """The worst of the recovery point and of what was judged last; what is unproven counts for nothing, as ever."""
    counting = [claim["verdict"] for claim in claims if claim["claim"] != "rpo" and claim["reason"] != "unproven"]
    return max([*([rpo] if rpo else []), *counting], key=WORST_LAST.index, default="no_data")
