"""What people said of an entry, in its history: remarks on versions, statuses set by hand, relations rejected, items of a CMDB linked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import F, Q, QuerySet

from catalogue.chronicle.events import Asked, Event, Key, Source, became, earlier, either_end, said_by, step
from catalogue.models import Comment, ConfigurationItem, ItemLink, RejectedRelation, SeenRelation, Service, StatusOverride
from itsm_backup.common.admin.rights import told as named


def _comment_rows(asked: Asked) -> Iterable[QuerySet]:
    """Of versions that the person may read; why one was returned stands with its return."""
    rows = Comment.objects.filter(version__in=asked.versions.values("pk"), is_return=False)
    yield step(rows, asked, part="comment", name="said", at="at")


def _comments_told(asked: Asked, keys: list[Key]) -> dict[Key, Event]:
    rows = Comment.objects.select_related("version", "by").in_bulk([pk for _, pk in keys])
    return {
        (name, pk): Event(
            at=row.at, part="comment", what=f"Remark on version {row.version.number}", who=said_by(row.by), why=row.text,
            page="version", args=(asked.service.code, row.version.number),
        )
        for name, pk, row in ((name, pk, rows[pk]) for name, pk in keys)
    }  # fmt: skip


def _override_rows(asked: Asked) -> Iterable[QuerySet]:
    history: Any = StatusOverride.history.filter(service=asked.service.pk)
    yield step(history.filter(history_type="+"), asked, part="override", name="set", at="made_at")
    yield step(became(history, StatusOverride, "ended_at"), asked, part="override", name="ended", at="ended_at", rank=1)


def _overrides_told(asked: Asked, keys: list[Key]) -> dict[Key, Event]:
    rows = StatusOverride.history.filter(pk__in=[pk for _, pk in keys]).select_related("history_user", "owner").in_bulk()  # type: ignore[attr-defined]
    return {(name, pk): _override_event(asked, name, rows[pk]) for name, pk in keys}


def _override_event(asked: Asked, name: str, row: Any) -> Event:
    words = row.get_status_display().lower()
    what = f"Status set by hand to {words} until {row.expires_at:%d %b %Y %H:%M} UTC, {said_by(row.owner)} answers for it"
    return Event(
        at=row.history_date, part="override", what=what if name == "set" else f"Status by hand ended: {words}",
        who=said_by(row.history_user), why=row.reason if name == "set" else row.history_change_reason,
        page="status", args=(asked.service.code,), record=(StatusOverride, row.id),
    )  # fmt: skip


def _rejection_rows(asked: Asked) -> Iterable[QuerySet]:
    """Of relations between entries that the person may see, whichever way they lead."""
    mine = Q(consumer=asked.service) | Q(provider=asked.service)
    seen = SeenRelation.objects.filter(mine, either_end(Service.objects.visible_to(asked.user).values("pk"), "consumer", "provider"))
    history: Any = RejectedRelation.history.filter(seen__in=seen.values("pk"))
    for name, kind, rank in (("rejected", "+", 0), ("taken back", "-", 1)):
        yield step(history.filter(history_type=kind), asked, part="rejection", name=name, at="history_date", rank=rank)


def _rejections_told(asked: Asked, keys: list[Key]) -> dict[Key, Event]:
    rows = RejectedRelation.history.filter(pk__in=[pk for _, pk in keys]).select_related("history_user").in_bulk()  # type: ignore[attr-defined]
    seen = SeenRelation.objects.in_bulk({row.seen_id for row in rows.values()})
    ends = {pk for one in seen.values() for pk in (one.consumer_id, one.provider_id)}
    names = {one.pk: named(one) for one in Service.objects.with_words().filter(pk__in=ends)}
    events = {}
    for name, pk in keys:
        row, one = rows[pk], seen[rows[pk].seen_id]
        told = f"{names[one.consumer_id]} {one.get_kind_display()} {names[one.provider_id]}"
        what = f"Seen, and rejected: {told}" if name == "rejected" else f"Proposed again: {told}"
        events[name, pk] = Event(
            at=row.history_date, part="rejection", what=what, who=said_by(row.history_user), why=row.history_change_reason,
            page="relations", record=(RejectedRelation, row.id),
        )  # fmt: skip
    return events


def _link_rows(asked: Asked) -> Iterable[QuerySet]:
    """For who reads configuration items. One that moves to another entry is told on both."""
    reads = asked.user.has_perm("catalogue.view_configurationitem")
    history: Any = (ItemLink.history if reads else ItemLink.history.none()).alias(_was=earlier(ItemLink, "service"))
    here = history.filter(service=asked.service.pk)
    came = here.exclude(history_type="-").filter(Q(_was=None) | ~Q(_was=F("service")))
    yield step(came, asked, part="item", name="linked", at="history_date")
    yield step(here.filter(history_type="-"), asked, part="item", name="unlinked", at="history_date", rank=1)
    left = history.filter(_was=asked.service.pk).exclude(service=asked.service.pk)
    yield step(left, asked, part="item", name="unlinked", at="history_date", rank=1)


def _links_told(asked: Asked, keys: list[Key]) -> dict[Key, Event]:
    rows = ItemLink.history.filter(pk__in=[pk for _, pk in keys]).select_related("history_user").in_bulk()  # type: ignore[attr-defined]
    items = ConfigurationItem.objects.select_related("cmdb").in_bulk({row.item_id for row in rows.values()})
    events = {}
    for name, pk in keys:
        row, item = rows[pk], items.get(rows[pk].item_id)
        told = f"{item.name} of {item.cmdb}" if item else "An item that is gone"
        events[name, pk] = Event(
            at=row.history_date, part="item", what=f"{told} {'belongs to it' if name == 'linked' else 'belongs to it no longer'}",
            who=said_by(row.history_user), why=row.history_change_reason, page="agreement_of", args=(asked.service.code,),
            record=(ItemLink, row.id),
        )  # fmt: skip
    return events


SOURCES = (
    Source("comment", "Remarks on versions", _comment_rows, _comments_told),
    Source("override", "Statuses set by hand", _override_rows, _overrides_told),
    Source("rejection", "Rejected relations", _rejection_rows, _rejections_told),
    Source("item", "Configuration items", _link_rows, _links_told),
)
