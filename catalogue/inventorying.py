"""CMDBs are read: page by page, each kept before the next is asked for, so that whoever stops in between goes on where it stopped."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import transaction

from catalogue.cmdbs.base import PAGE, Item, NotAnswered, Page, Reject, Source, Talk
from catalogue.models import Cmdb, CmdbState, ConfigurationItem, ItemReject, ItemRelation
from itsm_backup.common.http.client import Client, trusting

log = logging.getLogger(__name__)
CLAIM = dt.timedelta(minutes=15)
OVERLAP = dt.timedelta(minutes=5)  # asked for again, for clocks that differ
IN_FULL_EVERY = dt.timedelta(hours=12)  # what was deleted is missed in a full reading only
LONGEST_WAIT_S = 6 * 3600
MOST_PAGES = 250  # in one round; the next one goes on
TIMEOUT_S, MOST_BYTES = 20.0, 16_000_000


@contextmanager
def talking(cmdb: Cmdb, client: Client | None = None) -> Iterator[Talk]:
    """A conversation with the CMDB at its allowed address, or through this client.

    Raises NotAnswered for certificates that cannot be read."""
    secrets: Any = cmdb.secrets
    source = Source(address=cmdb.address, account=cmdb.account, secrets=secrets, columns=cmdb.columns)
    try:
        verify = trusting(cmdb.certificates)
    except ValueError as error:
        raise NotAnswered(str(error)) from None
    with client or Client(allowed=settings.TOOL_ADDRESSES, timeout_s=TIMEOUT_S, most_bytes=MOST_BYTES, verify=verify) as speaking:
        talk = Talk(source=source, client=speaking)
        try:
            yield talk
        finally:
            cmdb.connector.leave(talk)


def begin(*, cmdb: Cmdb, at: dt.datetime) -> CmdbState:
    """The state of the CMDB; a new one is read at once."""
    return CmdbState.objects.get_or_create(cmdb=cmdb, defaults={"next_read_at": at})[0]


def read_again(*, cmdb: Cmdb, at: dt.datetime) -> None:
    """Have everything read anew, from the beginning, as soon as a worker is free."""
    begin(cmdb=cmdb, at=at)
    CmdbState.objects.filter(cmdb=cmdb).update(next_read_at=at, cursor={})


def claim_due(*, at: dt.datetime, limit: int = 10) -> list[int]:
    """Ids of CMDBs to read now, claimed so that no other worker reads them too. One that is replayed is never asked."""
    for cmdb in Cmdb.objects.filter(state=None):
        begin(cmdb=cmdb, at=at)
    with transaction.atomic():
        due = (
            CmdbState.objects.due(at)
            .filter(cmdb__replayed=False)
            .select_for_update(skip_locked=True, of=("self",))
            .order_by("next_read_at")
        )
        ids = list(due.values_list("pk", flat=True)[:limit])
        CmdbState.objects.filter(pk__in=ids).update(claimed_until=at + CLAIM)
    return ids


def read(*, cmdb: Cmdb, at: dt.datetime, client: Client | None = None) -> CmdbState:
    """Read what changed, or now and then everything; the state tells how it went. Goes on where an earlier round stopped.

    `client` answers in place of the CMDB itself where it is replayed."""
    state = begin(cmdb=cmdb, at=at)
    cursor = dict(state.cursor) if state.cursor.get("began") else _new_round(state, at)
    problem = ""
    try:
        with talking(cmdb, client) as talk:
            ended = _round(cmdb, talk, cursor, at)
    except NotAnswered as error:
        ended, problem = False, str(error)
    return _note(cmdb, ended, problem, at)


def _new_round(state: CmdbState, at: dt.datetime) -> dict[str, Any]:
    full_at, since = state.cursor.get("full_at"), state.cursor.get("since")
    in_full = not (full_at and since) or at - dt.datetime.fromisoformat(full_at) >= IN_FULL_EVERY
    return {"began": at.isoformat(), "table": 0, "after": "", "since": None if in_full else since, "full_at": full_at}


def _round(cmdb: Cmdb, talk: Talk, cursor: dict[str, Any], at: dt.datetime) -> bool:
    """Whether every table came to its end; each page is kept together with the place behind it."""
    began = dt.datetime.fromisoformat(cursor["began"])
    since = dt.datetime.fromisoformat(cursor["since"]) - OVERLAP if cursor["since"] else None
    for _ in range(MOST_PAGES):
        if cursor["table"] >= len(cmdb.tables):
            _end(cmdb, cursor, began, in_full=since is None, at=at)
            relate_late(cmdb=cmdb, since=began)
            return True
        page = cmdb.connector.page(talk, cmdb.tables[cursor["table"]], after=cursor["after"], since=since)
        cursor |= {"after": page.after} if page.after is not None else {"after": "", "table": cursor["table"] + 1}
        with transaction.atomic():
            keep(cmdb=cmdb, page=page, at=at)
            CmdbState.objects.filter(cmdb=cmdb).update(cursor=cursor, latest_answer_at=at, claimed_until=at + CLAIM)
    return False


@transaction.atomic
def _end(cmdb: Cmdb, cursor: dict[str, Any], began: dt.datetime, *, in_full: bool, at: dt.datetime) -> None:
    """The round came to its end: what a full one did not see is gone."""
    if in_full:
        cmdb.items.there().filter(last_seen_at__lt=began).update(gone_at=at)
        cmdb.rejects.filter(last_seen_at__lt=began).delete()
    full_at = cursor["began"] if in_full else cursor["full_at"]
    ended = {"since": cursor["began"], "full_at": full_at}
    CmdbState.objects.filter(cmdb=cmdb).update(cursor=ended, latest_complete_at=began)


@transaction.atomic
def _note(cmdb: Cmdb, ended: bool, problem: str, at: dt.datetime) -> CmdbState:
    state = CmdbState.objects.select_for_update().get(cmdb=cmdb)
    state.claimed_until, state.problem = None, problem[:1_000]
    state.consecutive_failures = state.consecutive_failures + 1 if problem else 0
    wait_s = cmdb.poll_interval_s * 2 ** min(10, max(0, state.consecutive_failures - 1)) if ended or problem else 0
    state.next_read_at = at + dt.timedelta(seconds=min(wait_s, max(LONGEST_WAIT_S, cmdb.poll_interval_s)))
    state.save()
    if problem:
        log.warning("%s: %s", cmdb.name, problem)
    return state


def keep(*, cmdb: Cmdb, page: Page, at: dt.datetime) -> None:
    """Keep the items of a page as they are told; what cannot be read is put aside with its reason."""
    _keep_items(cmdb, page.items, at)
    for table in {one.table for one in page.items}:
        read_well = [one.external_id for one in page.items if one.table == table]
        cmdb.rejects.filter(table=table, external_id__in=read_well).delete()
        _relate(cmdb, cmdb.items.filter(table=table, external_id__in=read_well))
    ItemReject.objects.bulk_create(
        [_reject(cmdb, one, at) for one in {(one.table, one.external_id): one for one in page.rejects}.values()],
        update_conflicts=True, unique_fields=["cmdb", "table", "external_id"], update_fields=["reason", "excerpt", "last_seen_at"],
    )  # fmt: skip


def _keep_items(cmdb: Cmdb, items: Sequence[Item], at: dt.datetime) -> None:
    rows = [
        ConfigurationItem(
            cmdb=cmdb, table=one.table, external_id=one.external_id, name=one.name, state=one.state, retired=one.retired,
            address=one.address, fields=one.fields, told_relations=one.relations, changed_at=one.changed_at,
            first_seen_at=at, last_seen_at=at, gone_at=None,
        )
        for one in {(one.table, one.external_id): one for one in items}.values()
    ]  # fmt: skip
    told = ["name", "state", "retired", "address", "fields", "told_relations", "changed_at", "last_seen_at", "gone_at"]
    ConfigurationItem.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["cmdb", "table", "external_id"], update_fields=told
    )  # fmt: skip


def _reject(cmdb: Cmdb, one: Reject, at: dt.datetime) -> ItemReject:
    told = {"reason": one.reason, "excerpt": one.excerpt, "first_seen_at": at, "last_seen_at": at}
    return ItemReject(cmdb=cmdb, table=one.table, external_id=one.external_id[:80], **told)


def relate_late(*, cmdb: Cmdb, since: dt.datetime) -> None:
    """Relations to items that were read after the item that told of them: where anything new was seen since, all are looked at again."""
    if not cmdb.items.filter(first_seen_at__gte=since).exists():
        return
    numbers = list(cmdb.items.there().exclude(told_relations=[]).order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(numbers), PAGE):
        _relate(cmdb, cmdb.items.filter(pk__in=numbers[start : start + PAGE]))


@transaction.atomic
def _relate(cmdb: Cmdb, items: Any) -> None:
    """The relations of these items become what they told; one to an item that is not read is left out until it is."""
    said = {
        (pk, kind, table, number): None
        for pk, told in items.values_list("pk", "told_relations") for kind, table, number in told
    }  # fmt: skip
    wanted = cmdb.items.filter(table__in=cmdb.tables, external_id__in={number for *_, number in said})
    known: dict[tuple[str, str], int] = {}
    for pk, table, number in wanted.values_list("pk", "table", "external_id"):
        known |= {(table, number): pk, ("", number): pk}
    meant = {(pk, kind, known[table, number]) for pk, kind, table, number in said if (table, number) in known}
    meant = {(item, kind, other) for item, kind, other in meant if item != other}
    held = {
        (item, kind, other): pk
        for pk, item, kind, other in ItemRelation.objects.filter(item__in=items).values_list("pk", "item", "kind", "other")
    }
    ItemRelation.objects.filter(pk__in=[pk for key, pk in held.items() if key not in meant]).delete()
    ItemRelation.objects.bulk_create(
        [ItemRelation(item_id=item, kind=kind, other_id=other) for item, kind, other in sorted(meant - held.keys())], ignore_conflicts=True
    )


class NotSigned(Exception):
    """A webhook without the signature that the shared secret makes."""


def hear(*, cmdb: Cmdb, body: bytes, signature: str, at: dt.datetime) -> bool:
    """A CMDB says that something changed: it is read soon. Whether that concerns anything that is read here.

    What the message says is not taken as it is: it may be old when it arrives. Raises NotSigned, or ValueError for no message.
    """
    secret = cmdb.secrets.get("webhook", "")
    made = hmac.new(secret.encode(), body, hashlib.sha512).hexdigest()
    if not secret or not hmac.compare_digest(made, signature.strip().lower()):
        raise NotSigned
    told = json.loads(body)
    named = cmdb.connector.told_of(told) if isinstance(told, dict) else None
    if named is None or named[0] not in cmdb.tables:
        return False
    state = begin(cmdb=cmdb, at=at)
    changes: dict[str, Any] = {"next_read_at": min(at, state.next_read_at)}
    if told.get("event") == "deleted" and not state.cursor.get("began"):
        changes["cursor"] = {**state.cursor, "full_at": None}  # only a full reading misses it
    CmdbState.objects.filter(cmdb=cmdb).update(**changes)
    return True
