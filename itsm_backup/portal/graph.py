"""The graph of one service, upwards and downwards, and the graph of a part of the estate: as a picture and as nested lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from catalogue import weave
from catalogue.impact import Consumer, Walked, closure, hit, nearest_first
from catalogue.models import Relation, Service
from catalogue.weave import BACKUP_STOPS, STOPS
from itsm_backup.common.charts import Chart, LayerBox, LayerLine, layered_graph, layers_of
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.weave_view import Filters, Named, asked_of, filters_of, kinds_of, named, narrowed, versions_of
from itsm_backup.portal.words import counts_as, many

MOST = 200  # boxes of one picture
MOST_LINES = 400  # between them; of more, each service is drawn with the shortest way to it alone


@dataclass(frozen=True, kw_only=True)
class GraphPage:
    code: str
    name: str
    sentence: str
    chart: Chart | None
    lists: tuple[tuple[str, SafeString], ...]  # head and nested list
    left_out: str
    filters: Filters | None = None
    service_href: str = ""


def service_graph(*, service: Service, user: Any, moment: Moment) -> GraphPage:
    """Everything that the service needs and everything that needs it, nearest first, at most 200."""
    down = closure([service.pk], up=False, at=moment.at, hard_only=False, known_then=moment.past)
    up = closure([service.pk], up=True, at=moment.at, hard_only=False, known_then=moment.past)
    needed, needing = nearest_first([service.pk], down, up=False), nearest_first([service.pk], up)
    below = needed[: max(MOST // 2, MOST - len(needing)) - 1]
    above = needing[: MOST - 1 - len(below)]
    names = named(user, moment, {service.pk, *(one.service_id for one in [*below, *above])}, weighed=service.pk)
    below, above = ([one for one in side if one.service_id in names] for side in (below, above))
    reached = hit([service.pk], up)
    me = names[service.pk]
    sentence = _sentence(me, len(needed), len(needing), reached) + _tier(me)
    columns = _around(me, below, above, names, moment)
    shown = len(below) + len(above)
    lines, ways = _drawn(_lines({*down, *up}, names), below, above)
    return GraphPage(
        code=me.code,
        name=me.name,
        sentence=sentence,
        chart=layered_graph(columns=columns, lines=lines, sentence=sentence) if shown else None,
        lists=(
            (f"What {me.name} needs", _nested(me.pk, below, names, _words(down, names, up=False), moment, of=len(needed))),
            (f"What needs {me.name}", _nested(me.pk, above, names, _words(up, names, up=True), moment, of=len(needing))),
        ),
        left_out=f"{_left_out(len(needed) + len(needing) - shown)}{ways}".strip(),
        service_href=moment.href("service", me.code),
    )


def _drawn(lines: list[LayerLine], below: Sequence[Consumer], above: Sequence[Consumer]) -> tuple[list[LayerLine], str]:
    """The lines of the picture, and a sentence on those that would hide it."""
    if len(lines) <= MOST_LINES:
        return lines, ""
    nearest = {(one.service_id, one.via_id) for one in below} | {(one.via_id, one.service_id) for one in above}
    softest_first = sorted(lines, key=lambda line: not line.dashed)  # of two between the same, the harder is drawn
    kept = list({ends: line for line in softest_first if (ends := (line.source, line.target)) in nearest}.values())
    return kept, f" Only the shortest way to each is drawn; {len(lines) - len(kept):,} more relations stand between them."


def estate_graph(*, user: Any, moment: Moment, asked: Mapping[str, str]) -> GraphPage:
    """The services of the filters and what they need; a part of the estate that fits one picture, or a request to narrow it."""
    wanted = asked_of(asked)
    everything = versions_of(user, moment)
    rows = narrowed(everything, wanted)
    found = list(rows.order_by("tier", "service__code").values_list("service", flat=True)[: MOST + 1])
    filters = filters_of(everything, wanted)
    standing = weave.relations_at(moment.at, known_then=moment.past, consumers=found[:MOST], kinds=kinds_of(wanted))
    names = named(user, moment, {*found[:MOST], *(one.provider_id for one in standing)})
    lines = {
        Walked(one.provider_id, one.consumer_id, one.kind, one.strength, one.id)
        for one in standing
        if one.provider_id in names and one.consumer_id in names
    }
    joined = {pk for one in lines for pk in one[:2]}
    shown = sorted(joined, key=lambda pk: (names[pk].tier or 9, names[pk].code))[:MOST]
    kept = {pk: names[pk] for pk in shown}
    layer = layers_of(kept, sorted({one[:2] for one in lines}))
    columns = [
        (f"{many(depth, 'step')} up" if depth else _bottom(layer, lines), _boxes(kept, layer, depth, moment))
        for depth in range(max(layer.values(), default=-1) + 1)
    ]  # fmt: skip
    lines = {one for one in lines if one.provider_id in kept and one.consumer_id in kept}
    sentence = f"{many(len(kept), 'service')} and {many(len(lines), 'relation')} between them."
    return GraphPage(
        code="",
        name="",
        sentence=sentence if kept else "No relation stands here.",
        chart=layered_graph(columns=columns, lines=_lines(lines, kept), sentence=sentence) if kept else None,
        lists=(("Who needs whom", _by_consumer(lines, kept, moment)),) if kept else (),
        left_out=_estate_left_out(len(found), len(joined)),
        filters=filters,
    )


def _bottom(layer: Mapping[Any, int], lines: Iterable[Walked]) -> str:
    """What the first column is: a circle has no bottom, so the picture begins somewhere in it."""
    circle = any(layer.get(one.consumer_id) == 0 and one.provider_id in layer for one in lines)
    return "Rests on nothing, or on a circle" if circle else "Rests on nothing"


def _boxes(kept: Mapping[int, Named], layer: Mapping[Any, int], depth: int, moment: Moment) -> list[LayerBox]:
    return [_box(one, "", moment) for one in kept.values() if layer[one.pk] == depth]


def _estate_left_out(found: int, joined: int) -> str:
    if found > MOST or joined > MOST:
        return f"More than {MOST} services fit these filters; the strictest tiers are shown. Choose a department or a tier to see the rest."
    return ""


def _sentence(me: Named, needed: int, needing: int, reached: Sequence[Consumer]) -> str:
    if not needed and not needing:
        return f"{me.name} stands alone: no relation names it."
    losing = sum(one.only_backup for one in reached)
    stops = many(len(reached) - losing, "service stops with it", "services stop with it")
    loses = f" and {many(losing, 'loses its backup', 'lose their backup')}" if losing else ""
    return f"{me.name} needs {many(needed, 'service')}; {stops}{loses}, of {needing:,} that need it."


def _tier(me: Named) -> str:
    """As what tier it counts, where something stricter hangs on it."""
    told = counts_as(me.tier, me.effective_tier)
    return f" Its tier is {me.tier}{told}." if told else ""


def _left_out(count: int) -> str:
    return f"{many(count, 'service')} further away or not to be seen by you are left out." if count else ""


def _around(me: Named, below: Sequence[Consumer], above: Sequence[Consumer], names: Mapping[int, Named], moment: Moment) -> list[Any]:
    """(head, boxes) from left to right: what it needs, what stands in a circle with it, itself, and what needs it. No box stands twice."""
    circle = {one.service_id for one in below} & {one.service_id for one in above}
    left, right = ([one for one in side if one.service_id not in circle] for side in (below, above))
    both = [_box(names[one.service_id], "", moment) for one in below if one.service_id in circle]
    itself = LayerBox(key=me.pk, title=me.short, note=me.code, tone="start")
    return [
        *_columns(left, me, names, moment, "Needs", -1),
        *([("In a circle with it", both)] if both else []),
        ("", [itself]),
        *_columns(right, me, names, moment, "Needed by", 1),
    ]


def _columns(reached: Sequence[Consumer], me: Named, names: Mapping[int, Named], moment: Moment, head: str, sign: int) -> list[Any]:
    """(head, boxes) by distance, from left to right."""
    depths = sorted({one.depth for one in reached}, reverse=sign < 0)
    return [
        (f"{head}, {many(depth, 'step')}", [_box(names[one.service_id], "", moment) for one in reached if one.depth == depth])
        for depth in depths
    ]


def _box(one: Named, tone: str, moment: Moment) -> LayerBox:
    note = f"{one.code}, tier {one.tier}" if one.tier else one.code
    return LayerBox(key=one.pk, title=one.short, note=note, tone=tone, href=moment.href("service_graph", one.code))


def _lines(walked: Iterable[Walked], names: Mapping[int, Named]) -> list[LayerLine]:
    return [
        LayerLine(
            source=one.provider_id, target=one.consumer_id, dashed=one.strength == Relation.Strength.SOFT,
            words=f"{Relation.Kind(one.kind).label}, {one.strength}",
        )
        for one in sorted(walked) if one.provider_id in names and one.consumer_id in names
    ]  # fmt: skip


def _words(walked: Iterable[Walked], names: Mapping[int, Named], *, up: bool) -> dict[tuple[int, int], str]:
    """(from, to) along the walk → how the consumer needs the provider, for those that are named."""
    found: dict[tuple[int, int], list[str]] = {}
    for one in walked:
        if one.provider_id not in names or one.consumer_id not in names:
            continue
        ends = (one.provider_id, one.consumer_id) if up else (one.consumer_id, one.provider_id)
        found.setdefault(ends, []).append(_how(one))
    return {ends: "; ".join(words) for ends, words in found.items()}


def _how(one: Walked) -> str:
    effect = {STOPS: "stops without it", BACKUP_STOPS: "its backup stops without it"}.get(one.letter, "goes on without it")
    return f"{Relation.Kind(one.kind).label}, {effect}"


def _nested(
    start: int, reached: Sequence[Consumer], names: Mapping[int, Named], words: Mapping[Any, str], moment: Moment, *, of: int
) -> SafeString:
    """A list in lists, each service below the one through which it is reached; made without recursion, because ways may be long.
    `of` is how many there are with those that may not be seen."""
    below: dict[int, list[int]] = {}
    for one in reached:
        below.setdefault(one.via_id, []).append(one.service_id)
    if start not in below:
        return format_html('<p class="quiet">{}</p>', f"Nothing of {many(of, 'service')} that you may see." if of else "Nothing.")
    parts: list[str] = ["<ul>"]
    work: list[Any] = ["</ul>", *((start, pk) for pk in reversed(below[start]))]
    while work:
        here = work.pop()
        if isinstance(here, str):
            parts.append(here)
            continue
        via, pk = here
        parts.append(format_html("<li>{}", _entry(names[pk], words.get((via, pk), ""), moment)))
        work.append("</li>")
        if pk in below:
            parts.append("<ul>")
            work += ["</ul>", *((pk, further) for further in reversed(below[pk]))]
    return mark_safe("".join(parts))  # noqa: S308 - every name went through format_html


def _by_consumer(lines: Iterable[Walked], names: Mapping[int, Named], moment: Moment) -> SafeString:
    needs: dict[int, list[Walked]] = {}
    for one in sorted(lines):
        if one.consumer_id in names and one.provider_id in names:
            needs.setdefault(one.consumer_id, []).append(one)
    parts = []
    for consumer in sorted(needs, key=lambda pk: names[pk].name):
        inner = format_html_join("", "<li>{}</li>", ((_entry(names[one.provider_id], _how(one), moment),) for one in needs[consumer]))
        parts.append(format_html("<li>{}<ul>{}</ul></li>", _entry(names[consumer], "", moment), inner))
    return mark_safe(f"<ul>{''.join(parts)}</ul>")  # noqa: S308 - every name went through format_html


def _entry(one: Named, words: str, moment: Moment) -> SafeString:
    told = format_html(' <span class="quiet small">{}</span>', words) if words else ""
    return format_html('<a href="{}">{}</a>{}', moment.href("service_graph", one.code), one.name, told)
