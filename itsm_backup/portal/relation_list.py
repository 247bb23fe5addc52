"""What is to be decided about relations: proposals of the monitoring, circles, entries that stand alone, loose ends."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString

from catalogue import weave
from catalogue.models import RejectedRelation, Relation, SeenRelation, Service
from catalogue.weave import Standing
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.weave_view import Named, named, versions_of
from itsm_backup.portal.words import instant, many, person

MOST = 50
FLOWS = [kind for kind in Relation.Kind.values if kind not in ("part_of", "supersedes")]  # in these alone the database allows circles


@dataclass(frozen=True, kw_only=True)
class Proposal:
    pk: int
    consumer: Link
    provider: Link
    words: str
    evidence: str
    since: SafeString
    may_decide: bool
    strengths: tuple[tuple[str, str], ...] = tuple(Relation.Strength.choices)


@dataclass(frozen=True, kw_only=True)
class Rejected:
    pk: int
    words: str
    reason: str
    by: str
    at: SafeString
    may_decide: bool


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One that begins later."""

    pk: int
    consumer: Link
    provider: Link
    words: str
    meaning: str
    since: SafeString
    until: SafeString | str
    may_decide: bool


@dataclass(frozen=True, kw_only=True)
class Circle:
    members: tuple[Link, ...]
    words: str


@dataclass(frozen=True, kw_only=True)
class Loose:
    consumer: Link
    provider: str
    words: str


@dataclass(frozen=True, kw_only=True)
class RelationsPage:
    sentence: str
    proposals: tuple[Proposal, ...]
    planned: tuple[Planned, ...]
    rejected: tuple[Rejected, ...]
    circles: tuple[Circle, ...]
    alone: tuple[Link, ...]
    loose: tuple[Loose, ...]
    more: Mapping[str, str]  # how many of each are not shown
    may_import: bool


def relations_page(*, user: Any, moment: Moment) -> RelationsPage:
    """Everything that waits for a steward; the number of queries does not grow with the estate."""
    entries = {pk: (code, name) for pk, code, name in versions_of(user, moment).values_list("service", "service__code", "name")}
    standing = weave.relations_at(moment.at, known_then=moment.past, planned=True)
    if not user.has_perm("catalogue.view_service"):
        seen_pks = set(Service.objects.visible_to(user).values_list("pk", flat=True))
        standing = [one for one in standing if {one.consumer_id, one.provider_id} <= seen_pks]
    planned = [one for one in standing if one.begins_after(moment.at)]
    standing = [one for one in standing if not one.begins_after(moment.at)]
    knots = weave.circles((one.consumer_id, one.provider_id) for one in standing if _binds(one))
    knots = [knot for knot in knots if all(pk in entries for pk in knot.members)]
    joined = {pk for one in standing for pk in (one.consumer_id, one.provider_id)}
    alone = sorted((code, name) for pk, (code, name) in entries.items() if pk not in joined)
    loose = [one for one in standing if one.consumer_id in entries and one.provider_id not in entries and one.kind != "supersedes"]
    gone = _gone(loose, user, moment)
    seen, rejected = _seen(user, moment)
    able = _able(user, moment, {one.consumer_id for one in (*seen, *planned)} | {one.seen.consumer_id for one in rejected})
    names = named(user, moment, {pk for one in (*seen, *planned) for pk in (one.consumer_id, one.provider_id)})
    seen = [one for one in seen if one.provider_id in names]
    return RelationsPage(
        sentence=_sentence(len(standing), len(planned), len(seen), len(knots), len(alone), len(gone)),
        proposals=tuple(_proposal(one, names, able, moment) for one in seen[:MOST]),
        planned=tuple(_planned(one, names, able, moment) for one in planned[:MOST]),
        rejected=tuple(_rejected(one, able) for one in rejected),
        circles=tuple(_circle(knot, entries, standing, moment) for knot in knots[:MOST]),
        alone=tuple(Link(f"{name} ({code})", moment.href("service_graph", code)) for code, name in alone[:MOST]),
        loose=tuple(_loose(one, entries, gone, moment) for one in loose if one.provider_id in gone)[:MOST],
        more={
            name: f"and {count - MOST:,} more" if count > MOST else ""
            for name, count in (("proposals", len(seen)), ("planned", len(planned)), ("circles", len(knots)), ("alone", len(alone)))
        },
        may_import=not moment.past and Service.objects.visible_to(user, "change").exists(),
    )


def _seen(user: Any, moment: Moment) -> tuple[list[Any], list[Any]]:
    """Proposals and rejections that the person may see; the past proposes nothing."""
    if moment.past:
        return [], []
    rows = SeenRelation.objects.visible_to(user).unanswered(moment.at).order_by("consumer__code", "provider__code")
    rejected = RejectedRelation.objects.visible_to(user).filter(seen__gone_at=None).order_by("-rejected_at")
    return list(rows), list(rejected.select_related("seen__consumer", "seen__provider", "rejected_by")[:20])


def _able(user: Any, moment: Moment, services: Collection[int]) -> set[int]:
    if moment.past or not services:
        return set()
    return set(Service.objects.visible_to(user, "change").filter(pk__in=services).values_list("pk", flat=True))


def _gone(loose: list[Standing], user: Any, moment: Moment) -> dict[int, Named]:
    """Providers to which relations lead although they are no entry in force: retired, or never approved."""
    return named(user, moment, {one.provider_id for one in loose}) if loose else {}


def _sentence(standing: int, planned: int, seen: int, circles: int, alone: int, loose: int) -> str:
    told = [
        f"{many(seen, 'proposal')} to decide" if seen else "",
        many(circles, "circle") if circles else "",
        f"{many(alone, 'entry stands', 'entries stand')} alone" if alone else "",
        f"{many(loose, 'loose end')}" if loose else "",
    ]
    later = f", and {many(planned, 'begins', 'begin')} later" if planned else ""
    return f"{many(standing, 'relation')}{later}. {', '.join(filter(None, told)) or 'Nothing waits'}."


def _proposal(one: Any, names: Mapping[int, Named], able: set[int], moment: Moment) -> Proposal:
    consumer, provider = names[one.consumer_id], names[one.provider_id]
    return Proposal(
        pk=one.pk,
        consumer=Link(consumer.name, moment.href("service_graph", consumer.code)),
        provider=Link(provider.name, moment.href("service_graph", provider.code)),
        words=one.get_kind_display(),
        evidence=one.evidence,
        since=instant(one.first_seen_at),
        may_decide=one.consumer_id in able,
    )


def _planned(one: Standing, names: Mapping[int, Named], able: set[int], moment: Moment) -> Planned:
    consumer, provider = names[one.consumer_id], names[one.provider_id]
    return Planned(
        pk=one.id, words=one.words, meaning=weave.MEANINGS[one.letter],
        consumer=Link(consumer.name, moment.href("service_graph", consumer.code)),
        provider=Link(provider.name, moment.href("service_graph", provider.code)),
        since=instant(one.valid_from), until=instant(one.valid_until) if one.valid_until else "", may_decide=one.consumer_id in able,
    )  # fmt: skip


def _rejected(one: Any, able: set[int]) -> Rejected:
    return Rejected(
        pk=one.pk, words=str(one.seen), reason=one.reason, by=person(one.rejected_by), at=instant(one.rejected_at),
        may_decide=one.seen.consumer_id in able,
    )  # fmt: skip


def _binds(one: Standing) -> bool:
    """Whether a circle through it is one: need flows along it, or the consumer stops without it, by whatever kind."""
    return one.kind in FLOWS or one.letter == weave.STOPS


def _circle(knot: weave.Knot, entries: Mapping[int, tuple[str, str]], standing: list[Standing], moment: Moment) -> Circle:
    steps = {(one.consumer_id, one.provider_id): one.words for one in standing}
    way = knot.way
    words = " → ".join(entries[pk][0] for pk in way)
    first = steps[(way[0], way[1])]
    return Circle(
        members=tuple(Link(entries[pk][1], moment.href("service_graph", entries[pk][0])) for pk in knot.members),
        words=f"{words}: {entries[way[0]][1]} {first} {entries[way[1]][1]}, and the way leads back.",
    )


def _loose(one: Standing, entries: Mapping[int, tuple[str, str]], gone: Mapping[int, Named], moment: Moment) -> Loose:
    code, name = entries[one.consumer_id]
    return Loose(consumer=Link(name, moment.href("service_graph", code)), provider=gone[one.provider_id].name, words=one.words)
