"""Relations, deviations, legal holds, maintenance windows and decisions on its scope in the history of an entry."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce

from catalogue.chronicle.events import (
    Asked,
    Event,
    Key,
    Source,
    became,
    differing,
    either_end,
    no_later_than,
    said_by,
    step,
    with_before,
)
from catalogue.deviating import CODES
from catalogue.models import Deviation, LegalHold, Relation, ScopeDecision, Service, Window
from itsm_backup.common.admin.rights import told as named

HISTORY_STEPS = (("made", "+", 0), ("changed", "~", 1), ("deleted", "-", 2))


def _relation_rows(asked: Asked) -> Iterable[QuerySet]:
    """Of relations to entries that the person may see, whichever way they lead."""
    mine = Q(consumer=asked.service.pk) | Q(provider=asked.service.pk)
    history: Any = Relation.history.filter(mine, either_end(Service.objects.visible_to(asked.user).values("pk"), "consumer", "provider"))
    for name, kind, rank in HISTORY_STEPS:
        yield step(history.filter(history_type=kind), asked, part="relation", name=name, at="history_date", rank=rank)


def _relations_told(asked: Asked, keys: list[Key]) -> dict[Key, Event]:
    found = {row.pk: (row, before) for row, before in with_before(Relation, [pk for _, pk in keys])}
    ends = {pk for row, _ in found.values() for pk in (row.consumer_id, row.provider_id)}
    names = {one.pk: named(one) for one in Service.objects.with_words().filter(pk__in=ends)}
    return {(name, pk): _relation_event(asked, name, *found[pk], names) for name, pk in keys}


def _relation_event(asked: Asked, name: str, row: Any, before: Any, names: dict[int, str]) -> Event:
    told = f"{names.get(row.consumer_id, 'an entry')} {row.get_kind_display()} {names.get(row.provider_id, 'an entry')}"
    strength = f" ({row.strength})"
    fields = ("strength", "valid_from", "valid_until", "origin")
    ended = name == "changed" and row.valid_until is not None and before is not None and before.valid_until is None
    what = {
        "made": f"Related: {told}{strength}",
        "changed": f"Relation {'ended' if ended else 'changed'}: {told}",
        "deleted": f"Relation taken away: {told}",
    }[name]
    return Event(
        at=row.history_date, part="relation", what=what, who=said_by(row.history_user), why=row.history_change_reason,
        changes=differing(row, before, fields) if name == "changed" else (), page="service_graph", args=(asked.service.code,),
        record=(Relation, row.id),
    )  # fmt: skip


def _deviation_rows(asked: Asked) -> Iterable[QuerySet]:
    history: Any = Deviation.history.filter(service=asked.service.pk)
    yield step(history.filter(history_type="+"), asked, part="deviation", name="asked", at=Coalesce(F("asked_at"), F("history_date")))
    for name, field, rank in (("granted", "granted_at", 1), ("ended", "ended_at", 2)):
        yield step(became(history, Deviation, field), asked, part="deviation", name=name, at=field, rank=rank)


def _deviations_told(asked: Asked, keys: list[Key]) -> dict[Key, Event]:
    rows = Deviation.history.filter(pk__in=[pk for _, pk in keys]).select_related("history_user", "owner").in_bulk()  # type: ignore[attr-defined]
    return {(name, pk): _deviation_event(asked, name, rows[pk]) for name, pk in keys}


def _deviation_event(asked: Asked, name: str, row: Any) -> Event:
    about = f"{CODES.get(row.code, row.code)} ({row.code})"
    what = {
        "asked": f"Deviation asked for until {row.expires_on:%d %b %Y}, {said_by(row.owner)} answers for it: {about}",
        "granted": f"Deviation granted until {row.expires_on:%d %b %Y}: {about}",
        "ended": f"Deviation {'taken back' if row.granted_at else 'refused'}: {about}",
    }[name]
    why = row.reason if name == "asked" else row.history_change_reason
    return Event(
        at=row.history_date, part="deviation", what=what, who=said_by(row.history_user), why=why, page="commitment",
        args=(asked.service.code,), record=(Deviation, row.id),
    )  # fmt: skip


def _hold_rows(asked: Asked) -> Iterable[QuerySet]:
    history: Any = LegalHold.history.filter(service=asked.service.pk)
    yield step(history.filter(history_type="+"), asked, part="hold", name="placed", at="history_date")
    yield step(became(history, LegalHold, "released_at"), asked, part="hold", name="released", at="released_at", rank=1)


def _holds_told(asked: Asked, keys: list[Key]) -> dict[Key, Event]:
    rows = LegalHold.history.filter(pk__in=[pk for _, pk in keys]).select_related("history_user", "owner").in_bulk()  # type: ignore[attr-defined]
    return {
        (name, pk): Event(
            at=row.history_date, part="hold", who=said_by(row.history_user), page="service", args=(asked.service.code,),
            what=f"Legal hold {name}: {row.reason} ({said_by(row.owner)} answers for it)",
            why=row.reason if name == "placed" else row.history_change_reason, record=(LegalHold, row.id),
        )
        for name, pk, row in ((name, pk, rows[pk]) for name, pk in keys)
    }  # fmt: skip


def _window_rows(asked: Asked) -> Iterable[QuerySet]:
    history: Any = Window.history.filter(service=asked.service.pk)
    for name, kind, rank in HISTORY_STEPS:
        at = no_later_than(Window, "decided_at") if name == "made" else "history_date"
        yield step(history.filter(history_type=kind), asked, part="window", name=name, at=at, rank=rank)


def _windows_told(asked: Asked, keys: list[Key]) -> dict[Key, Event]:
    events = {}
    found = {row.pk: (row, before) for row, before in with_before(Window, [pk for _, pk in keys])}
    for name, pk in keys:
        row, before = found[pk]
        verb = {"made": "planned", "changed": "changed", "deleted": "taken away"}[name]
        events[name, pk] = Event(
            at=row.history_date, part="window", what=f"Maintenance window {verb}: {row.purpose}", who=said_by(row.history_user),
            why=row.history_change_reason, changes=differing(row, before, ("purpose", "starts_at", "ends_at")),
            page="service_calendar", args=(asked.service.code,), record=(Window, row.id),
        )  # fmt: skip
    return events


def _scope_rows(asked: Asked) -> Iterable[QuerySet]:
    rows = ScopeDecision.objects.visible_to(asked.user).filter(entry=asked.service)
    yield step(rows, asked, part="scope", name="decided", at="decided_at")


def _scopes_told(asked: Asked, keys: list[Key]) -> dict[Key, Event]:
    rows = ScopeDecision.objects.select_related("line", "decided_by").in_bulk([pk for _, pk in keys])
    return {
        (name, pk): Event(
            at=row.decided_at, part="scope", what=f"{row.line.name} is {row.get_outcome_display()}", who=said_by(row.decided_by),
            why=row.reason, page="scope_line", args=(row.line_id,),
        )
        for name, pk, row in ((name, pk, rows[pk]) for name, pk in keys)
    }  # fmt: skip


SOURCES = (
    Source("relation", "Relations", _relation_rows, _relations_told),
    Source("deviation", "Deviations", _deviation_rows, _deviations_told),
    Source("hold", "Legal holds", _hold_rows, _holds_told),
    Source("window", "Maintenance windows", _window_rows, _windows_told),
    Source("scope", "Scope", _scope_rows, _scopes_told),
)
