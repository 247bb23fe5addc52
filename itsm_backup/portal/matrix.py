"""The relationship matrix: who needs (rows) whom (columns), a page of it at a time, whatever the estate's size."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet

from catalogue import weave
from catalogue.impact import Consumer, Walked, closure, hit
from catalogue.models import Relation, SeenRelation, Service, ServiceVersion
from catalogue.weave import BACKUP_STOPS, GOES_ON, SEEN, STOPS, Standing
from itsm_backup.common.charts import Chart, LayerBox, LayerLine, layered_graph
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.service_list import Paging, harmless, paging_of
from itsm_backup.portal.weave_view import Filters, Named, asked_of, filters_of, kinds_of, named, narrowed, versions_of
from itsm_backup.portal.words import many

ROWS, COLUMNS, MOST_IN_CSV, BESIDE = 50, 30, 20_000, 9
STRONGEST = (STOPS, BACKUP_STOPS, GOES_ON, SEEN)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """Where a row meets a column. `letter` is empty where there is no relation; `value` names both for the form."""

    letter: str
    words: str
    value: str


@dataclass(frozen=True, kw_only=True)
class Row:
    name: Link
    code: str
    note: str
    cells: tuple[Cell, ...]
    may_change: bool


@dataclass(frozen=True, kw_only=True)
class Column:
    code: str
    name: str
    full: str
    href: str
    chosen: bool


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What happens when the chosen column stops: a sentence, a small graph, the whole one."""

    name: str
    sentence: str
    chart: Chart | None
    href: str


@dataclass(frozen=True, kw_only=True)
class MatrixPage:
    sentence: str
    filters: Filters
    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    paging: Paging
    column_paging: Paging
    beside: Beside | None
    editing: bool
    edit_href: str  # empty when the person may change none of the rows
    read_href: str
    hidden: str  # what is there but not to be seen by this person
    left_out: Link | None  # services that need nothing: none of their rows is here, unless all are asked for
    csv_href: str
    meanings: tuple[tuple[str, str], ...]
    carried: tuple[tuple[str, str], ...]


@dataclass
class _Found:
    """The relations of one page of rows."""

    versions: list[Any]
    names: dict[int, Named]
    cells: dict[tuple[int, int], list[tuple[str, str]]]  # (consumer, provider) → (letter, words)
    hidden: int


def matrix_page(*, user: Any, moment: Moment, asked: Mapping[str, str], page: int, columns_page: int = 1) -> MatrixPage:
    """One page of the matrix; the number of queries does not grow with the estate."""
    wanted = asked_of(asked)
    everything = versions_of(user, moment)
    rows, total, left_out = _rows(narrowed(everything, wanted), wanted, asked, moment)
    first = ROWS * (min(max(1, page), max(1, -(-total // ROWS))) - 1)
    found = _found(list(rows[first : first + ROWS]), wanted, user, moment)
    chosen = next((one for one in found.names.values() if one.code == asked.get("column")), None)
    providers = _columns(found, asked.get("add", ""), user, moment)
    start = COLUMNS * (min(max(1, columns_page), max(1, -(-len(providers) // COLUMNS))) - 1)
    shown = providers[start : start + COLUMNS]
    able = _able(found, user, moment)
    editing = bool(able) and asked.get("edit") == "1"
    kept = {**wanted, "all": asked.get("all", ""), "add": asked.get("add", ""), "edit": "1" if editing else ""}
    here = {**kept, "page": str(first // ROWS + 1) if first else "", "columns": str(start // COLUMNS + 1) if start else ""}
    return MatrixPage(
        sentence=_sentence(found, total),
        filters=filters_of(everything, wanted),
        rows=tuple(_row(version, shown, found, able, moment) for version in found.versions),
        columns=tuple(_column(one, chosen, moment, here) for one in shown),
        paging=paging_of(first, len(found.versions), total, ROWS, lambda number: moment.href("matrix", **kept, page=number)),
        column_paging=paging_of(
            start, len(shown), len(providers), COLUMNS, lambda number: moment.href("matrix", **{**here, "columns": number})
        ),
        beside=_beside(chosen, user, moment) if chosen else None,
        editing=editing,
        edit_href=moment.href("matrix", **{**here, "page": "", "edit": "1"}) if able and not editing else "",
        read_href=moment.href("matrix", **{**here, "edit": ""}),
        hidden=f"{many(found.hidden, 'relation')} to services that you may not see" if found.hidden else "",
        left_out=_left_out(left_out, kept, moment),
        csv_href=moment.href("matrix", **wanted, format="csv"),
        meanings=tuple(weave.MEANINGS.items()),
        carried=tuple((name, value) for name, value in here.items() if value),
    )


def _rows(
    rows: QuerySet[ServiceVersion], wanted: Mapping[str, str], asked: Mapping[str, str], moment: Moment
) -> tuple[QuerySet[ServiceVersion], int, int]:
    """The rows to page through, how many they are, and how many need nothing and are left out. All stay where all are asked for, where
    relations are changed, and where none needs anything."""
    few = any(wanted[name] for name in ("text", "department", "tier"))
    needs = Q(weave.Needs("service", at=moment.at, known_then=moment.past, kinds=kinds_of(wanted), of_few=few))
    if not moment.past:
        needs |= Q(service__in=_proposed(wanted, moment).values("consumer"))
    counted = rows.aggregate(total=Count("pk"), needing=Count("pk", filter=needs))
    rows = rows.order_by("department", "name", "service__code")
    if not counted["needing"] or "1" in (asked.get("all"), asked.get("edit")):
        return rows, counted["total"], 0
    return rows.filter(needs), counted["needing"], counted["total"] - counted["needing"]


def _proposed(wanted: Mapping[str, str], moment: Moment) -> QuerySet[SeenRelation]:
    seen = SeenRelation.objects.unanswered(moment.at)
    return seen.filter(kind=wanted["kind"]) if wanted["kind"] else seen


def _left_out(count: int, kept: Mapping[str, str], moment: Moment) -> Link | None:
    if kept["all"] == "1" and not kept["edit"]:
        return Link("Leave out services that need nothing", moment.href("matrix", **{**kept, "all": ""}))
    words = f"Show {many(count, 'more service', 'more services')} that {'needs' if count == 1 else 'need'} nothing"
    return Link(words, moment.href("matrix", **{**kept, "all": "1"})) if count else None


def _found(versions: list[Any], wanted: Mapping[str, str], user: Any, moment: Moment) -> _Found:
    consumers = [version.service_id for version in versions]
    standing = weave.relations_at(moment.at, known_then=moment.past, consumers=consumers, kinds=kinds_of(wanted))
    seen = SeenRelation.objects.none() if moment.past else _proposed(wanted, moment).filter(consumer__in=consumers)
    proposals = list(seen.values_list("consumer", "provider", "kind", "evidence"))
    names = named(user, moment, {*consumers, *(one.provider_id for one in standing), *(provider for _, provider, *_ in proposals)})
    cells: dict[tuple[int, int], list[tuple[str, str]]] = {}
    for one in standing:
        if one.provider_id in names:
            cells.setdefault((one.consumer_id, one.provider_id), []).append((one.letter, _words(one)))
    for consumer, provider, kind, evidence in proposals:
        if provider in names:
            words = f"perhaps {Relation.Kind(kind).label} it: {evidence}"
            cells.setdefault((consumer, provider), []).append((SEEN, words))
    return _Found(versions, names, cells, sum(one.provider_id not in names for one in standing))


def _words(one: Standing) -> str:
    told = f"{one.words} it, {one.strength}"
    if one.valid_until:
        told += f", until {one.valid_until:%d %b %Y}"
    return told + (f", confirmed {one.confirmed_at:%d %b %Y}" if one.confirmed_at else "")


def _columns(found: _Found, added: str, user: Any, moment: Moment) -> list[Named]:
    """Providers of the page, those that most rows need first; codes that were asked for stand before them."""
    counts: dict[int, int] = {}
    for _, provider in found.cells:
        counts[provider] = counts.get(provider, 0) + 1
    codes = [code.strip() for code in added.replace(",", " ").split()][:COLUMNS]
    if codes:
        extra = named(user, moment, set(Service.objects.filter(code__in=codes).values_list("pk", flat=True)))
        found.names.update(extra)
        counts = dict.fromkeys(extra, len(found.versions) + 1) | {pk: n for pk, n in counts.items() if pk not in extra}
    return sorted((found.names[pk] for pk in counts), key=lambda one: (-counts[one.pk], one.short, one.code))


def _able(found: _Found, user: Any, moment: Moment) -> set[int]:
    """The rows that this person may relate; nobody changes the past."""
    if moment.past:
        return set()
    services = [version.service_id for version in found.versions]
    return set(Service.objects.visible_to(user, "change").filter(pk__in=services).values_list("pk", flat=True))


def _row(version: Any, columns: Sequence[Named], found: _Found, able: set[int], moment: Moment) -> Row:
    code = version.service.code
    return Row(
        name=Link(version.name, moment.href("service_graph", code)),
        code=code,
        note=f"{code}, tier {version.tier}" + (f", {version.department}" if version.department else ""),
        cells=tuple(_cell(version, one, found) for one in columns),
        may_change=version.service_id in able,
    )


def _cell(version: Any, column: Named, found: _Found) -> Cell:
    there = found.cells.get((version.service_id, column.pk), [])
    letter = min((letter for letter, _ in there), key=STRONGEST.index, default="")
    return Cell(letter=letter, words="; ".join(words for _, words in there), value=f"{version.service.code}>{column.code}")


def _column(one: Named, chosen: Named | None, moment: Moment, here: Mapping[str, str]) -> Column:
    return Column(
        code=one.code, name=one.short, full=one.name, href=moment.href("matrix", **{**here, "column": one.code}) + "#beside",
        chosen=one is chosen,
    )  # fmt: skip


def _sentence(found: _Found, total: int) -> str:
    if not found.cells:
        return "No relation stands here." if total else "No service matches."
    letters = [min((letter for letter, _ in there), key=STRONGEST.index) for there in found.cells.values()]
    needed = len({provider for _, provider in found.cells})
    told = [f"{letters.count(letter)} {words}" for letter, words in (
        (STOPS, "where it stops"), (BACKUP_STOPS, "where only its backup stops"), (GOES_ON, "where it goes on"), (SEEN, "to be decided"),
    ) if letters.count(letter)]  # fmt: skip
    needing = len({consumer for consumer, _ in found.cells})
    part = f"Of the {len(found.versions):,} services on this page, " if total > len(found.versions) else ""
    verb = "needs" if needing == 1 else "need"
    who = f"{needing:,} {verb}" if part else many(needing, f"service {verb}", f"services {verb}")
    return f"{part}{who} {many(needed, 'other')}, in {many(len(letters), 'relation')}: {', '.join(told)}."


def _beside(chosen: Named, user: Any, moment: Moment) -> Beside:
    walked = closure([chosen.pk], up=True, at=moment.at, hard_only=False, known_then=moment.past)
    direct = [one for one in walked if one.provider_id == chosen.pk]
    once = _once(direct)
    names = named(user, moment, {one.consumer_id for one in once[: 4 * BESIDE]})
    shown = [one for one in once if one.consumer_id in names][: BESIDE if len(once) <= BESIDE else BESIDE - 1]
    sentence = _effect(direct, hit([chosen.pk], walked))
    return Beside(
        name=chosen.name,
        sentence=sentence,
        chart=_small_graph(chosen, shown, names, moment, sentence, more=len(once) - len(shown)) if shown else None,
        href=moment.href("service_graph", chosen.code),
    )


def _once(direct: list[Walked]) -> list[Walked]:
    """Each consumer by its strongest relation, what stops first."""
    rank = {id(one): STRONGEST.index(one.letter) for one in direct}
    met: dict[int, Walked] = {}
    for one in sorted(direct, key=lambda one: rank[id(one)]):
        met.setdefault(one.consumer_id, one)
    return list(met.values())


def _effect(direct: list[Walked], reached: list[Consumer]) -> str:
    """What its stop does to those that need it: directly, and further on over hard relations."""
    near = {letter: {one.consumer_id for one in direct if one.letter == letter} for letter in (STOPS, BACKUP_STOPS, GOES_ON)}
    stopping = [one.service_id in near[STOPS] for one in reached if not one.only_backup]
    losing = [one.service_id in near[BACKUP_STOPS] for one in reached if one.only_backup]
    goes_on = len(near[GOES_ON] - {one.service_id for one in reached})
    told = [
        many(sum(stopping), "service stops", "services stop") if any(stopping) else "",
        many(sum(losing), "loses its backup", "lose their backup") if any(losing) else "",
        f"{stopping.count(False):,} more further on" if not all(stopping) else "",
        many(losing.count(False), "more loses its backup further on", "more lose their backup further on") if not all(losing) else "",
        many(goes_on, "goes on", "go on") if goes_on else "",
    ]
    return (", ".join(filter(None, told)) or "Nothing needs it") + "."


def _small_graph(chosen: Named, shown: list[Walked], names: dict[int, Named], moment: Moment, sentence: str, *, more: int) -> Chart:
    """Those that need it directly, what stops first; the last box counts the others and leads to the whole graph."""
    boxes = [_box(names[one.consumer_id], one.letter, moment) for one in shown]
    lines = [
        LayerLine(source=chosen.pk, target=one.consumer_id, dashed=one.strength == "soft", words=Relation.Kind(one.kind).label)
        for one in shown
    ]
    if more:
        boxes.append(LayerBox(key="more", title=f"and {more:,} more", href=moment.href("service_graph", chosen.code)))
    start = LayerBox(key=chosen.pk, title=chosen.short, tone="start")
    return layered_graph(columns=[("", [start]), ("", boxes)], lines=lines, sentence=f"If {chosen.name} stops: {sentence}")


def _box(one: Named, letter: str, moment: Moment) -> LayerBox:
    tone = {STOPS: "stops", BACKUP_STOPS: "backup"}.get(letter, "")
    return LayerBox(key=one.pk, title=one.short, tone=tone, href=moment.href("service_graph", one.code))


def as_csv(*, user: Any, moment: Moment, asked: Mapping[str, str]) -> str:
    """Every relation of the filters, one a line and at most 20,000, in the columns that an import takes."""
    wanted = asked_of(asked)
    versions = list(narrowed(versions_of(user, moment), wanted).order_by("service__code")[:MOST_IN_CSV])
    consumers = {version.service_id: version.service.code for version in versions}
    standing = weave.relations_at(moment.at, known_then=moment.past, consumers=consumers, kinds=kinds_of(wanted))
    names = named(user, moment, {one.provider_id for one in standing})
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["consumer", "provider", "kind", "strength", "valid_from", "valid_until", "origin", "confirmed_at"])
    for one in [one for one in standing if one.provider_id in names][:MOST_IN_CSV]:
        instants = [at.isoformat() if at else "" for at in (one.valid_from, one.valid_until)]
        confirmed = one.confirmed_at.isoformat() if one.confirmed_at else ""
        line = [consumers[one.consumer_id], names[one.provider_id].code, one.kind, one.strength, *instants, one.origin, confirmed]
        writer.writerow([harmless(value) for value in line])
    return out.getvalue()
