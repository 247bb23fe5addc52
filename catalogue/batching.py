"""Many entries in one go: what is wanted is proposed and looked at, then started, stopped and gone on with."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, prefetch_related_objects

from catalogue import comparing, duties, importing, previewing, publishing
from catalogue.importing import Wish
from catalogue.models import Batch, BatchItem, Service, ServiceVersion
from catalogue.previewing import Measure, unmeasured
from catalogue.refusing import NotAllowed, NotReady, Refused, words_of

Act, State = Batch.Act, BatchItem.State
KEPT_UNSTARTED = dt.timedelta(days=14)


def propose(*, act: str, title: str, wishes: Sequence[Wish], by: Any, at: dt.datetime, reason: str, measure: Measure = unmeasured) -> Batch:
    """What is wanted, kept to be looked at, with what of it could not hold; nothing of it happens before it is started.

    `measure` tells what the monitoring measured for the entries. Raises NotReady without a reason or a wish.
    """
    problems = [] if reason.strip() else ["Say why: the reason is kept with every entry."]
    problems += [] if wishes else ["Choose at least one entry."]
    if problems:
        raise NotReady(problems)
    words = importing.in_words(wishes)
    stops = previewing.stops_of(wishes, by=by, at=at, measure=measure)
    with transaction.atomic():
        batch = Batch.objects.create(act=act, title=title[:160], reason=reason.strip(), by=by, asked_at=at)
        BatchItem.objects.bulk_create([_item(batch, *row, at) for row in zip(wishes, words, stops, strict=True)])
    return batch


def _item(batch: Batch, wish: Wish, words: str, stops: list[previewing.Stop], at: dt.datetime) -> BatchItem:
    nothing = batch.act == Act.DRAFT and not wish.values
    state = State.REFUSED if wish.problems else State.NOTHING if nothing else State.WAITING
    return BatchItem(
        batch=batch, place=wish.place, code=wish.code, service=wish.service, version=wish.version,
        wish={"values": wish.values, "seen": wish.seen},
        words=words, problems=[list(each) for each in wish.problems], doubts=[list(each) for each in wish.doubts],
        stops=[list(each) for each in stops],
        state=state, done_at=None if state == State.WAITING else at,
        told="It says that already." if state == State.NOTHING else "",
    )  # fmt: skip


def start(*, batch: Batch, by: Any, at: dt.datetime, partly: bool = False) -> Batch:
    """Let the work begin, or go on after a stop. Raises NotReady when items have problems and it is not `partly`; NotAllowed; Refused."""
    with transaction.atomic():
        held = _held(batch, by)
        bad = held.items.filter(state=State.REFUSED).count()
        if held.started_at is None and bad and not partly:
            raise NotReady([f"{bad} of {held.items.count()} cannot be done. Put them right, or choose to do only the good ones."])
        if held.finished_at is not None or (held.started_at is not None and held.stopped_at is None):
            raise Refused("It was started already. Nothing was changed.")
        held.started_at, held.stopped_at = held.started_at or at, None
        held.save()
    return held


def stop(*, batch: Batch, by: Any, at: dt.datetime) -> Batch:
    """Stop after the entry at hand; what is done stays done. Raises NotAllowed; Refused when nothing of it runs."""
    with transaction.atomic():
        held = _held(batch, by)
        if held.started_at is None or held.finished_at or held.stopped_at:
            raise Refused("Nothing of it is running. Nothing was changed.")
        held.stopped_at = at
        held.save()
    return held


def _held(batch: Batch, by: Any) -> Batch:
    if by.pk != batch.by_id:
        raise NotAllowed(f"Only {duties.names([batch.by])}, who asked for it, can do this.")
    return Batch.objects.select_for_update().get(pk=batch.pk)


def named(versions: Sequence[tuple[str, int, str]], *, act: str, by: Any, at: dt.datetime) -> list[Wish]:
    """Versions by code and number, with the hash of the content that was read where it is known, as wishes to submit or approve them.

    What is not there, not to be touched by the person, in another state or not what was read any more is refused by name.
    """
    right, state, wanted = ("approve", "in_review", "in review") if act == Act.APPROVE else ("change", "draft", "a draft")
    codes = {code for code, _, _ in versions}
    rows = ServiceVersion.objects.filter(service__in=Service.objects.visible_to(by, right).filter(code__in=codes))
    found = {
        (row.service.code, row.number): row
        for row in rows.filter(number__in={number for _, number, _ in versions}).select_related("service")
    }
    there = [found[code, number] for code, number, _ in versions if (code, number) in found]
    said = {wish.version: wish for wish in (to_approve(there, by=by, at=at) if act == Act.APPROVE else to_submit(there, by=by))}
    made = []
    for place, (code, number, seen) in enumerate(versions, 1):
        version = found.get((code, number))
        if version is None:
            made.append(Wish(place, code[:200], problems=[("", f"There is no version {number} of {code[:60]} that you may {act}.")]))
            continue
        wish = replace(said[version], place=place, problems=list(said[version].problems))
        if version.state != state:
            wish.problems.append(("", f"Version {number} is {version.get_state_display()}, not {wanted}."))
        elif seen and seen != wish.seen:
            wish.problems.append(("", f"Version {number} is not what you read any more. Look at it again."))
        made.append(wish)
    return made


def to_submit(versions: Iterable[ServiceVersion], *, by: Any) -> list[Wish]:
    """Drafts as wishes to have them submitted, with what each changes and what it still misses."""
    return _wishes(versions, by, "change", lambda version, before: " ".join(publishing.unnamed(version)))


def to_approve(versions: Iterable[ServiceVersion], *, by: Any, at: dt.datetime) -> list[Wish]:
    """Versions as wishes to have exactly what they say now approved; the person's own are refused by name from the start."""
    return _wishes(versions, by, "approve", lambda version, before: _own(version, before, by, at) or _planned(before, at))


def _own(version: ServiceVersion, before: ServiceVersion | None, by: Any, at: dt.datetime) -> str:
    if by.pk in version.author_ids:
        return "You wrote part of it, so somebody else must approve it."
    stewards = {one.steward_id for one in (version, before) if one is not None} | set(before.author_ids if before is not None else ())
    return duties.clash(by=by, act="approve", on=version, at=at) if by.pk in stewards else ""


def _planned(before: ServiceVersion | None, at: dt.datetime) -> str:
    """Why it cannot take force at once: the version before it is planned for a day that is still to come."""
    if before is None or before.effective.lower <= at:
        return ""
    return f"Version {before.number} takes force later, on {words_of(before.effective.lower)}. Withdraw that one first."


def _wishes(
    versions: Iterable[ServiceVersion], by: Any, right: str, problem: Callable[[ServiceVersion, ServiceVersion | None], str]
) -> list[Wish]:
    rows = list(versions)
    prefetch_related_objects(rows, "commitment", "offerings")
    seen = Exists(Service.objects.visible_to(by, right).filter(pk=OuterRef("pk")))
    services: dict[int, Any] = Service.objects.annotate(may=seen).in_bulk([row.service_id for row in rows])
    for row in rows:
        row.service = services[row.service_id]
    live = ServiceVersion.objects.approved().filter(service__in=[row.service_id for row in rows]).order_by("number")
    before = {row.service_id: row for row in live.select_related("commitment").prefetch_related("offerings")}
    found = []
    for place, row in enumerate(rows, 1):
        content = comparing.content_of(row)
        earlier = comparing.content_of(before[row.service_id]) if row.service_id in before else {}
        told = problem(row, before.get(row.service_id)) if services[row.service_id].may else f"You may not {right} {row.service.code}."
        found.append(
            Wish(
                place, row.service.code, row.service, row, before=earlier, seen=comparing.hash_of(content),
                problems=[("", told)] if told else [],
                changed=[each for each in comparing.diff(earlier, content) if earlier or each.after not in (None, "", [])],
            )
        )  # fmt: skip
    return found


def forget_unstarted(*, at: dt.datetime) -> int:
    """Take away what nobody started within two weeks; returns how many."""
    old = Batch.objects.filter(started_at=None, asked_at__lt=at - KEPT_UNSTARTED)
    return sum(1 for batch in old if batch.delete())
