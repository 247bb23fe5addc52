"""CMDBs are told what the catalogue says, in columns named for it: planned as notices, sent by claim, read back, never over others' words.

What we know to stand in a column is what was read back after we wrote it, what a person accepted there, or nothing. Where the CMDB
holds anything else, somebody wrote it there: that is kept as a conflict for a person.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.utils.text import capfirst

from catalogue import inventorying
from catalogue.agreed_fields import CATALOGUE, CMDB, FIELDS, column_text, same
from catalogue.cmdbs.base import Changed, Item, NotAnswered, NotThere, Page, Talk
from catalogue.duties import NotAllowed
from catalogue.models import ConfigurationItem
from catalogue.refusing import NotReady, WrongState
from itsm_backup.common import outbox
from itsm_backup.common.models import Notice
from monitoring.models import Agreement, ConflictDecision, WriteBack, WriteConflict
from monitoring.sides import Sides

CHANNEL = Notice.Channel.CMDB
Why, Choice = WriteConflict.Why, ConflictDecision.Choice


class NotTaken(Exception):
    """The CMDB did not take it; the message says what it said and what to do. It is tried again."""


def plan(found: Sequence[Sides], who: Mapping[str, str], *, at: dt.datetime) -> int:
    """A notice for every item that has to be told something; a conflict for every column that somebody else wrote. Returns the notices."""
    items = {item.pk: (item, one) for one in found for item in one.items}
    told = {row.item_id: row for row in WriteBack.objects.filter(item__in=items)}
    latest = _latest_conflicts(items)
    written = 0
    for item, sides in items.values():
        if not (item.cmdb.writes and item.cmdb.enabled) or item.retired:
            continue
        wanted, conflicts = _wanted(item, sides, who, told.get(item.pk), latest)
        _end_conflicts(item, sides, who, latest, at)
        for field, ours in conflicts.items():
            _conflict(item, sides.service, field, ours, item.fields.get(field), Why.OTHER, at)
        if wanted and not _waits(told.get(item.pk), wanted):
            written += _write(item, sides, wanted, at)
    return written


def _latest_conflicts(items: Mapping[int, Any]) -> dict[tuple[int, str], WriteConflict]:
    """(item, field) → its latest conflict, with its decision."""
    rows = WriteConflict.objects.filter(item__in=items).select_related("decision").order_by("found_at", "pk")
    return {(row.item_id, row.field): row for row in rows}


def ours_of(sides: Sides, who: Mapping[str, str]) -> dict[str, Any]:
    """Field → what a CMDB should say of the entry, for the fields of which it is not the master."""
    found = {}
    for field, meant in FIELDS.items():
        side = sides.catalogue if who[field] == CATALOGUE else sides.monitoring
        if meant.ours and who[field] != CMDB and side.get(field) is not None:
            found[field] = side[field]
    return found


def _wanted(
    item: ConfigurationItem, sides: Sides, who: Mapping[str, str], told: WriteBack | None, latest: Mapping[tuple[int, str], WriteConflict]
) -> tuple[dict[str, tuple[Any, Any]], dict[str, Any]]:
    """(field → ours and what we know to stand there, for what may be written; field → ours, for what somebody else wrote)."""
    may_write, conflicts = {}, {}
    for field, ours in ours_of(sides, who).items():
        if field not in item.fields or field not in item.cmdb.columns:
            continue
        theirs, conflict = item.fields[field], latest.get((item.pk, field))
        if same(field, ours, theirs) or (conflict and conflict.ended_at is None):
            continue
        decision = getattr(conflict, "decision", None) if conflict else None
        known = told.written.get(field) if told else None
        if decision and conflict and same(field, conflict.theirs, theirs):
            if decision.choice == Choice.THEIRS and same(field, conflict.ours, ours):
                continue  # a person let theirs stand; only a new word of ours is said again
            known = theirs
        if (theirs is None and known is None) or same(field, theirs, known):
            may_write[field] = (ours, known)
        else:
            conflicts[field] = ours
    return may_write, conflicts


def _end_conflicts(
    item: ConfigurationItem, sides: Sides, who: Mapping[str, str], latest: Mapping[tuple[int, str], WriteConflict], at: dt.datetime
) -> None:
    """A conflict is over when both sides say the same again, or the field is the CMDB's own by now."""
    ours = ours_of(sides, who)
    open_ones = [row for (pk, _), row in latest.items() if pk == item.pk and row.ended_at is None]
    over = [row.pk for row in open_ones if row.field not in ours or same(row.field, ours[row.field], item.fields.get(row.field))]
    WriteConflict.objects.open().filter(pk__in=over).update(ended_at=at)


def _conflict(item: ConfigurationItem, service: Any, field: str, ours: Any, theirs: Any, why: str, at: dt.datetime) -> None:
    """Keep it for a person. One that is open already tells what stands there now."""
    said = {"ours": ours, "theirs": theirs, "why": why, "service": service}
    WriteConflict.objects.update_or_create(item=item, field=field, ended_at=None, defaults=said, create_defaults={**said, "found_at": at})


def _waits(told: WriteBack | None, wanted: Mapping[str, tuple[Any, Any]]) -> bool:
    """Whether just this is on its way already."""
    on_its_way = told and told.notice and told.notice.sent_at is None and told.notice.given_up_at is None
    return bool(on_its_way and told and told.wanted == {field: list(pair) for field, pair in wanted.items()})


def _write(item: ConfigurationItem, sides: Sides, wanted: dict[str, tuple[Any, Any]], at: dt.datetime) -> int:
    thread = f"cmdb/{item.pk}"
    body = json.dumps(wanted, sort_keys=True, ensure_ascii=False)
    key = f"{thread}/{at:%Y%m%d%H%M%S%f}/{hashlib.sha256(body.encode()).hexdigest()[:16]}"
    with transaction.atomic():
        outbox.supersede(thread=thread, at=at, why="What it said is old by now: a newer message takes its place.")
        outbox.write(
            key=key, thread=thread, recipient=str(item.cmdb), subject=f"{sides.service.code}: {item.name} to {item.cmdb}", body=body, at=at,
            channel=CHANNEL,
        )  # fmt: skip
        said = {"service": sides.service, "wanted": json.loads(body), "notice": Notice.objects.get(key=key)}
        WriteBack.objects.update_or_create(item=item, defaults=said)
    return 1


def send(*, at: dt.datetime) -> int:
    """Send what waits for CMDBs; returns how many items were told."""
    return outbox.send_waiting(at=at, channel=CHANNEL, deliver=lambda notice: _deliver(notice, at))


def _deliver(notice: Notice, at: dt.datetime) -> None:
    row = WriteBack.objects.select_related("item__cmdb", "service").filter(notice=notice).first()
    if row is None:  # the item was taken away, or told something newer
        return
    if not (row.item.cmdb.enabled and row.item.cmdb.writes):
        raise NotTaken(f"Nothing is written to {row.item.cmdb}: that is switched off. It is told when it is switched on again.")
    wanted = json.loads(notice.body)
    try:
        with inventorying.talking(row.item.cmdb) as talk:
            answer, conflicts = _tell(talk, row.item, wanted, at)
    except NotThere as error:
        ConfigurationItem.objects.filter(pk=row.item_id).update(gone_at=at)
        _answered(row, str(error), at, accepted=False)
        return
    except NotAnswered as error:
        _answered(row, str(error), at, accepted=False)
        raise NotTaken(str(error)) from error
    with transaction.atomic():
        for field, (theirs, why) in conflicts.items():
            _conflict(row.item, row.service, field, wanted[field][0], theirs, why, at)
        kept = {field: ours for field, (ours, _) in wanted.items() if field not in conflicts}
        _answered(row, answer, at, accepted=not conflicts, written={**row.written, **kept})
        Agreement.objects.filter(service=row.service).update(due_at=at)


def _answered(row: WriteBack, answer: str, at: dt.datetime, *, accepted: bool, **more: Any) -> None:
    WriteBack.objects.filter(pk=row.pk).update(answer=answer, answered_at=at, accepted=accepted, **more)


def _tell(talk: Talk, row: ConfigurationItem, wanted: Mapping[str, Any], at: dt.datetime) -> tuple[str, dict[str, tuple[Any, str]]]:
    """Write what may be written and read it back. Returns what came of it, and field → (their value, why) of what a person decides."""
    connector, columns = row.cmdb.connector, row.cmdb.columns
    conflicts: dict[str, tuple[Any, str]] = {}
    writing: dict[str, Any] = {}
    for turn in range(2):
        item = connector.read(talk, row.table, row.external_id)
        writing, foreign = _sorted(item, wanted)
        conflicts = {field: (theirs, Why.RACE if turn else Why.OTHER) for field, theirs in foreign.items()}
        if not writing:
            break
        try:
            connector.write(talk, item, {columns[field]: column_text(field, ours) for field, ours in writing.items()})
        except Changed:
            if turn:  # once more after reading again, then it is a person's
                conflicts |= {field: (item.fields.get(field), Why.RACE) for field in writing}
                writing = {}
            continue
        break
    after = _read_back(talk, row, at)
    for field, ours in writing.items():
        if not same(field, ours, after.fields.get(field)):
            conflicts[field] = (after.fields.get(field), Why.READ_BACK)
    good = len(wanted) - len(conflicts)
    told = f"{good} of {len(wanted)} column{'s' if len(wanted) > 1 else ''} read back as said."
    return (told if not conflicts else f"{told} {len(conflicts)} wait{'s' if len(conflicts) == 1 else ''} for a person."), conflicts


def _sorted(item: Item, wanted: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(field → ours, of what still stands there as we know it; field → theirs, of what somebody else wrote)."""
    writing, foreign = {}, {}
    for field, (ours, known) in wanted.items():
        if field not in item.fields:
            raise NotAnswered(f"It has no column for {FIELDS[field].label.lower()} any more. Make it there, or take it out of the columns.")
        theirs = item.fields[field]
        if same(field, ours, theirs):
            continue
        if same(field, theirs, known):
            writing[field] = ours
        else:
            foreign[field] = theirs
    return writing, foreign


def _read_back(talk: Talk, row: ConfigurationItem, at: dt.datetime) -> Item:
    """The round-trip probe: what stands there now is also what is kept here."""
    item: Item = row.cmdb.connector.read(talk, row.table, row.external_id)
    with transaction.atomic():
        inventorying.keep(cmdb=row.cmdb, page=Page(items=[item], rejects=[], after=None), at=at)
    return item


def decide(*, conflict: WriteConflict, choice: str, by: Any, at: dt.datetime, reason: str) -> ConflictDecision:
    """Ours is written, or theirs stays, because a person says so. Raises NotAllowed, WrongState, or NotReady with what is missing."""
    if not by.has_perm("monitoring.decide_writeconflict"):
        raise NotAllowed("You may read this conflict, but not decide it. Stewards and monitoring administrators do.")
    problems = []
    if choice not in Choice.values:
        problems.append("Choose: write what the catalogue says, or leave what the CMDB says.")
    if not reason.strip():
        problems.append("Say why: the reason is kept with the decision.")
    if problems:
        raise NotReady(problems)
    with transaction.atomic():
        held = WriteConflict.objects.select_for_update().get(pk=conflict.pk)
        if held.ended_at is not None:
            raise WrongState(f"{capfirst(str(held))}: this conflict is over. Nothing was changed; look at it again.")
        WriteConflict.objects.filter(pk=held.pk).update(ended_at=at)
        Agreement.objects.filter(service=held.service_id).update(due_at=at)
        return ConflictDecision.objects.create(conflict=held, choice=choice, reason=reason.strip(), by=by, at=at)
