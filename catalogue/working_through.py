"""Working through what was started: one entry at a time, each claimed, acted on and decided in one transaction.

A worker that dies takes back what it had not finished, two workers share the rest, and who leaves finds it where it is.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Sequence
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Exists, IntegerField, OuterRef, Q, QuerySet
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast
from django.template.loader import render_to_string

from catalogue import checking, columns, comparing, duties, importing, publishing
from catalogue.approving_together import Read, approve_together
from catalogue.checking import UNMEASURED, Measured
from catalogue.models import Batch, BatchItem, Service, ServiceVersion
from catalogue.refusing import NotAllowed, NotReady, Refused
from itsm_backup.common import outbox

log = logging.getLogger(__name__)
Act, State = Batch.Act, BatchItem.State
Measure = Callable[[Service, dt.datetime], Measured]
PATIENCE = dt.timedelta(seconds=30)
AFTER_OTHERS = "It waits for others of this batch, on which it hangs."
FAILED_INSIDE = "It failed inside the product; nothing of it was kept. The log says why."


def work(*, batch: Batch, clock: Callable[[], dt.datetime], measure: Measure | None = None, most: int = 5_000) -> int:
    """Do what waits, entry by entry, until nothing is left for this worker, somebody stops it or `most` are decided; returns how many.

    `clock` gives each entry its own instant, as if it had been done by hand at that moment.
    """
    decided = 0
    while decided < most and _next(batch.pk, clock(), measure or (lambda service, at: UNMEASURED)):
        decided += 1
    _finish(batch.pk, clock())
    return decided


def _next(batch_id: int, at: dt.datetime, measure: Measure) -> bool:
    with transaction.atomic():
        batch = Batch.objects.running().select_related("by").filter(pk=batch_id).first()
        item = _first_of(batch) if batch else None
        if batch is None or item is None:
            return False
        if not (item.told and _is_stuck(item, _done(batch))):
            _decide(batch, item, at, measure)
            return True
    return _decide_together(batch_id, at, measure)


def _decide(batch: Batch, item: BatchItem, at: dt.datetime, measure: Measure) -> None:
    try:
        with transaction.atomic():
            item.state, item.told = _ACTS[batch.act](batch, item, at, measure)
    except (Refused, columns.Unclear) as error:
        item.state, item.told = State.REFUSED, str(error)
        if _hangs_on_others(batch, error):
            item.state, item.told, item.wish = State.WAITING, AFTER_OTHERS, item.wish | {"after": _done(batch)}
    except Exception:
        log.exception("Item %s of batch %s failed.", item.place, batch.pk)
        item.state, item.told = State.REFUSED, FAILED_INSIDE
    item.done_at = at if item.state != State.WAITING else None
    item.save()


def _decide_together(batch_id: int, at: dt.datetime, measure: Measure) -> bool:
    """What waits for one another is approved in one transaction as far as it holds together, and the rest of it refused.

    It waits for entries that other workers have at hand: what they approve may be what these hang on, and then nothing is decided yet.
    """
    with transaction.atomic():
        batch = Batch.objects.running().select_for_update(of=("self",)).select_related("by").filter(pk=batch_id).first()
        items = list(_at_hand(batch).select_for_update().order_by("pk")) if batch else []
        if batch is None:
            return False
        done = _done(batch)
        if not all(_is_stuck(item, done) for item in items):
            return True
        versions = [_version(item) for item in items]
        read = [
            Read(version=version, seen=item.wish["seen"], measured=measure(version.service, at))
            for item, version in zip(items, versions, strict=True)
        ]
        try:
            with transaction.atomic():
                refused = approve_together(read=read, by=batch.by, at=at, reason=batch.reason)
        except Exception:
            log.exception("Items of batch %s failed together.", batch_id)
            refused = {one.version.pk: FAILED_INSIDE for one in read}
        others = len(read) - len(refused) - 1
        with_others = f", together with {others} other{'s' if others > 1 else ''}: they hang on one another" if others > 0 else ""
        for item, one in zip(items, read, strict=True):
            why = refused.get(one.version.pk)
            item.state, item.done_at = State.REFUSED if why else State.DONE, at
            item.told = why or f"Version {one.version.number} is in force{with_others}."
            item.save()
    return True


def _tiers(batch: Batch) -> list[QuerySet[BatchItem]]:
    """What waits: of an approval all that the preview calls good before the rest, so that nothing else comes between them."""
    waiting = BatchItem.objects.filter(batch=batch, state=State.WAITING)
    return [waiting.filter(stops=[]), waiting] if batch.act == Act.APPROVE else [waiting]


def _at_hand(batch: Batch) -> QuerySet[BatchItem]:
    return next((tier for tier in _tiers(batch) if tier.exists()), BatchItem.objects.none())


def _first_of(batch: Batch) -> BatchItem | None:
    """In the order of the list; what waits for others comes after it, first what was tried before most of what was approved since."""
    for tier in _tiers(batch):
        free = tier.select_for_update(skip_locked=True)
        tried = free.annotate(after=Cast(KeyTextTransform("after", "wish"), IntegerField())).order_by("after", "place")
        if found := free.filter(told="").order_by("place").first() or tried.first():
            return found
        if tier.exists():  # other workers have it at hand
            return None
    return None


def _is_stuck(item: BatchItem, done: int) -> bool:
    """Whether it was tried and nothing of the batch was approved since."""
    return item.told == AFTER_OTHERS and bool(item.wish.get("after") == done)


def _done(batch: Batch) -> int:
    return batch.items.filter(state=State.DONE).count()


def _hangs_on_others(batch: Batch, error: Exception) -> bool:
    """Whether only a promise of another entry stands in the way of an approval: it may hold once others of the batch are approved."""
    if batch.act != Act.APPROVE or not isinstance(error, NotReady):
        return False
    return all(f"({checking.INHERITED})" in told for told in error.problems)


def _finish(batch_id: int, at: dt.datetime) -> None:
    """Close the batch when nothing waits; an entry that another worker has at hand still waits."""
    with transaction.atomic():
        batch = Batch.objects.running().select_for_update(of=("self",)).select_related("by").filter(pk=batch_id).first()
        if batch is not None and not batch.items.filter(state=State.WAITING).exists():
            batch.finished_at = at
            batch.save()
            _tell(batch, at)


def _tell(batch: Batch, at: dt.datetime) -> None:
    """One mail to each who may decide on what was submitted, not one for every entry; and one to who asked for the work."""
    done = list(batch.items.filter(state=State.DONE).select_related("service"))
    if batch.act == Act.SUBMIT and done:
        approvers = _approvers([item.service_id for item in done])
        for person in approvers - {batch.by}:
            _write(batch, person, "submitted", f"For approval: {len(done)} entries. {batch.title}", len(done), at)
    _write(batch, batch.by, "finished", f"Done: {batch.title}", len(done), at)


def _approvers(services: Sequence[int | None]) -> set[Any]:
    """Who may approve one of these services, by role or by a grant on it; as many questions for one as for thousands."""
    wanted, pks = "approve_service", [str(pk) for pk in services]
    of_person = Q(userobjectpermission__permission__codename=wanted, userobjectpermission__object_pk__in=pks)
    of_group = Q(groups__groupobjectpermission__permission__codename=wanted, groups__groupobjectpermission__object_pk__in=pks)
    granted = get_user_model().objects.filter(of_person | of_group, is_active=True, is_superuser=False)
    return {*duties.who_may("approve", Service()), *granted.distinct()}


def _write(batch: Batch, person: Any, kind: str, subject: str, done: int, at: dt.datetime) -> None:
    if not person.email:
        return
    counts = {"done": done, "refused": batch.items.filter(state=State.REFUSED).count()}
    path = f"/approvals/?batch={batch.pk}" if kind == "submitted" else f"/batches/{batch.pk}/"
    context = {"batch": batch, "kind": kind, "by": duties.names([batch.by]), "organisation": settings.ORGANISATION, **counts,
               "address": f"{settings.BASE_URL}{path}"}  # fmt: skip
    outbox.write(
        key=f"batch/{batch.pk}/{kind}/{person.pk}", thread=f"batch/{batch.pk}/{person.pk}", recipient=person.email, subject=subject,
        body=render_to_string("catalogue/email/batch.txt", context), at=at,
    )  # fmt: skip


def stalled(*, at: dt.datetime) -> list[int]:
    """Batches that run but on which nobody worked for half a minute: their worker died, or nobody was told of them."""
    lately = BatchItem.objects.filter(batch=OuterRef("pk"), done_at__gt=at - PATIENCE)
    waiting = Batch.objects.running().filter(~Exists(lately), started_at__lte=at - PATIENCE)
    return list(waiting.order_by("pk").values_list("pk", flat=True))


def _draft(batch: Batch, item: BatchItem, at: dt.datetime, measure: Measure) -> tuple[str, str]:
    service = item.service
    said: dict[str, Any] = {"by": batch.by, "at": at, "reason": batch.reason}
    if service is None:
        if not batch.by.is_active or not batch.by.has_perm("catalogue.add_service"):
            raise NotAllowed("You may make no new entries. A steward of the whole catalogue can.")
        service = publishing.create_service(code=item.code, **said)
    else:
        duties.check(by=batch.by, act="change", on=service, at=at)
        newest = service.versions.approved().order_by("-number").first()
        if newest is not None and comparing.hash_of(comparing.content_of(newest)) != item.wish["seen"]:
            raise NotReady(
                [f"{service.code} has another version by now: number {newest.number}. Look at it, and ask for the change again."]
            )
    made = publishing.draft_version(service=service, **importing.said(item.wish["values"]), **said)
    item.service, item.version = service, made  # together, as a refusal takes both back
    return State.DONE, f"Version {made.number} is a draft."


def _submit(batch: Batch, item: BatchItem, at: dt.datetime, measure: Measure) -> tuple[str, str]:
    version = _version(item)
    duties.check(by=batch.by, act="change", on=version.service, at=at)
    publishing.submit(version=version, by=batch.by, at=at, reason=batch.reason, announce=False)
    return State.DONE, f"Version {version.number} waits for approval."


def _approve(batch: Batch, item: BatchItem, at: dt.datetime, measure: Measure) -> tuple[str, str]:
    version = _version(item)
    publishing.approve(
        version=version, by=batch.by, at=at, reason=batch.reason, seen=item.wish["seen"], measured=measure(version.service, at)
    )
    return State.DONE, f"Version {version.number} is in force."


def _version(item: BatchItem) -> ServiceVersion:
    return ServiceVersion.objects.select_related("service").get(pk=item.version_id)


_ACTS: dict[str, Callable[[Batch, BatchItem, dt.datetime, Measure], tuple[str, str]]] = {
    Act.DRAFT: _draft,
    Act.SUBMIT: _submit,
    Act.APPROVE: _approve,
}
