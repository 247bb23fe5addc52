"""The estate's calendar: one row a service, one cell a day, the worst run of the day in it. Reads day cells only, never runs."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from catalogue.models import ServiceVersion
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.calendar_rows import CalendarGroup, filtered, groups_of, rows_of, totals_of
from itsm_backup.portal.days import BAD, MOST_BACK, legend_of, span, span_words
from itsm_backup.portal.framing import Link
from itsm_backup.portal.service_list import Choice, Paging, harmless, paging_of
from itsm_backup.portal.standing import entries
from itsm_backup.portal.words import TIERS, many, zone

PAGE, DAYS = 200, 31
FILTERS = ("department", "tier", "trouble", "rows", "by", "ending")


@dataclass(frozen=True, kw_only=True)
class DayHead:
    on: dt.date
    letter: str
    words: str
    weekend: bool
    newest: bool


@dataclass(frozen=True, kw_only=True)
class CalendarPage:
    sentence: str
    heads: tuple[DayHead, ...]
    groups: tuple[CalendarGroup, ...]
    legend: tuple[tuple[str, str], ...]
    tiers: tuple[Choice, ...]
    departments: tuple[Choice, ...]
    kept: tuple[tuple[str, str], ...]  # what the filter form carries along
    filtered: bool
    compact: bool
    only_trouble: bool
    last_words: str
    trouble: Link  # toggles, like the next two
    density: Link
    regroup: Link
    earlier: str
    later: str
    paging: Paging
    csv_href: str


def calendar_page(*, user: Any, moment: Moment, asked: Mapping[str, str], page: int) -> CalendarPage:
    """One page of at most 200 services; `asked` holds the filters as the address gives them. Five questions, whatever the estate's size."""
    wanted = {name: asked.get(name, "").strip() for name in FILTERS}
    days = shown_days(wanted["ending"], moment)
    group = "department" if wanted["by"] == "department" else "tier"
    everything = entries(user, moment)
    matching = filtered(everything, wanted, days)
    counted = totals_of(matching, group, days)
    total = sum(counts["services"] for counts in counted.values())
    first = PAGE * (min(max(1, page), max(1, -(-total // PAGE))) - 1)
    rows = rows_of(matching, group=group, days=days, first=first, most=PAGE, moment=moment)
    zones = {row.zone for shown in rows.values() for row in shown}
    to = partial(_href, moment, wanted)
    return CalendarPage(
        sentence=_sentence(counted, zone_words(zones, moment), days, moment),
        heads=tuple(_head(day, days[-1]) for day in days),
        groups=groups_of(rows, counted, group),
        legend=legend_of(cell for shown in rows.values() for row in shown for cell in row.days),
        tiers=tuple(Choice(value=str(n), words=f"Tier {n}, {name.lower()}", chosen=wanted["tier"] == str(n)) for n, name in TIERS.items()),
        departments=_departments(everything, wanted["department"]),
        kept=tuple((name, wanted[name]) for name in ("trouble", "rows", "by", "ending") if wanted[name]),
        filtered=any(wanted[name] for name in ("department", "tier", "trouble")),
        compact=wanted["rows"] == "compact",
        only_trouble=bool(wanted["trouble"]),
        last_words=_head(days[-1], days[-1]).words,
        trouble=Link("Only rows with trouble", to(trouble="" if wanted["trouble"] else "yes")),
        density=Link("Compact rows", to(rows="" if wanted["rows"] == "compact" else "compact")),
        regroup=Link("Group by tier", to(by="")) if group == "department" else Link("Group by department", to(by="department")),
        **_neighbours(days, moment, to),
        paging=paging_of(first, sum(map(len, rows.values())), total, PAGE, lambda number: to(page=number)),
        csv_href=to(page=page if page > 1 else "", format="csv"),
    )


def _href(moment: Moment, wanted: Mapping[str, str], **changed: Any) -> str:
    return moment.href("calendar", **{**wanted, **changed})


def shown_days(ending: str, moment: Moment) -> list[dt.date]:
    """The 31 days ending at the asked day, never later than the moment's; an unreadable or too distant day gives the nearest."""
    newest = moment.at.astimezone(zone()).date()
    try:
        last = dt.date.fromisoformat(ending)
    except ValueError:
        last = newest
    return span(max(min(last, newest), newest - dt.timedelta(days=MOST_BACK)), DAYS)


def _neighbours(days: Sequence[dt.date], moment: Moment, to: Any) -> dict[str, str]:
    newest = moment.at.astimezone(zone()).date()
    before, after = days[0] - dt.timedelta(days=1), days[-1] + dt.timedelta(days=DAYS)
    return {
        "earlier": to(ending=before.isoformat()) if before >= newest - dt.timedelta(days=MOST_BACK) else "",
        "later": "" if days[-1] >= newest else to(ending=after.isoformat() if after < newest else ""),
    }


def zone_words(zones: Collection[str], moment: Moment) -> str:
    """The zone of the days, once for the page."""
    if len(zones) > 1:
        return "each service's own zone"
    return moment.at.astimezone(ZoneInfo(*zones) if zones else zone()).tzname() or ""


def _sentence(counted: dict[Any, Counter[str]], where: str, days: Sequence[dt.date], moment: Moment) -> str:
    """What the cells are, and what they come to; held days and days to come are service days too."""
    counts: Counter[str] = sum(counted.values(), Counter())
    total = counts.total() - counts["services"]
    bad = ", ".join(f"{counts[kind]:,} {words}" for kind, words in BAD.items() if counts[kind])
    found = f"{bad or 'None failed, missed or late'} of {many(total, 'service day')}." if total else "Nothing was due."
    return f"One cell per service and day ({where}), {span_words(days)}, showing the worst run. {found}{moment.as_known_today}"


def _head(on: dt.date, newest: dt.date) -> DayHead:
    return DayHead(on=on, letter=f"{on:%a}"[0], words=f"{on:%A} {on.day} {on:%B}", weekend=on.weekday() > 4, newest=on == newest)


def _departments(rows: QuerySet[ServiceVersion], chosen: str) -> tuple[Choice, ...]:
    names = rows.exclude(department="").order_by("department").values_list("department", flat=True).distinct()
    return tuple(Choice(value=name, words=name, chosen=name == chosen) for name in names)


def as_csv(*, user: Any, moment: Moment, asked: Mapping[str, str], page: int) -> str:
    """What the page shows, row by row: the letters of the day cells, G for a good day, nothing where nothing was due."""
    shown = calendar_page(user=user, moment=moment, asked=asked, page=page)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["code", "name", "tier", "department", *(head.on.isoformat() for head in shown.heads), "good_days", "counted_days"])
    for row in (row for group in shown.groups for row in group.rows):
        letters = [{"good": "G", "pending": "P", "not_scheduled": ""}.get(cell.kind, cell.letter) for cell in row.days]
        told = [row.code, row.service.words, row.tier, row.department, *letters, row.good.good, row.good.counted]
        writer.writerow([harmless(value) for value in told])
    return out.getvalue()
