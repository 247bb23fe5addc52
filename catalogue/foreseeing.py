"""What relations mean for promises: which inequalities break along the chains that they join, and whose effective tier rises.

The chains are looked at before and after, in the transaction of the act; to look only, the act is taken back.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from django.db import transaction
from django.db.models import prefetch_related_objects

from catalogue import checking, impact, inheriting
from catalogue.levels import question_of
from catalogue.models import Service, ServiceVersion

Result = TypeVar("Result")
OF_NO_ONE = "services that you may not see"
MOST_TOLD = 5


class Break(NamedTuple):
    """A promise in force that cannot hold any more: of which entry, what breaks it, and until when a deviation bears that."""

    code: str
    name: str
    sentence: str
    inequality: str
    borne_until: dt.date | None


class Raise(NamedTuple):
    """An entry whose effective tier is a stricter one."""

    code: str
    name: str
    before: int
    after: int


@dataclass(frozen=True)
class Consequences:
    """What follows, of entries that the reader may see by name, of the others by their number alone."""

    breaks: tuple[Break, ...] = ()
    raises: tuple[Raise, ...] = ()
    hidden_breaks: int = 0
    hidden_raises: int = 0

    @property
    def sentences(self) -> list[str]:
        told = [f"{one.name} ({one.code}): {one.sentence}{_borne(one)}" for one in self.breaks]
        if self.hidden_breaks:
            told.append(f"{_some(self.hidden_breaks)}: that cannot hold what is promised.")
        told += [f"{one.name} ({one.code}) counts as tier {one.after}, before as {one.before}." for one in self.raises]
        if self.hidden_raises:
            told.append(f"{_some(self.hidden_raises)}: that counts as a stricter tier.")
        return told

    def in_short(self) -> str:
        """The first of these sentences, and how many more there are; empty where nothing follows."""
        told = self.sentences
        more = f" And {len(told) - MOST_TOLD:,} more." if len(told) > MOST_TOLD else ""
        return " ".join(told[:MOST_TOLD]) + more


def _some(count: int) -> str:
    return "A service that you may not see" if count == 1 else f"{count:,} {OF_NO_ONE}"


def _borne(one: Break) -> str:
    return f" A deviation bears it until {one.borne_until:%d %b %Y}." if one.borne_until else ""


def weigh(act: Callable[[], Result], *, ends: Iterable[Service], at: dt.datetime, reader: Any) -> tuple[Result, Consequences]:
    """What the act gives, and what it means for the chains through these services at `at`, in words for this reader."""
    with transaction.atomic():
        touched = {one.pk for one in ends}
        before = _joined(touched, at)
        result = act()
        after = _joined(touched, at)
        return result, NOTHING if before == after else _compared(before, after, at=at, reader=reader)


NOTHING = Consequences()
Relations = frozenset[impact.Walked]


def _joined(ends: Collection[int], at: dt.datetime) -> Relations:
    """Every hard relation below these services, and every one above what stands there: whom the ends concern, with their tiers whole."""
    below = impact.closure(ends, up=False, at=at)
    above = impact.closure({*ends, *(relation.provider_id for relation in below)}, up=True, at=at)
    return frozenset((*below, *above))


def _compared(before: Relations, after: Relations, *, at: dt.datetime, reader: Any) -> Consequences:
    involved = {pk for relation in before | after for pk in relation[:2]}
    versions = ServiceVersion.objects.in_force(at).filter(service__in=involved).select_related("service", "commitment")
    read = {row.service_id: row for row in versions}
    seen = set(Service.objects.visible_to(reader).filter(pk__in=involved).values_list("pk", flat=True))
    breaks = _breaks(before, after, read, seen, at=at, reader=reader)
    raises = _raises(before, after, read)
    return Consequences(
        tuple(one for pk, one in breaks if pk in seen), tuple(one for pk, one in raises if pk in seen),
        len({pk for pk, _ in breaks if pk not in seen}), sum(pk not in seen for pk, _ in raises),
    )  # fmt: skip


def _breaks(
    before: Relations, after: Relations, read: dict[int, ServiceVersion], seen: set[int], *, at: dt.datetime, reader: Any
) -> list[tuple[int, Break]]:
    """Every inequality that did not hold by less before, or held; the entries in the order of their codes."""
    told = inheriting.promises_of(read, at=at, reader=reader)
    chains, chains_before = inheriting.ends_of(after, told), inheriting.ends_of(before, told)
    moved = [pk for pk in chains if pk in read and chains[pk] != chains_before.get(pk)]
    prefetch_related_objects([read[pk] for pk in moved], "offerings", "sla__agreement", "ola__agreement", "contract__agreement")
    granted = checking.granted_to(moved, at)
    found: list[tuple[int, Break]] = []
    for version in sorted((read[pk] for pk in moved), key=lambda row: row.service.code):
        asked, pk = question_of(version, reader=reader), version.service_id
        sizes = {gap.subject: gap.size for gap in inheriting.gaps(asked, chains_before.get(pk, {}))}
        for gap in inheriting.gaps(asked, chains[pk]):
            if gap.size > sizes.get(gap.subject, 0.0):
                finding = checking.finding_of(gap, granted.get(pk, []))
                until = finding.deviation.expires_on if finding.deviation else None
                found.append((pk, Break(version.service.code, version.name, finding.sentence, gap.code, until)))
    return found


def _raises(before: Relations, after: Relations, read: dict[int, ServiceVersion]) -> list[tuple[int, Raise]]:
    tiers = {pk: version.tier for pk, version in read.items()}
    then, now = (impact.inherited_tiers(tiers, [(one.consumer_id, one.provider_id, "hard") for one in side]) for side in (before, after))
    risen = sorted((pk for pk in read if now[pk] < then[pk]), key=lambda pk: read[pk].service.code)
    return [(pk, Raise(read[pk].service.code, read[pk].name, then[pk], now[pk])) for pk in risen]
