"""The rows of the estate's calendar and the sums of its groups, from day cells alone: three questions, whatever the estate's size."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, Count, Exists, F, OuterRef, Q, QuerySet, Value, When
from django.utils.safestring import SafeString

from catalogue.models import ServiceVersion
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.days import BAD, COUNTED, LETTERS, MARKED, UNCOUNTED, DayCell, GoodDays, cells_html, cells_of, good_days
from itsm_backup.portal.framing import Link
from itsm_backup.portal.reached import reached_days, with_reach
from itsm_backup.portal.words import TIERS, many
from monitoring.models import ServiceDay

# The letter of a day by what rates count of it; that of the cell tells all that happened.
_COUNTED = Case(
    When(uncounted=0, then=F("worst")),
    *(When(Q(*((f"{name}__gt", 0) for name in names), _connector=Q.OR), then=Value(LETTERS.get(kind, ""))) for kind, names in COUNTED),
    default=F("worst"),
)


@dataclass(frozen=True, kw_only=True)
class CalendarRow:
    service: Link
    code: str
    tier: int
    department: str
    zone: str
    days: Sequence[DayCell]
    cells: SafeString
    good: GoodDays


@dataclass(frozen=True, kw_only=True)
class CalendarGroup:
    """A tier or a department: what all its services come to, and those of its rows that stand on this page."""

    name: str
    note: str
    good: GoodDays
    rows: tuple[CalendarRow, ...]


def filtered(rows: QuerySet[ServiceVersion], wanted: Mapping[str, str], days: Sequence[dt.date]) -> QuerySet[ServiceVersion]:
    """The entries of a tier, of a department, and with a day of trouble among those shown; an unknown tier has none."""
    if tier := wanted["tier"]:
        rows = rows.filter(tier=int(tier)) if tier in ("1", "2", "3", "4") else rows.none()
    if department := wanted["department"]:
        rows = rows.filter(department=department)
    if wanted["trouble"]:
        bad = ServiceDay.objects.filter(
            service=OuterRef("service"), day__gte=days[0], day__lte=days[-1], worst__in=[LETTERS[kind] for kind in BAD]
        )
        rows = rows.filter(Exists(bad))
    return rows


def totals_of(rows: QuerySet[ServiceVersion], group: str, days: Sequence[dt.date]) -> dict[Any, Counter[str]]:
    """Per tier or department: how many services, and how many of their days of each kind; whatever page is shown."""
    found: dict[Any, Counter[str]] = defaultdict(Counter)
    found |= {key: Counter(services=count) for key, count in rows.order_by(group).values_list(group).annotate(n=Count("pk"))}
    cells = ServiceDay.objects.filter(day__gte=days[0], day__lte=days[-1], service__versions__in=rows)
    cells = cells.exclude(UNCOUNTED).annotate(told=_COUNTED)
    kinds = {"good": Q(told="", good__gt=0), "pending": Q(told="", good=0, pending__gt=0)}
    kinds |= {kind: Q(told=LETTERS[kind]) for kind in MARKED}
    sums = {f"{kind}_days": Count("pk", filter=which) for kind, which in kinds.items()}
    for key, *counts in cells.order_by().values_list(f"service__versions__{group}").annotate(**sums):
        found[key].update(dict(zip(kinds, counts, strict=True)))
    return found


def rows_of(
    rows: QuerySet[ServiceVersion], *, group: str, days: Sequence[dt.date], first: int, most: int, moment: Moment
) -> dict[Any, list[CalendarRow]]:
    """The rows of the page by group, in the order of the page: two questions."""
    order = ["tier", "service__code"] if group == "tier" else ["department", "tier", "service__code"]
    shown: list[Any] = list(with_reach(rows, days, moment).order_by(*order).annotate(code=F("service__code"))[first : first + most])
    cells: dict[int, list[ServiceDay]] = defaultdict(list)
    for cell in ServiceDay.objects.filter(service__in=[row.service_id for row in shown], day__gte=days[0], day__lte=days[-1]):
        cells[cell.service_id].append(cell)
    found: dict[Any, list[CalendarRow]] = defaultdict(list)
    for row in shown:
        found[getattr(row, group)].append(_row(row, cells_of(cells[row.service_id], days, reached_days(row, days, moment)), moment))
    return found


def _row(row: Any, cells: list[DayCell], moment: Moment) -> CalendarRow:
    return CalendarRow(
        service=Link(row.name, moment.href("service_calendar", row.code)),
        code=row.code,
        tier=row.tier,
        department=row.department,
        zone=row.zone,
        days=cells,
        cells=cells_html(cells, code=row.code, moment=moment),
        good=good_days(cells),
    )


def groups_of(rows: dict[Any, list[CalendarRow]], counted: dict[Any, Counter[str]], group: str) -> tuple[CalendarGroup, ...]:
    """The groups that have rows on the page, each with the sums of all its services."""
    found = []
    for key, shown in rows.items():
        counts = counted[key]
        bad = [f"{counts[kind]:,} {words}" for kind, words in BAD.items() if counts[kind]]
        good = counts["good"] + counts["warning"]
        name = f"Tier {key}, {TIERS[key].lower()}" if group == "tier" else key or "No department"
        found.append(
            CalendarGroup(
                name=name,
                note=", ".join([many(counts["services"], "service"), *bad]),
                good=GoodDays(good, good + sum(counts[kind] for kind in BAD)),
                rows=tuple(shown),
            )
        )
    return tuple(found)
