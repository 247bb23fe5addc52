"""Versions of an entry in its history: drafted, changed, submitted, approved, returned, cancelled, withdrawn."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Exists, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from catalogue import comparing, wording
from catalogue.chronicle.events import Asked, Event, Key, Source, said_by, step, turned
from catalogue.models import Revision, ServiceVersion

PART = "version"
WORDS = {"in_review": "was submitted for approval", "approved": "was approved", "draft": "is a draft again"}
Contents = dict[int | None, comparing.Content]


def _rows(asked: Asked) -> Iterable[QuerySet]:
    read = asked.versions.values("pk")
    history: Any = ServiceVersion.history.filter(service=asked.service.pk, id__in=read)
    moved = turned(history, ServiceVersion)
    for state, at, rank in (("in_review", "submitted_at", 2), ("approved", "approved_at", 3), ("cancelled", "", 4)):
        when = Coalesce(F(at), F("history_date")) if at else "history_date"
        yield step(moved.filter(state=state), asked, part=PART, name=state, at=when, rank=rank)
    again = moved.filter(state="draft", history_type="~")
    yield step(again, asked, part=PART, name="draft", at="history_date", rank=1)
    before = Revision.objects.filter(version=OuterRef("version"), pk__lt=OuterRef("pk"))
    written = Revision.objects.filter(version__in=read)
    yield step(written.filter(~Exists(before)), asked, part=PART, name="drafted", at="at")
    if asked.reads_drafts:
        yield step(written.filter(Exists(before)), asked, part=PART, name="changed", at="at")


def _told(asked: Asked, keys: list[Key]) -> dict[Key, Event]:
    moves = {pk: name for name, pk in keys if name not in ("drafted", "changed")}
    moved = {row.pk: row for row in ServiceVersion.history.filter(pk__in=moves).select_related("history_user")}
    edits = _edits([pk for name, pk in keys if name in ("drafted", "changed")])
    follows = _follows(asked, {row.id for row in moved.values()} | {row.version_id for row in edits.values()})
    contents = _contents({*follows, *(pk for pk, _ in follows.values() if pk)})
    pairs: dict[Key, tuple[Any, Any]] = {}
    for name, pk in keys:
        if name == "changed":
            pairs[name, pk] = (edits[pk].before, edits[pk].content)
        elif name == "drafted":
            pairs[name, pk] = (contents.get(follows[edits[pk].version_id][0]), edits[pk].content)
        elif name == "approved":
            pairs[name, pk] = (contents.get(follows[moved[pk].id][0]), contents.get(moved[pk].id))
    changes = _changes(pairs)
    return {key: _event(asked, key, moved, edits, follows, changes.get(key, ())) for key in keys}


def _edits(keys: list[int]) -> dict[int, Any]:
    """What was written, each with the content before it in the same version."""
    mine = Revision.objects.filter(version=OuterRef("version"), pk__lt=OuterRef("pk")).order_by("-pk")
    rows = Revision.objects.filter(pk__in=keys).select_related("by", "version")
    return {row.pk: row for row in rows.annotate(before=Subquery(mine.values("content")[:1]))}


def _follows(asked: Asked, versions: set[int]) -> dict[int, tuple[int | None, int | None]]:
    """For each version the approved one that it follows: its key and its number."""
    before = ServiceVersion.objects.approved().filter(service=asked.service, number__lt=OuterRef("number")).order_by("-number")
    told = ServiceVersion.objects.filter(pk__in=versions).annotate(
        before=Subquery(before.values("pk")[:1]), before_number=Subquery(before.values("number")[:1])
    )
    return {row.pk: (row.before, row.before_number) for row in told}


def _contents(versions: set[int]) -> Contents:
    """What each version says, as it was written last."""
    rows = Revision.objects.filter(version__in=versions).order_by("version", "-pk").distinct("version")
    return dict(rows.values_list("version", "content"))


def _changes(pairs: dict[Key, tuple[Any, Any]]) -> dict[Key, tuple[wording.Told, ...]]:
    """All the differences in words at once: people, teams and agreements are asked for once for the whole page."""
    found = {key: comparing.diff(old, new) for key, (old, new) in pairs.items() if old and new}
    told = iter(wording.tell(change for changes in found.values() for change in changes))
    return {key: tuple(next(told) for _ in changes) for key, changes in found.items()}


def _event(asked: Asked, key: Key, moved: dict[int, Any], edits: dict[int, Any], follows: Any, changes: tuple[wording.Told, ...]) -> Event:
    name, pk = key
    is_edit = name in ("drafted", "changed")
    row = edits[pk] if is_edit else moved[pk]
    number, version = (row.version.number, row.version_id) if is_edit else (row.number, row.id)
    before = follows[version][1]
    compared = ("compare", (asked.service.code, before, number)) if before else ("version", (asked.service.code, number))
    page, args = ("version", (asked.service.code, number)) if name == "changed" else compared
    return Event(
        at=row.at if is_edit else row.history_date,
        part=PART,
        what=f"Version {number} {_verb(name, row)}",
        who=said_by(row.by if is_edit else row.history_user),
        why=row.reason if is_edit else row.history_change_reason,
        changes=changes,
        page=page,
        args=args,
        record=(ServiceVersion, version),
    )


def _verb(name: str, row: Any) -> str:
    if name == "cancelled":
        return "was withdrawn" if row.approver_id else "was cancelled"
    return {"drafted": "was drafted", "changed": "was changed"}.get(name) or WORDS[name]


SOURCE = Source(PART, "Versions", _rows, _told)
