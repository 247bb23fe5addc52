"""How relations come to stand: made, changed, confirmed, ended; one by one or many with one reason, seen before they are kept."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import Q

from catalogue import duties, foreseeing
from catalogue.foreseeing import NOTHING, Consequences
from catalogue.models import RejectedRelation, Relation, SeenRelation, Service
from catalogue.models.relations import WRITE_LOCK
from catalogue.publishing import NotReady, Refused, problems_of
from itsm_backup.common.models import because

WITHOUT_CIRCLE = {Relation.Kind.PART_OF: "a part of", Relation.Kind.SUPERSEDES: "superseding"}
END, CONFIRM = "end", "confirm"


@dataclass(frozen=True)
class Wish:
    """One relation as somebody wants it: `strength` is hard or soft, `end`, or `confirm` for one that stands as it is."""

    consumer: str
    provider: str
    kind: str
    strength: str
    valid_from: dt.datetime | None = None
    valid_until: dt.datetime | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of a wish, or would: `words` says it, `problem` why it cannot be."""

    wish: Wish
    words: str = ""
    problem: str = ""
    changes: bool = False


class _Undo(Exception):
    pass


def relate(
    *, consumer: Service, provider: Service, kind: str, strength: str, by: Any, at: dt.datetime, reason: str,
    valid_from: dt.datetime | None = None, valid_until: dt.datetime | None = None, seen: bool = False,
) -> Relation:  # fmt: skip
    """The relation that stands now between the two in this way, made or changed. One that was `seen` counts as discovered.

    Raises NotReady when it cannot be (a circle, a retired end), NotAllowed for who may not change the consumer.
    """
    duties.check(by=by, act="relate", on=consumer, at=at)
    with transaction.atomic():
        alone()
        row = Relation.objects.filter(consumer=consumer, provider=provider, kind=kind).standing(at).first()
        if row is None:
            row = Relation(consumer=consumer, provider=provider, kind=kind, valid_from=valid_from)
            if seen:
                row.origin, row.confirmed_at, row.confirmed_by = Relation.Origin.DISCOVERED, at, by
        row.strength, row.valid_until = strength, valid_until
        return _kept(row, by=by, at=at, reason=reason)


def confirm(*, relation: Relation, by: Any, at: dt.datetime, reason: str) -> Relation:
    """The relation, with the word of a steward that it is still so."""
    duties.check(by=by, act="relate", on=relation.consumer, at=at)
    with transaction.atomic():
        alone()
        row = _standing(relation, at)
        row.confirmed_at, row.confirmed_by = at, by
        return _kept(row, by=by, at=at, reason=reason)


def change(*, relation: Relation, by: Any, at: dt.datetime, reason: str, **wanted: Any) -> Relation:
    """The relation with another strength, end, or, before it has begun, beginning. Raises NotReady, NotAllowed."""
    duties.check(by=by, act="relate", on=relation.consumer, at=at)
    with transaction.atomic():
        alone()
        row = _standing(relation, at, planned=True)
        if wanted.get("valid_from", row.valid_from) != row.valid_from and not is_planned(row, at):
            raise NotReady([f"{row} has begun: its beginning stays. End it, and make another one."])
        for name, value in wanted.items():
            setattr(row, name, value)
        return _kept(row, by=by, at=at, reason=reason)


def end(*, relation: Relation, by: Any, at: dt.datetime, reason: str) -> Relation:
    """The relation no longer holds from `at` on; until then it did, and that stays readable. One that has not begun is taken back: it
    never holds, and its history says who planned it and who took it back."""
    duties.check(by=by, act="relate", on=relation.consumer, at=at)
    with transaction.atomic():
        alone()
        row = _standing(relation, at, planned=True)
        if not is_planned(row, at):
            row.valid_until = at
            return _kept(row, by=by, at=at, reason=reason)
        row._history_date = at  # type: ignore[attr-defined]
        with because(reason, by=by):
            row.delete()
        return row


def is_planned(relation: Relation, at: dt.datetime) -> bool:
    return relation.valid_from is not None and relation.valid_from > at


def accept(*, seen: SeenRelation, strength: str, by: Any, at: dt.datetime, reason: str) -> Relation:
    """What monitoring saw becomes a relation of the catalogue, confirmed by a steward."""
    said: dict[str, Any] = {"by": by, "at": at, "reason": reason}
    return relate(consumer=seen.consumer, provider=seen.provider, kind=seen.kind, strength=strength, seen=True, **said)


def reject(*, seen: SeenRelation, by: Any, at: dt.datetime, reason: str) -> RejectedRelation:
    """What monitoring saw is no relation, says a steward; it is not proposed again until somebody takes that back."""
    duties.check(by=by, act="relate", on=seen.consumer, at=at)
    with transaction.atomic(), because(reason, by=by):
        held = SeenRelation.objects.select_for_update().get(pk=seen.pk)
        if RejectedRelation.objects.filter(seen=held).exists():
            raise NotReady([f"“{held}” is rejected already. Nothing was changed."])
        return RejectedRelation.objects.create(seen=held, reason=reason, rejected_at=at, rejected_by=by)


def propose_again(*, rejected: RejectedRelation, by: Any, at: dt.datetime, reason: str) -> None:
    """Take a rejection back: what was seen stands for decision once more."""
    duties.check(by=by, act="relate", on=rejected.seen.consumer, at=at)
    with transaction.atomic(), because(reason, by=by):
        rejected.delete()


def carry_out(wishes: Iterable[Wish], *, by: Any, at: dt.datetime, reason: str, keep: bool = True, partly: bool = False) -> list[Outcome]:
    """Every wish in its order, each with what came of it. Nothing is kept without `keep`, or when one fails and it is not `partly`."""
    wishes = list(wishes)
    found = _services(wishes, by)
    outcomes: list[Outcome] = []
    try:
        with transaction.atomic(), because(reason, by=by):
            alone()
            for wish in wishes:
                outcomes.append(_one(wish, found, by=by, at=at, reason=reason))
            if not keep or (any(one.problem for one in outcomes) and not partly):
                raise _Undo
    except _Undo:
        pass
    return outcomes


def foresee(wishes: Iterable[Wish], *, by: Any, at: dt.datetime, reason: str) -> tuple[list[Outcome], Consequences]:
    """What would come of every wish, and what all of them would mean for promises and tiers, named as the person may see it.

    Everything is done and taken back, so it finds what doing would find, circles among the wishes included.
    """
    wishes = list(wishes)
    found = _services(wishes, by)
    when = max([at, *(wish.valid_from for wish in wishes if wish.valid_from)])  # what begins later is weighed on its first day
    outcomes: list[Outcome] = []
    follows = NOTHING
    try:
        with transaction.atomic(), because(reason, by=by):
            alone()
            outcomes, follows = foreseeing.weigh(
                lambda: [_one(wish, found, by=by, at=at, reason=reason) for wish in wishes], ends=found.values(), at=when, reader=by
            )
            raise _Undo
    except _Undo:
        pass
    return outcomes, follows


def circle(
    *, consumer: Service, provider: Service, kind: str, begins: dt.datetime | None = None, ends: dt.datetime | None = None
) -> list[str]:
    """The codes on the way by which the provider is already below the consumer in this kind, over relations that stand at some instant
    between the two; empty when there is none."""
    meets = Q() if begins is None else Q(valid_until=None) | Q(valid_until__gt=begins)
    if ends is not None:
        meets &= Q(valid_from=None) | Q(valid_from__lt=ends)
    came: dict[int, int] = {}
    waiting = [provider.pk]
    while waiting:
        rows = Relation.objects.filter(meets, consumer__in=waiting, kind=kind).values_list("consumer", "provider")
        waiting = []
        for lower, upper in rows:
            if upper not in came and upper != provider.pk:
                came[upper] = lower
                waiting.append(upper)
    if consumer.pk not in came and consumer.pk != provider.pk:
        return []
    way = [consumer.pk]
    while way[-1] != provider.pk:
        way.append(came[way[-1]])
    codes = dict(Service.objects.filter(pk__in=way).values_list("pk", "code"))
    return [codes[pk] for pk in reversed(way)]


def alone() -> None:
    """Keep other writers of relations out until this transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [WRITE_LOCK])


def _standing(relation: Relation, at: dt.datetime, *, planned: bool = False) -> Relation:
    """The relation as it stands, or with `planned` as it will."""
    rows = Relation.objects.select_related("consumer", "provider").filter(pk=relation.pk)
    row: Relation | None = (rows.planned(at).first() if planned else None) or rows.standing(at).first()  # type: ignore[attr-defined]
    if row is None:
        if is_planned(relation, at):
            raise NotReady([f"{relation} has not begun yet: confirm it once it stands."])
        raise NotReady([f"{relation} no longer stands: somebody ended it meanwhile. Nothing was changed; look at it again."])
    return row


def _kept(row: Relation, *, by: Any, at: dt.datetime, reason: str) -> Relation:
    problems = [*_problems(row), *problems_of(row)]
    if problems:
        raise NotReady(problems)
    row._history_date = at  # type: ignore[attr-defined]  # what was known when follows the act's own time
    try:
        with transaction.atomic(), because(reason, by=by):
            row.save()
    except IntegrityError as error:  # what the database alone saw; its first line is a sentence
        raise NotReady([f"{str(error).splitlines()[0].capitalize()}."]) from None
    return row


def _problems(row: Relation) -> list[str]:
    """What forms cannot know: circles, and ends that are gone."""
    for service in (row.consumer, row.provider):
        if service.lifecycle == Service.Lifecycle.RETIRED and row._state.adding and row.kind != Relation.Kind.SUPERSEDES:
            return [f"{service.code} is retired: nothing is related to it any more, except by superseding it."]
    words = WITHOUT_CIRCLE.get(row.kind)  # type: ignore[call-overload]
    span = {"begins": row.valid_from, "ends": row.valid_until}
    way = circle(consumer=row.consumer, provider=row.provider, kind=row.kind, **span) if words else []
    if not way:
        return []
    told = " → ".join([row.consumer.code, *way])
    remedy = "End one of these relations first, or choose a time in which they do not all stand."
    return [f"{row.consumer.code} would be {words} itself: {told}. {remedy}"]


def _services(wishes: Sequence[Wish], by: Any) -> dict[str, Service]:
    """What the person may see of the services named: others are as if they were not there."""
    codes = {code for wish in wishes for code in (wish.consumer, wish.provider)}
    return {service.code: service for service in Service.objects.visible_to(by).filter(code__in=codes)}


def _one(wish: Wish, found: dict[str, Service], *, by: Any, at: dt.datetime, reason: str) -> Outcome:
    problem = _unreadable(wish, found)
    if problem:
        return Outcome(wish, problem=problem)
    consumer, provider = found[wish.consumer], found[wish.provider]
    row = Relation.objects.filter(consumer=consumer, provider=provider, kind=wish.kind).standing(at).first()
    try:
        with transaction.atomic():
            return Outcome(wish, *_done(wish, row, consumer, provider, by=by, at=at, reason=reason))
    except Refused as error:
        return Outcome(wish, problem=str(error))


def _unreadable(wish: Wish, found: dict[str, Service]) -> str:
    for side, code in (("consumer", wish.consumer), ("provider", wish.provider)):
        if code not in found:
            return f"There is no service {code[:40]}. Correct the {side}'s code." if code else f"The {side} is missing: write its code."
    if wish.kind not in Relation.Kind.values:
        return f"{wish.kind[:40] or 'Nothing'} is no kind of relation. Kinds: {', '.join(Relation.Kind.values)}."
    if wish.strength not in (*Relation.Strength.values, END, CONFIRM):
        return f"{wish.strength[:40] or 'Nothing'} is no strength. Write hard or soft, or {END} to end the relation."
    return ""


def _done(
    wish: Wish, row: Relation | None, consumer: Service, provider: Service, *, by: Any, at: dt.datetime, reason: str
) -> tuple[str, str, bool]:
    """(words, "", whether anything changes)."""
    said: dict[str, Any] = {"by": by, "at": at, "reason": reason}
    if wish.strength in (END, CONFIRM):
        if row is None:
            duties.check(by=by, act="relate", on=consumer, at=at)
            return "does not stand; nothing to do", "", False
        (end if wish.strength == END else confirm)(relation=row, **said)
        return ("ends now" if wish.strength == END else "is confirmed"), "", True
    if row is not None and (row.strength, row.valid_until) == (wish.strength, wish.valid_until):
        duties.check(by=by, act="relate", on=consumer, at=at)
        return f"stands already, {row.strength}", "", False
    words = "is new, " + wish.strength if row is None else f"{row.strength} → {wish.strength}"
    if wish.valid_until:
        words += f", until {wish.valid_until:%d %b %Y %H:%M} UTC"
    span: dict[str, Any] = {"valid_from": wish.valid_from, "valid_until": wish.valid_until}
    relate(consumer=consumer, provider=provider, kind=wish.kind, strength=wish.strength, **span, **said)
    return words, "", True
