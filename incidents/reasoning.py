"""Why incidents of one signature ask for a problem: counted over all of them, or over those of services of one type."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from typing import Any

from catalogue.models import ServiceVersion
from incidents import hitting
from incidents.models import Incident, MajorIncident
from itsm_backup.common.time import iso
from monitoring import methods

WINDOW, BASELINE = dt.timedelta(days=30), dt.timedelta(days=90)
TOGETHER = dt.timedelta(days=7)
MIN_COUNT, ALPHA, TREND_ALPHA = 3, 0.01, 0.05
MONTHS, A_MONTH = 6, dt.timedelta(days=30)
OFTEN_REOPENED = 2


def services_words(service_type: str) -> str:
    """`services of type Database`, or `backup services` where the type is the kind of the entry."""
    if service_type in ServiceVersion.Kind.labels:
        return f"{service_type}s"
    return f"services of type {service_type}" if service_type else "services"


def reasons_of(alike: Sequence[Incident], *, at: dt.datetime, service_type: str = "") -> list[dict[str, Any]]:
    """Why these incidents of one signature ask for a problem, each reason in words with its counts; empty where none does.

    With `service_type` they are all of services of that type, and the words say so.
    """
    found = [*_recurrence(alike, at, service_type), *_several(alike, at, service_type)]
    often = max((one.reopened for one in alike), default=0)
    if often >= OFTEN_REOPENED:
        found.append({"rule": "reopened", "words": f"one incident reopened {often} times", "count": often})
    if graves := MajorIncident.objects.filter(incident__in=alike, declared_at__isnull=False).count():
        found.append({"rule": "major", "words": f"{graves} of them {'was' if graves == 1 else 'were'} declared major", "count": graves})
    return [*found, *worsening(alike, at)]


def _recurrence(alike: Sequence[Incident], at: dt.datetime, service_type: str) -> list[dict[str, Any]]:
    asked = {
        "now": iso(at + dt.timedelta(microseconds=1)), "incidents": [iso(one.opened_at) for one in alike], "window_days": WINDOW.days,
        "baseline_days": BASELINE.days, "min_count": MIN_COUNT, "alpha": ALPHA,
    }  # fmt: skip
    found = methods.measure("BM-RECUR", asked)
    if not found["candidate_problem"]:
        return []
    of_type = f" of {services_words(service_type)}" if service_type else ""
    words = f"{found['count']} incidents{of_type} in {WINDOW.days} days, {found['expected']:.1f} expected (p = {found['p_value']:.4f})"
    return [{"rule": "recurrence", "words": words, "service_type": service_type, **found}]


def _several(alike: Sequence[Incident], at: dt.datetime, service_type: str) -> list[dict[str, Any]]:
    """Several services lately; where they are of several types, how many of which.

    Each incident counts by the service that it hits hardest, so that one storm is not taken for many failures; the words tell of all.
    """
    lately = {one.service_id: one.service_type for one in alike if one.service_id and one.opened_at >= at - TOGETHER}
    if len(lately) < 2:
        return []
    by_type = Counter(lately.values())
    hit = set().union(*hitting.services_hit(one for one in alike if one.service_id in lately and one.opened_at >= at - TOGETHER).values())
    words = f"{len(lately)} {services_words(service_type)} within {TOGETHER.days} days"
    if len(by_type) > 1:
        told = (f"{count} {_short(one)}" for one, count in sorted(by_type.items(), key=lambda row: (-row[1], row[0])))
        words += f" ({', '.join(told)})"
    if len(hit) > len(lately):
        words += f"; their incidents hit {len(hit)} services in all"
    return [{"rule": "several_services", "words": words, "service_type": service_type, "count": len(lately), "types": dict(by_type)}]


def _short(service_type: str) -> str:
    if service_type in ServiceVersion.Kind.labels:
        return service_type
    return f"of type {service_type}" if service_type else "of no known type"


def worsening(alike: Sequence[Incident], at: dt.datetime) -> list[dict[str, Any]]:
    """More from month to month over half a year; BM-TREND looks for what falls, so it is asked about what stayed away.

    Months before the first incident of any kind are not known to have had none: they count for nothing, not as 0.
    """
    began = Incident.objects.order_by("opened_at").values_list("opened_at", flat=True).first()
    known = [n for n in reversed(range(MONTHS)) if began and at - n * A_MONTH > began]
    counts = [sum(at - (n + 1) * A_MONTH < one.opened_at <= at - n * A_MONTH for one in alike) for n in known]
    if not any(counts):
        return []
    points = [{"period": month, "value": -count} for month, count in enumerate(counts)]
    found = methods.measure("BM-TREND", {"points": points, "min_points": MONTHS, "alpha": TREND_ALPHA})
    if found["verdict"] != "worsening":
        return []
    told = ", ".join(str(count) for count in counts)
    return [{"rule": "worsening", "words": f"more from month to month: {told}", "counts": counts, "p_value": found["p_lower"]}]
