"""Who is on call, now and next: shifts in the rota's own time zone, and whoever stands in; and standing in."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any

from django.db import transaction

from catalogue.refusing import NotAllowed, NotReady, WrongState, problems_of
from incidents.models import Rota, RotaSwap
from itsm_backup.common.models import because
from monitoring import schedules

AHEAD = dt.timedelta(days=400)
LONGEST_SWAP = dt.timedelta(days=62)
MAY_SWAP = "incidents.add_rotaswap"


@dataclass(frozen=True, kw_only=True)
class Shift:
    """One person on call in [starts_at, ends_at). `instead_of` names whom they stand in for, with the reason."""

    person: Any
    starts_at: dt.datetime
    ends_at: dt.datetime
    instead_of: Any = None
    reason: str = ""


def rotas() -> list[Rota]:
    """Every rota with its members and swaps."""
    return list(Rota.objects.select_related("team").prefetch_related("members__person", "swaps__person"))


def on_call(rota: Rota, *, at: dt.datetime) -> Shift | None:
    """Who is on call at `at`; None before the first shift and where the rota has no members."""
    found = shifts(rota, since=at, until=at + dt.timedelta(microseconds=1))
    return found[0] if found else None


def shifts(rota: Rota, *, since: dt.datetime, until: dt.datetime) -> list[Shift]:
    """Shifts that touch [since, until), in order, whole; cut only where somebody stands in."""
    swaps = [swap for swap in rota.swaps.all() if swap.ends_at > since and swap.starts_at < until]
    found = []
    for turn in _turns(rota, since, until):
        found += _with_swaps(turn, swaps)
    return [one for one in found if one.ends_at > since and one.starts_at < until]


def _turns(rota: Rota, since: dt.datetime, until: dt.datetime) -> list[Shift]:
    """The rotation as if nobody stood in: the n-th shift is the n-th member's, counted from the first day."""
    members = sorted(rota.members.all(), key=lambda member: member.place)
    schedule = rota.schedule()
    first_day = dt.datetime.combine(rota.starts_on, dt.time(), dt.UTC) - dt.timedelta(days=1)
    if not members or until <= first_day:
        return []
    starts = [one.due_at for one in schedules.occurrences(schedule, first_day, until)]
    if not starts:
        return []
    ends = [*starts[1:], schedules.next_due_after(schedule, starts[-1]) or starts[-1] + AHEAD]
    return [
        Shift(person=members[place % len(members)].person, starts_at=start, ends_at=end)
        for place, (start, end) in enumerate(zip(starts, ends, strict=True))
        if end > since
    ]


def _with_swaps(turn: Shift, swaps: list[RotaSwap]) -> list[Shift]:
    """The shift, cut where somebody stands in for its person."""
    found, start = [], turn.starts_at
    for swap in sorted(swaps, key=lambda one: one.starts_at):
        begins, ends = max(swap.starts_at, start), min(swap.ends_at, turn.ends_at)
        if begins >= ends:
            continue
        if begins > start:
            found.append(replace(turn, starts_at=start, ends_at=begins))
        found.append(Shift(person=swap.person, starts_at=begins, ends_at=ends, instead_of=turn.person, reason=swap.reason))
        start = ends
    return [*found, replace(turn, starts_at=start)] if start < turn.ends_at else found


def stand_in(*, rota: Rota, person: Any, starts_at: dt.datetime, ends_at: dt.datetime, by: Any, at: dt.datetime, reason: str) -> RotaSwap:
    """`person` is on call in that time. Raises NotAllowed, and NotReady with what is wrong."""
    _check(by, rota)
    row = RotaSwap(rota=rota, person=person, starts_at=starts_at, ends_at=ends_at, reason=" ".join(reason.split()))
    problems = [] if row.reason else ["Say why: it stands beside the name for everybody."]
    if ends_at <= at:
        problems.append("That time is over. Who was on call then is not rewritten.")
    if ends_at - starts_at > LONGEST_SWAP:
        problems.append("Nobody stands in for more than 62 days: change the members of the rota instead.")
    if starts_at < ends_at and not shifts(rota, since=max(starts_at, at), until=max(ends_at, at)):
        problems.append("Nobody has a turn in that time: the first shift is still to come, or the rota has no members.")
    if not person.is_active or not person.email:
        problems.append(f"{person.get_full_name() or person.get_username()} has no e-mail address, or is not there any more.")
    row.starts_at = max(starts_at, at) if ends_at > at else starts_at
    with transaction.atomic(), because(row.reason or "None given", by=by):
        Rota.objects.select_for_update().get(pk=rota.pk)  # two who stand in at once are told in turn
        if problems := [*problems, *problems_of(row)]:
            raise NotReady(problems)
        row.save()
    return row


def take_back(*, swap: RotaSwap, by: Any, at: dt.datetime) -> None:
    """The rotation counts again from `at`: what has not begun goes, what has begun ends. Raises NotAllowed, WrongState."""
    _check(by, swap.rota)
    with transaction.atomic(), because("Taken back", by=by):
        row = RotaSwap.objects.select_for_update(of=("self",)).filter(pk=swap.pk).first()
        if row is None or row.ends_at <= at:
            raise WrongState("It is over already. Nothing was changed.")
        if row.starts_at >= at:
            row.delete()
        else:
            row.ends_at = at
            row.save()


def _check(by: Any, rota: Rota) -> None:
    if not by.is_active or not by.has_perm(MAY_SWAP):
        raise NotAllowed(f"You may not change who is on call for {rota.team}: operators and monitoring administrators do.")
