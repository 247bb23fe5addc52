"""The services list: filtered, worst first, paged."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Window
from django.utils.safestring import SafeString

from catalogue.models import ServiceVersion
from itsm_backup.portal.affected import told_affected, with_cause
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Exposure, Link
from itsm_backup.portal.of_others import told_in_lists
from itsm_backup.portal.standing import between, exposure_of, standings, told_between, worst_first
from itsm_backup.portal.trouble import alerts_of, flapping_at, handled_in
from itsm_backup.portal.words import TIERS, VERDICTS, many, person
from monitoring.models import BackupJob
from monitoring.serving import SERVES

PAGE, MOST_IN_CSV = 50, 20_000
FILTERS = ("text", "tier", "department", "verdict", "watched", "affected")


@dataclass(frozen=True, kw_only=True)
class ServiceRow:
    verdict: str
    status: str
    service: Link
    code: str
    tier: int
    department: str
    exposure: Exposure
    steward: str
    affected: SafeString | str = ""
    flaps: bool = False
    incident: Link | None = None
    of_others: str = ""  # of one that serves others: how they stand


@dataclass(frozen=True, kw_only=True)
class Choice:
    value: str
    words: str
    chosen: bool


@dataclass(frozen=True, kw_only=True)
class Paging:
    words: str  # "1 to 50 of 1,204"
    earlier: str = ""
    later: str = ""


@dataclass(frozen=True, kw_only=True)
class ServicesPage:
    sentence: str
    gap: str  # says from which time of the past no judgement is kept; else empty
    rows: tuple[ServiceRow, ...]
    tiers: tuple[Choice, ...]
    departments: tuple[Choice, ...]
    verdicts: tuple[Choice, ...]
    text: str
    filtered: bool
    paging: Paging
    csv_href: str


def services_page(*, user: Any, moment: Moment, asked: Mapping[str, str], page: int) -> ServicesPage:
    """One page of the list; `asked` holds the filters as the address gives them, unknown values match nothing."""
    wanted = {name: asked.get(name, "").strip() for name in FILTERS}
    known_today = between(user, moment)
    everything = standings(user, moment, known_today)
    rows = worst_first(_filtered(everything, wanted))
    flaps = flapping_at(moment).filter(service=OuterRef("service"))
    first, total, shown = _shown(with_cause(rows, user, moment).annotate(flaps=Exists(flaps)), page)
    alerts = alerts_of((row.service_id for row in shown if row.verdict != "kept"), user=user, moment=moment)
    serving = [row.service_id for row in shown if row.verdict == SERVES]
    others = told_in_lists(serving, user=user, moment=moment, known_today=known_today) if serving else {}
    kept = dict(wanted)
    return ServicesPage(
        sentence=_sentence(total, wanted),
        gap=told_between(known_today),
        rows=tuple(_row(row, alerts.get(row.service_id, []), others.get(row.service_id, ""), moment) for row in shown),
        tiers=tuple(Choice(value=str(n), words=f"Tier {n}, {name.lower()}", chosen=wanted["tier"] == str(n)) for n, name in TIERS.items()),
        departments=_departments(everything, wanted["department"]),
        verdicts=tuple(Choice(value=value, words=words, chosen=wanted["verdict"] == value) for value, words in VERDICTS.items()),
        text=wanted["text"],
        filtered=any(wanted.values()),
        paging=paging_of(first, len(shown), total, PAGE, lambda number: moment.href("services", **kept, page=number)),
        csv_href=moment.href("services", **kept, format="csv"),
    )


def _shown(rows: QuerySet[ServiceVersion], page: int) -> tuple[int, int, list[Any]]:
    """How many rows stand before the page, how many there are, and those of the page: the last one when there are not so many."""
    first = PAGE * (max(1, page) - 1)
    shown: list[Any] = list(rows.annotate(total=Window(Count("pk")))[first : first + PAGE])
    if shown or first == 0:
        return first, shown[0].total if shown else 0, shown
    return _shown(rows, max(1, -(-rows.count() // PAGE)))


def _filtered(rows: QuerySet[ServiceVersion], wanted: Mapping[str, str]) -> QuerySet[ServiceVersion]:
    if text := wanted["text"]:
        rows = rows.filter(
            Q(name__icontains=text) | Q(short_name__icontains=text) | Q(service__code__icontains=text) | Q(labels__icontains=text)
        )
    if tier := wanted["tier"]:
        rows = rows.filter(tier=int(tier)) if tier in "1234" and len(tier) == 1 else rows.none()
    if department := wanted["department"]:
        rows = rows.filter(department=department)
    if verdict := wanted["verdict"]:
        rows = rows.filter(verdict=verdict)
    if wanted["affected"] == "yes":
        rows = rows.filter(reaches__isnull=False)
    if wanted["watched"] == "no":
        rows = rows.exclude(Exists(BackupJob.objects.filter(service=OuterRef("service"))))
    return rows


def _sentence(total: int, wanted: Mapping[str, str]) -> str:
    if wanted["watched"] == "no":
        return f"{many(total, 'service')} without a backup job."
    if wanted["affected"] == "yes":
        return f"{many(total, 'service')} affected by a provider that is degraded or out."
    if any(wanted.values()):
        return f"{many(total, 'service')} {'matches' if total == 1 else 'match'}."
    return f"{many(total, 'service')} in the catalogue."


def _departments(rows: QuerySet[ServiceVersion], chosen: str) -> tuple[Choice, ...]:
    names = rows.exclude(department="").order_by("department").values_list("department", flat=True).annotate(n=Count("pk"))
    return tuple(Choice(value=name, words=name, chosen=name == chosen) for name in names)


def _row(row: Any, alerts: list[Any], of_others: str, moment: Moment) -> ServiceRow:
    handled, _ = handled_in(alerts, moment)
    return ServiceRow(
        verdict=row.verdict,
        status=row.stands,
        service=Link(row.name, moment.href("service", row.service.code)),
        code=row.service.code,
        tier=row.tier,
        department=row.department,
        exposure=exposure_of(row, moment),
        steward=person(row.steward),
        affected=told_affected(row, moment),
        flaps=row.flaps,
        incident=handled,
        of_others=of_others,
    )


def paging_of(first: int, shown: int, total: int, size: int, href: Any, *, at_least: bool = False) -> Paging:
    """`href` makes the address of a page from its number, counted from 1; with `at_least` no more than `total` were counted."""
    number = first // size + 1
    return Paging(
        words=f"{first + 1:,} to {first + shown:,} of {'at least ' * at_least}{total:,}" if total else "None",
        earlier=href(number - 1) if number > 1 else "",
        later=href(number + 1) if first + shown < total else "",
    )


def as_csv(*, user: Any, moment: Moment, asked: Mapping[str, str]) -> str:
    """Every service of the filters, at most 20,000, worst first; ages in seconds, instants in UTC."""
    wanted = {name: asked.get(name, "").strip() for name in FILTERS}
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(
        ["code", "name", "tier", "department", "verdict", "status", "propagated_status", "newest_copy_at", "age_s", "rpo_s", "steward"]
    )
    for row in worst_first(_filtered(standings(user, moment), wanted))[:MOST_IN_CSV]:
        age_s = int((moment.at - row.captured_at).total_seconds()) if row.captured_at else ""
        captured = row.captured_at.isoformat() if row.captured_at else ""
        entry = [row.service.code, row.name, row.tier, row.department]
        told = [*entry, row.verdict, row.stands, row.reaches or "", captured, age_s, row.promised_s, person(row.steward)]
        writer.writerow([harmless(value) for value in told])
    return out.getvalue()


def harmless(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula is marked as text."""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" and value else value
