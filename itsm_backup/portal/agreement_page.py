"""Catalogue, CMDB and monitoring beside each other: entries whose sides differ, and one entry in full."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Exists, OuterRef, Q, Window
from django.db.models.aggregates import Count, Max, Sum
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from catalogue import cmdb_relations
from catalogue.agreed_fields import CATALOGUE, CMDB, FIELDS, MONITORING, SIDES
from catalogue.models import ConfigurationItem, ItemLink, SeenRelation, Service
from itsm_backup.common.time import duration_words, parse_instant
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link, names_of
from itsm_backup.portal.service_list import Paging, paging_of
from itsm_backup.portal.words import STATUSES, instant, many, person
from monitoring.advising import Told, advise
from monitoring.models import Agreement, Comparison, WriteBack, WriteConflict

PAGE = 25
NOT_KEPT, EMPTY = "not kept", "empty"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What one side says. `odd` when it differs from the master; `lines` where its items say different things."""

    words: str
    odd: bool = False
    quiet: bool = False
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Row:
    label: str
    cells: tuple[Cell, Cell, Cell]
    master: str
    reason: str
    deed: Link | None
    agrees: bool | None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One service with the fields that differ; `agreeing` says how many do not."""

    service: Link
    code: str
    rows: tuple[Row, ...]
    agreeing: str
    href: str


@dataclass(frozen=True, kw_only=True)
class AgreementPage:
    sentence: str
    compared: SafeString | str
    extent: str
    entries: tuple[Entry, ...]
    paging: Paging
    conflicts: int
    unlinked: int
    any_item: bool
    may_ask: bool


@dataclass(frozen=True, kw_only=True)
class ConflictRow:
    pk: int
    label: str
    item: str
    ours: str
    theirs: str
    why: str
    found: SafeString
    decision: str = ""


@dataclass(frozen=True, kw_only=True)
class ItemRow:
    name: str
    cmdb: str
    kind: str
    state: str
    related: tuple[str, ...]
    address: str
    told: str
    link: int


@dataclass(frozen=True, kw_only=True)
class TogetherRow:
    """Two entries that hang together: what each side says, and where a proposal waits."""

    consumer: Link
    provider: Link
    catalogue: str
    cmdb: tuple[str, ...]
    agrees: bool
    advice: str


@dataclass(frozen=True, kw_only=True)
class EntryPage:
    code: str
    name: str
    sentence: str
    compared: SafeString | str
    rows: tuple[Row, ...]
    items: tuple[ItemRow, ...]
    together: tuple[TogetherRow, ...]
    conflicts: tuple[ConflictRow, ...]
    decided: tuple[ConflictRow, ...]
    may_decide: bool
    may_link: bool
    problems: tuple[str, ...] = ()
    typed: dict[str, str] = field(default_factory=dict)


def newest(user: Any, moment: Moment) -> Any:
    """The comparison that counts for each visible entry at the moment."""
    rows = Comparison.objects.filter(service__in=Service.objects.listed().visible_to(user))
    if not moment.past:
        return rows.filter(pk__in=Agreement.objects.filter(comparison__isnull=False).values("comparison"))
    later = Comparison.objects.filter(service=OuterRef("service"), at__lte=moment.at)
    later = later.filter(Q(at__gt=OuterRef("at")) | Q(at=OuterRef("at"), pk__gt=OuterRef("pk")))
    return rows.filter(~Exists(later), at__lte=moment.at)


def agreement_page(*, user: Any, moment: Moment, page: int) -> AgreementPage:
    """Entries whose sides differ, those with most differences first; the number of queries does not grow with them."""
    rows = newest(user, moment)
    counted = rows.aggregate(all=Count("pk"), apart=Count("pk", filter=Q(differing__gt=0)), fields=Sum("differing"))
    first, shown = _shown(rows.filter(differing__gt=0).select_related("service").order_by("-differing", "service__code"), page)
    looked = Agreement.objects.filter(service__in=Service.objects.listed().visible_to(user)).aggregate(latest=Max("compared_at"))["latest"]
    names = names_of([one.service_id for one in shown], moment)
    about = About([one.service_id for one in shown], user, moment)
    return AgreementPage(
        sentence=_sentence(counted["all"], counted["apart"], moment),
        compared=instant(looked) if looked and not moment.past else "",
        extent=_extent(counted["fields"] or 0, counted["apart"]),
        entries=tuple(_entry(one, names, about, moment) for one in shown),
        paging=paging_of(first, len(shown), counted["apart"], PAGE, lambda n: moment.href("agreement", page=n)),
        conflicts=0 if moment.past else WriteConflict.objects.open().visible_to(user).count(),
        unlinked=0 if moment.past else ConfigurationItem.objects.there().visible_to(user).filter(link=None, retired=False).count(),
        any_item=bool(counted["all"]),
        may_ask=not moment.past and user.has_perm("catalogue.change_itemlink"),
    )


def _shown(rows: Any, page: int) -> tuple[int, list[Any]]:
    """How many rows stand before the page, and those of the page: the last one when there are not so many."""
    first = PAGE * (max(1, page) - 1)
    shown = list(rows.annotate(total=Window(Count("pk")))[first : first + PAGE])
    if shown or first == 0:
        return first, shown
    return _shown(rows, max(1, -(-rows.count() // PAGE)))


def _sentence(compared: int, differing: int, moment: Moment) -> str:
    if not compared:
        return "Nothing was compared with a CMDB by then." if moment.past else "Nothing is compared with a CMDB yet."
    verb = "agrees" if compared - differing == 1 else "agree"
    return f"{compared - differing:,} of {many(compared, 'service')} {verb} across all three sources."


def _extent(fields: int, services: int) -> str:
    """How much differs, over all pages of the list."""
    return f"{many(fields, 'field')} {'differs' if fields == 1 else 'differ'} in {many(services, 'service')}." if fields else ""


class About:
    """What is known besides of some entries: items, conflicts, and what was written; three questions for all of them."""

    def __init__(self, services: list[int], user: Any, moment: Moment) -> None:
        self.user, self.moment = user, moment
        self.items = {
            item.pk: item
            for item in ConfigurationItem.objects.filter(link__service__in=services).select_related("cmdb", "link")
        }  # fmt: skip
        conflicts = WriteConflict.objects.filter(service__in=services).select_related("decision__by", "item").order_by("found_at", "pk")
        self.conflicts = list(conflicts)
        self.written = {row.item_id: row for row in WriteBack.objects.filter(service__in=services)}

    def told(self, name: str, items: Iterable[str]) -> Told:
        known = [self.items[int(one)] for one in items if int(one) in self.items]
        conflicts = {one.item_id: one for one in self.conflicts if one.field == name}
        return Told(conflicts, self.written, any(item.cmdb.writes and name in item.cmdb.columns for item in known))


def _entry(one: Any, names: Mapping[int, str], about: About, moment: Moment) -> Entry:
    differing = [row for row in one.rows if row["agrees"] is False]
    others = sum(row["agrees"] is True for row in one.rows)
    return Entry(
        service=Link(names.get(one.service_id, one.service.code), moment.href("service", one.service.code)),
        code=one.service.code,
        rows=tuple(_row(row, one.service, about, moment) for row in differing),
        agreeing=f"{many(others, 'field')} {'agrees' if others == 1 else 'agree'}",
        href=moment.href("agreement_of", one.service.code),
    )


def _row(row: Mapping[str, Any], service: Service, about: About, moment: Moment) -> Row:
    name = row["field"]
    advice = advise(row, about.told(name, row[CMDB])) if row["agrees"] is False else None
    now = advice is not None and not moment.past
    return Row(
        label=FIELDS[name].label, master=SIDES[row["master"]], agrees=row["agrees"], reason=advice.reason if now and advice else "",
        deed=_deed(advice.deed, row, service, about, moment) if now and advice else None,
        cells=(_cell(row, CATALOGUE), _cmdb_cell(row, about), _cell(row, MONITORING)),
    )  # fmt: skip


def _cell(row: Mapping[str, Any], side: str) -> Cell:
    if side not in row["keeps"]:
        return Cell(words=NOT_KEPT, quiet=True)
    return Cell(words=said(row["field"], row[side]), odd=side in row["odd"], quiet=row[side] is None)


def _cmdb_cell(row: Mapping[str, Any], about: About) -> Cell:
    values = row[CMDB]
    if not values:
        return Cell(words=NOT_KEPT, quiet=True)
    words = {pk: said(row["field"], value) for pk, value in values.items()}
    odd = any(pk in row["odd"] for pk in values)
    if len(set(words.values())) == 1:
        return Cell(words=next(iter(words.values())), odd=odd, quiet=all(value is None for value in values.values()))
    lines = tuple(f"{about.items[int(pk)].name if int(pk) in about.items else 'an item'}: {told}" for pk, told in words.items())
    return Cell(words="", odd=odd, lines=lines[:8])


def said(name: str, value: Any) -> str:
    """A value of a field in words."""
    if value is None:
        return EMPTY
    if name == "rpo_s" and isinstance(value, int):
        return duration_words(value)
    if name == "status":
        return STATUSES[value][0] if value in STATUSES else str(value)
    if FIELDS[name].kind == "instant":
        try:
            return f"{parse_instant(str(value)):%d %b %Y, %H:%M} UTC"
        except ValueError:
            return str(value)
    return ", ".join(value) if isinstance(value, list) else str(value)


def _deed(deed: str, row: Mapping[str, Any], service: Service, about: About, moment: Moment) -> Link | None:
    code = service.code
    if deed == "decide":
        return Link("Decide", moment.href("agreement_of", code) + "#conflicts")
    if deed == "days":
        return Link("See the days", moment.href("service_calendar", code))
    if deed == "explain":
        return Link("Why?", moment.href("explain", "status", code))
    if deed == "cmdb":
        item = next((about.items[int(pk)] for pk in row["odd"] if pk.isdigit() and int(pk) in about.items), None)
        return Link(f"Open in {item.cmdb}", item.address) if item and item.address.startswith(("http://", "https://")) else None
    if deed == "jobs" and about.user.is_staff and about.user.has_perm("monitoring.view_backupjob"):
        return Link("Open its jobs", f"{reverse('admin:monitoring_backupjob_changelist')}?service__id__exact={service.pk}")
    if deed == "entry" and about.user.is_staff and about.user.has_perm("catalogue.change_service"):
        return Link("Open the entry", reverse("admin:catalogue_service_change", args=[service.pk]))
    return Link("See its jobs", moment.href("service", code)) if deed in ("jobs", "entry") else None


def entry_page(*, service: Service, name: str, user: Any, moment: Moment, problems: tuple[str, ...] = (), typed: Any = None) -> EntryPage:
    """Every field of one entry, the items that belong to it, and the conflicts that wait or were decided."""
    comparison = newest(user, moment).filter(service=service).first()
    about = About([service.pk], user, moment)
    rows = comparison.rows if comparison else []
    state = Agreement.objects.filter(service=service).first()
    differing, comparable = sum(row["agrees"] is False for row in rows), sum(row["agrees"] is not None for row in rows)
    now = not moment.past
    return EntryPage(
        code=service.code, name=name, sentence=_of_one(differing, comparable, moment),
        compared=instant(state.compared_at) if state and state.compared_at and now else "",
        rows=tuple(_row(row, service, about, moment) for row in rows),
        items=_items(about) if now else (),
        together=_together(service, user, moment) if now else (),
        conflicts=tuple(_conflict(one) for one in about.conflicts if one.ended_at is None) if now else (),
        decided=tuple(_conflict(one) for one in reversed(about.conflicts) if hasattr(one, "decision"))[:20] if now else (),
        may_decide=now and user.has_perm("monitoring.decide_writeconflict"),
        may_link=now and user.has_perm("catalogue.change_itemlink"),
        problems=problems, typed=typed or {},
    )  # fmt: skip


def _of_one(differing: int, comparable: int, moment: Moment) -> str:
    if not comparable:
        return "Nothing of it was compared with a CMDB by then." if moment.past else "Nothing of it is compared with a CMDB yet."
    if not differing:
        return f"All three sources agree in {many(comparable, 'field')}."
    return f"{many(differing, 'field')} of {comparable} {'differs' if differing == 1 else 'differ'}."


def _items(about: About) -> tuple[ItemRow, ...]:
    links = {link.item_id: link for link in ItemLink.objects.filter(item__in=about.items)}
    related: dict[int, list[str]] = {}
    for item in ConfigurationItem.objects.filter(pk__in=about.items).prefetch_related("relations__other"):
        related[item.pk] = [f"{one.kind} {one.other}" for one in item.relations.all()[:6]]
    return tuple(
        ItemRow(
            name=item.name, cmdb=str(item.cmdb), kind=item.table, state=item.state, related=tuple(related.get(item.pk, ())),
            address=item.address if item.address.startswith(("http://", "https://")) else "", link=links[item.pk].pk,
            told=_told(about.written.get(item.pk), item),
        )
        for item in about.items.values()
    )  # fmt: skip


def _together(service: Service, user: Any, moment: Moment) -> tuple[TogetherRow, ...]:
    """Relations with entries that the person may see."""
    rows = cmdb_relations.beside(service=service, at=moment.at)
    ends = {one.pk for row in rows for one in (row.consumer, row.provider)}
    visible = set(Service.objects.visible_to(user).filter(pk__in=ends).values_list("pk", flat=True))
    names = names_of(ends, moment)
    asked = SeenRelation.objects.unanswered(moment.at).filter(consumer__in=ends, provider__in=ends)
    proposed = set(asked.values_list("consumer", "provider"))

    def link(one: Service) -> Link:
        return Link(names.get(one.pk, one.code), moment.href("agreement_of", one.code))

    return tuple(
        TogetherRow(
            consumer=link(row.consumer), provider=link(row.provider), catalogue=", ".join(row.catalogue), cmdb=row.cmdb, agrees=row.agrees,
            advice=_advice_of(row, (row.consumer.pk, row.provider.pk) in proposed),
        )
        for row in rows if {row.consumer.pk, row.provider.pk} <= visible
    )  # fmt: skip


def _advice_of(row: cmdb_relations.Beside, proposed: bool) -> str:
    if row.agrees:
        return ""
    if row.catalogue:
        return "Both have items in a CMDB, and no CMDB joins them. Have it added there, or end it here."
    return "" if proposed else "It was rejected here, or the CMDB's word for it has no meaning here."


def _told(written: WriteBack | None, item: ConfigurationItem) -> str:
    if item.gone_at:
        return "No longer there."
    if written is None or not written.answer:
        return "Nothing was written there." if not item.cmdb.writes else "Nothing had to be written there yet."
    return written.answer


def _conflict(one: WriteConflict) -> ConflictRow:
    decision = getattr(one, "decision", None)
    return ConflictRow(
        pk=one.pk, label=FIELDS[one.field].label, item=one.item.name, ours=said(one.field, one.ours), theirs=said(one.field, one.theirs),
        why=f"{capfirst(one.get_why_display())}.", found=instant(one.found_at),
        decision=f"{capfirst(decision.get_choice_display())}, by {person(decision.by)}: {decision.reason}" if decision else "",
    )  # fmt: skip
