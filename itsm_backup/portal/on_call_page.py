"""Who is on call now and next, for every team with a rota, and standing in for somebody."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils.safestring import SafeString

from incidents import rotating
from incidents.models import Rota
from incidents.rotating import Shift
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.service_list import Choice
from itsm_backup.portal.words import clock, many, person

AHEAD, MOST_SHIFTS, MOST_PEOPLE = dt.timedelta(days=60), 6, 200


@dataclass(frozen=True, kw_only=True)
class ShiftRow:
    person: str
    since: SafeString | str
    until: SafeString | str
    note: str
    swap: int = 0


@dataclass(frozen=True, kw_only=True)
class RotaCard:
    pk: int
    team: str
    now: str
    until: SafeString | str
    note: str
    rows: tuple[ShiftRow, ...]
    edit: str
    zone: str


@dataclass(frozen=True, kw_only=True)
class OnCallPage:
    sentence: str
    cards: tuple[RotaCard, ...]
    people: tuple[Choice, ...]
    may_swap: bool
    add: str
    wrong: int
    problems: tuple[str, ...]
    typed: Mapping[str, str]


def on_call_page(
    *, user: Any, moment: Moment, wrong: int = 0, problems: tuple[str, ...] = (), typed: Mapping[str, str] | None = None
) -> OnCallPage:
    """Every rota at the moment. `wrong` is the rota whose form was refused."""
    typed = typed or {}
    may_swap = user.has_perm(rotating.MAY_SWAP) and not moment.past
    may_edit = user.is_staff and user.has_perm("incidents.change_rota")
    cards = tuple(_card(rota, moment, may_edit) for rota in rotating.rotas())
    add = reverse("admin:incidents_rota_add") if user.is_staff and user.has_perm("incidents.add_rota") else ""
    return OnCallPage(
        sentence=_sentence(cards),
        cards=cards,
        people=_people(typed.get("person", str(user.pk))) if may_swap and cards else (),
        may_swap=may_swap,
        add=add,
        wrong=wrong,
        problems=problems,
        typed=typed,
    )


def _sentence(cards: tuple[RotaCard, ...]) -> str:
    if not cards:
        return "Nobody is on call by a rota."
    if len(cards) == 1:
        return f"{cards[0].now} is on call for {cards[0].team}." if cards[0].now else f"Nobody is on call for {cards[0].team}."
    manned = sum(bool(card.now) for card in cards)
    return f"{manned} of {many(len(cards), 'team')} {'has' if manned == 1 else 'have'} somebody on call."


def _card(rota: Rota, moment: Moment, may_edit: bool) -> RotaCard:
    found = rotating.shifts(rota, since=moment.at, until=moment.at + AHEAD)
    current = found[0] if found and found[0].starts_at <= moment.at else None
    swaps = {(swap.starts_at, swap.ends_at): swap.pk for swap in rota.swaps.all()}
    ahead = found[1:] if current else found
    return RotaCard(
        pk=rota.pk,
        team=str(rota.team),
        now=person(current.person) if current else "",
        until=clock(current.ends_at, moment) if current else "",
        note=_note(current) if current else "The rota has no members." if not rota.members.all() else "Its first shift is still to come.",
        rows=tuple(_row(one, moment, swaps) for one in ([current] if current and current.instead_of else []) + ahead[:MOST_SHIFTS]),
        edit=reverse("admin:incidents_rota_change", args=[rota.pk]) if may_edit else "",
        zone=f"Hand-over at {rota.hand_over_at:%H:%M}, {rota.zone}",
    )


def _row(one: Shift, moment: Moment, swaps: dict[Any, int]) -> ShiftRow:
    return ShiftRow(
        person=person(one.person),
        since=clock(one.starts_at, moment),
        until=clock(one.ends_at, moment),
        note=f"{person(one.instead_of)}: {one.reason}" if one.instead_of else "",
        swap=next((pk for (start, end), pk in swaps.items() if one.instead_of and start <= one.starts_at and one.ends_at <= end), 0),
    )


def _note(one: Shift) -> str:
    return f"Instead of {person(one.instead_of)}: {one.reason}" if one.instead_of else ""


def _people(chosen: str) -> tuple[Choice, ...]:
    """People who work on incidents and can be reached, by name."""
    able = get_user_model().objects.with_perm("incidents.change_incident", backend="django.contrib.auth.backends.ModelBackend")
    rows = able.filter(is_active=True).exclude(email="").order_by("first_name", "last_name", "username")
    return tuple(Choice(value=str(one.pk), words=person(one), chosen=str(one.pk) == chosen) for one in rows[:MOST_PEOPLE])
