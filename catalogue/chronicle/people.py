"""The entry itself, its hand-overs, what its owners attested, and its way out of the catalogue."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet

from catalogue import retiring
from catalogue.chronicle.events import Asked, Event, Key, Source, no_later_than, said_by, step
from catalogue.models import Attestation, HandOver, Retirement, Service


def _entry_rows(asked: Asked) -> Iterable[QuerySet]:
    history: Any = Service.history.filter(id=asked.service.pk, history_type="+")
    yield step(history, asked, part="entry", name="made", at=no_later_than(Service, "created_at"), rank=-1)


def _entries_told(asked: Asked, keys: list[Key]) -> dict[Key, Event]:
    rows = Service.history.filter(pk__in=[pk for _, pk in keys]).select_related("history_user").in_bulk()  # type: ignore[attr-defined]
    return {
        (name, pk): Event(
            at=row.history_date, part="entry", what=f"{row.code} was entered", who=said_by(row.history_user), why=row.history_change_reason,
            record=(Service, row.id),
        )
        for name, pk, row in ((name, pk, rows[pk]) for name, pk in keys)
    }  # fmt: skip


def _hand_over_rows(asked: Asked) -> Iterable[QuerySet]:
    rows = HandOver.objects.filter(service=asked.service)
    yield step(rows, asked, part="hand_over", name="offered", at="asked_at")
    yield step(rows.filter(answered_at__isnull=False), asked, part="hand_over", name="answered", at="answered_at", rank=1)


def _hand_overs_told(asked: Asked, keys: list[Key]) -> dict[Key, Event]:
    rows = HandOver.objects.select_related("giver", "receiver", "asked_by", "former_team", "team").in_bulk([pk for _, pk in keys])
    return {(name, pk): _hand_over_event(asked, name, rows[pk]) for name, pk in keys}


def _hand_over_event(asked: Asked, name: str, row: HandOver) -> Event:
    duty = f"{row.get_duty_display()}, from {row.giving} to {row.receiving}"
    page = {"part": "hand_over", "page": "entry_ownership", "args": (asked.service.code,)}
    if name == "offered":
        return Event(at=row.asked_at, what=f"Hand-over offered: {duty}", who=said_by(row.asked_by), why=row.reason, **page)  # type: ignore[arg-type]
    answer = "accepted" if row.accepted else "refused"
    return Event(
        at=row.answered_at or row.asked_at,
        what=f"Hand-over {answer}: {duty}",
        who=said_by(row.receiver),
        why=row.answer,
        **page,  # type: ignore[arg-type]
    )


def _attestation_rows(asked: Asked) -> Iterable[QuerySet]:
    rows = Attestation.objects.filter(service=asked.service)
    yield step(rows, asked, part="attestation", name="asked", at="round__opened_at")
    yield step(rows.filter(answered_at__isnull=False), asked, part="attestation", name="answered", at="answered_at", rank=1)
    yield step(rows.filter(reply__isnull=False), asked, part="attestation", name="replied", at="reply__replied_at", rank=2)


def _attestations_told(asked: Asked, keys: list[Key]) -> dict[Key, Event]:
    related = ("round__opened_by", "person", "version", "reply__replied_by", "reply__version")
    rows = Attestation.objects.select_related(*related).in_bulk([pk for _, pk in keys])
    return {(name, pk): _attestation_event(name, rows[pk]) for name, pk in keys}


def _attestation_event(name: str, row: Attestation) -> Event:
    page = {"part": "attestation", "page": "attestation", "args": (row.round_id,)}
    if name == "asked":
        what = f"Attestation asked of {said_by(row.person)} until {row.round.due_on:%d %b %Y}: {row.round.title}"
        return Event(at=row.round.opened_at, what=what, who=said_by(row.round.opened_by), **page)  # type: ignore[arg-type]
    if name == "replied":
        taken_up = f", taken up by version {row.reply.version.number}" if row.reply.version else ""
        what = f"Answered what its owner said is not right{taken_up} ({row.round.title})"
        return Event(at=row.reply.replied_at, what=what, who=said_by(row.reply.replied_by), why=row.reply.text, **page)  # type: ignore[arg-type]
    told = "still right" if row.right else "not right any more"
    what = f"Attested: version {row.version.number} is {told} ({row.round.title})"
    return Event(at=row.answered_at or row.round.opened_at, what=what, who=said_by(row.person), why=row.remark, **page)  # type: ignore[arg-type]


def _retirement_rows(asked: Asked) -> Iterable[QuerySet]:
    rows = Retirement.objects.filter(service=asked.service)
    yield step(rows, asked, part="retirement", name="asked", at="asked_at")
    yield step(rows.filter(decided_at__isnull=False), asked, part="retirement", name="decided", at="decided_at", rank=1)
    over = rows.filter(state__in=("done", "called_off"))
    yield step(over, asked, part="retirement", name="over", at="over_at", rank=2)


def _retirements_told(asked: Asked, keys: list[Key]) -> dict[Key, Event]:
    rows = Retirement.objects.select_related("asked_by", "decided_by", "successor").in_bulk([pk for _, pk in keys])
    off = retiring.callings_off(rows.values())
    return {(name, pk): _retirement_event(asked, name, rows[pk], off.get(pk)) for name, pk in keys}


def _retirement_event(asked: Asked, name: str, row: Retirement, off: retiring.CallingOff | None) -> Event:
    page = {"part": "retirement", "page": "retirement", "args": (asked.service.code,)}
    day = f"{row.ends_at:%d %b %Y}"
    if name == "asked":
        follows = f", {row.successor.code} follows it" if row.successor else ""
        what = f"Retirement asked for on {day}{follows}"
        return Event(at=row.asked_at, what=what, who=said_by(row.asked_by), why=row.reason, **page)  # type: ignore[arg-type]
    if name == "decided":
        refused = row.state == Retirement.State.REFUSED
        what = "Retirement refused" if refused else f"Retirement approved on {day}"
        why = off.answer if off else row.answer
        return Event(at=row.decided_at or row.asked_at, what=what, who=said_by(row.decided_by), why=why, **page)  # type: ignore[arg-type]
    if row.state == Retirement.State.DONE:
        return Event(at=row.over_at or row.asked_at, what="Retired", why=f"As approved: {row.reason}", **page)  # type: ignore[arg-type]
    who, why = (said_by(off.by), off.why) if off else ("", row.answer)
    return Event(at=row.over_at or row.asked_at, what="Retirement called off", who=who, why=why, **page)  # type: ignore[arg-type]


SOURCES = (
    Source("entry", "The entry itself", _entry_rows, _entries_told),
    Source("hand_over", "Hand-overs", _hand_over_rows, _hand_overs_told),
    Source("attestation", "Attestations", _attestation_rows, _attestations_told),
    Source("retirement", "Retirement", _retirement_rows, _retirements_told),
)
