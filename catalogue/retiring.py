"""How an entry leaves the catalogue: a steward asks, an approver agrees, and on its day it is retired if nothing stands in the way."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Sequence
from copy import copy
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import Exists, OuterRef, Q, Value
from django.template.loader import render_to_string

from catalogue import duties, legal_holds, weave
from catalogue.models import Relation, Retirement, Service, ServiceVersion
from catalogue.refusing import NotAllowed, NotReady, WrongState, words_of
from itsm_backup.common import outbox
from itsm_backup.common.models import because

State, Lifecycle = Retirement.State, Service.Lifecycle
LONGEST_AHEAD = dt.timedelta(days=731)
MOST_AT_ONCE = 200
MOST_NAMED = 5

# What stands in the way of a retirement, one sentence each; floors above add theirs.
guards: list[Callable[[Service, dt.datetime], Iterable[str]]] = []


def ask(*, service: Service, ends_at: dt.datetime, by: Any, at: dt.datetime, reason: str, successor: Service | None = None) -> Retirement:
    """Ask that the entry leaves the catalogue at `ends_at`; approvers are mailed. Raises NotReady, NotAllowed."""
    duties.check(by=by, act="change", on=service, at=at)
    with transaction.atomic(), because(reason, by=by):
        service = Service.objects.select_for_update().get(pk=service.pk)
        problems = [*_not_now(service, at), *_bad_day(ends_at, at), *_bad_successor(service, successor)]
        if problems:
            raise NotReady(problems)
        row = Retirement(service=service, ends_at=ends_at, successor=successor, reason=reason.strip(), asked_by=by, asked_at=at)
        row.save()
        able = duties.who_may("approve", service, except_ids=[by.pk])
        _tell(row, able, "asked", f"For approval: {service.code} leaves the catalogue", at)
    return row


def approve(*, retirement: Retirement, by: Any, at: dt.datetime, reason: str = "") -> Retirement:
    """The entry is pending retirement from now on, and who needs it is told; where its day is over already it is retired at once.

    Raises NotAllowed for who asked for it and for who is no approver of the entry, NotReady when it is to be at once and something
    stands in the way, WrongState.
    """
    why = reason.strip() or "Its retirement is approved."
    with transaction.atomic(), because(why, by=by):
        row = _open(retirement, State.ASKED)
        check_decider(row, by, at)
        if row.ends_at <= at and (found := obstacles(service=row.service, at=at, reader=by)):
            raise NotReady(found)
        row.state, row.decided_by, row.decided_at, row.answer = State.PLANNED, by, at, reason.strip()
        row.save()
        if row.service.lifecycle == Service.Lifecycle.CATALOGUE:
            row.service.lifecycle = Service.Lifecycle.PENDING_RETIREMENT
            row.service.save()
        _tell(row, _concerned(row.service, at), "planned", f"{row.service.code} leaves the catalogue", at)
        if row.ends_at <= at:
            _carry_out(row, at)
    return row


def refuse(*, retirement: Retirement, by: Any, at: dt.datetime, reason: str) -> Retirement:
    """The entry stays, and who asked is told why. Raises NotAllowed, WrongState."""
    with transaction.atomic(), because(reason, by=by):
        row = _open(retirement, State.ASKED)
        check_decider(row, by, at)
        row.state, row.decided_by, row.decided_at, row.answer, row.over_at = State.REFUSED, by, at, reason.strip(), at
        row.save()
        _tell(row, [row.asked_by], "refused", f"{row.service.code} stays in the catalogue", at)
    return row


def call_off(*, retirement: Retirement, by: Any, at: dt.datetime, reason: str) -> Retirement:
    """Before its day: the entry stays in the catalogue after all. For who may change the entry, or approve it.

    What was said when it was decided on stays; who called it off, and why, is kept in the history of the entry (`callings_off`).
    """
    service = retirement.service
    if not any(duties.may(by=by, act=act, on=service, at=at) for act in ("change", "retire")):
        duties.check(by=by, act="change", on=service, at=at)
    with transaction.atomic(), because(reason, by=by):
        row = _open(retirement, State.ASKED, State.PLANNED)
        was_planned = row.state == State.PLANNED
        row.state, row.over_at = State.CALLED_OFF, at
        if not was_planned:
            row.answer = reason.strip()
        row.save()
        if row.service.lifecycle == Service.Lifecycle.PENDING_RETIREMENT:
            row.service.lifecycle = Service.Lifecycle.CATALOGUE
        row.service._history_date = at  # type: ignore[attr-defined]  # by this instant it is found again
        row.service.save()
        if was_planned:
            _tell(row, _concerned(row.service, at), "called_off", f"{row.service.code} stays in the catalogue", at)
    return row


def retire_due(*, at: dt.datetime) -> int:
    """Retire every entry whose day has come and in whose way nothing stands; returns how many. The others wait, and are a gap."""
    due = Retirement.objects.filter(state=State.PLANNED, ends_at__lte=at).order_by("ends_at", "pk")
    return sum(_retire_if_free(pk, at) for pk in due.values_list("pk", flat=True)[:MOST_AT_ONCE])


def _retire_if_free(pk: int, at: dt.datetime) -> bool:
    with transaction.atomic():
        row = Retirement.objects.select_for_update(of=("self",)).select_related("service", "decided_by").get(pk=pk)
        if row.state != State.PLANNED or obstacles(service=row.service, at=at):
            return False
        with because(f"Retired as approved: {row.reason}", by=row.decided_by):
            _carry_out(row, at)
    return True


def obstacles(*, service: Service, at: dt.datetime, reader: Any = None) -> list[str]:
    """One sentence for everything that keeps the entry from being retired at this instant; empty when nothing does.

    Services that the reader may not see are counted, not named; None is a machine, which sees all.
    """
    return [
        *(f"It is under legal hold ({hold.reason}): have that released first." for hold in legal_holds.in_force(service, at)),
        *_dependants(service, at, reader),
        *_other_versions(service, at),
        *(sentence for guard in guards for sentence in guard(service, at)),
    ]


def open_of(service: Service) -> Retirement | None:
    """The retirement of the entry that is asked for or planned."""
    known = service.retirements.filter(state__in=Retirement.OPEN)
    return known.select_related("asked_by", "decided_by", "successor").first()


class CallingOff(NamedTuple):
    by: Any  # None for one of before this was kept
    why: str
    answer: str  # what was said when it was decided on


def callings_off(rows: Iterable[Retirement]) -> dict[int, CallingOff]:
    """Of the retirements that were called off: who did it and why; one query."""
    over = [row for row in rows if row.state == State.CALLED_OFF]
    if not over:
        return {}
    history: Any = Service.history.filter(id__in=[row.service_id for row in over], history_date__in=[row.over_at for row in over])  # type: ignore[attr-defined]
    kept = {(each.id, each.history_date): each for each in history.select_related("history_user")}
    return {row.pk: _calling_off(row, kept.get((row.service_id, row.over_at))) for row in over}


def _calling_off(row: Retirement, kept: Any) -> CallingOff:
    if kept is None:
        return CallingOff(None, row.answer, "")
    return CallingOff(kept.history_user, kept.history_change_reason, row.answer if row.decided_at else "")


def state_at(retirement: Retirement, at: dt.datetime) -> str:
    """Its state as it was at that instant."""
    if retirement.over_at is not None and retirement.over_at <= at:
        return retirement.state
    return State.PLANNED if retirement.decided_at is not None and retirement.decided_at <= at else State.ASKED


def lifecycles(services: Collection[Service], at: dt.datetime) -> dict[int, str]:
    """Where each entry stood at that instant: by then approved, on its way out, or retired; two queries for any number of them."""
    found = {service.pk: Lifecycle.PIPELINE for service in services}
    approved = ServiceVersion.objects.approved().filter(service__in=found, approved_at__lte=at)
    found |= dict.fromkeys(approved.values_list("service", flat=True).distinct(), Lifecycle.CATALOGUE)
    for row in Retirement.objects.filter(service__in=found, decided_at__lte=at).order_by("asked_at", "pk"):
        state = state_at(row, at)
        if state == State.DONE:
            found[row.service_id] = Lifecycle.RETIRED
        elif state == State.PLANNED and found[row.service_id] == Lifecycle.CATALOGUE:
            found[row.service_id] = Lifecycle.PENDING_RETIREMENT
    return {pk: str(stands) for pk, stands in found.items()}


def in_state(state: str, at: dt.datetime) -> Q:
    """The condition for retirements that were in this state at that instant."""
    over, decided = Q(over_at__lte=at), Q(decided_at__lte=at)
    if state in Retirement.OPEN:
        return ~over & (decided if state == State.PLANNED else ~decided)
    return over & Q(state=state)


def as_known(retirement: Retirement, off: CallingOff | None, at: dt.datetime) -> Retirement:
    """A copy of it as it was known at that instant; never to be saved."""
    then = copy(retirement)
    then.state = state_at(retirement, at)
    if then.state == State.CALLED_OFF:
        return then
    then.answer = off.answer if off else then.answer
    if then.state in Retirement.OPEN:
        then.over_at = None
    if then.state == State.ASKED:
        then.decided_by, then.decided_at, then.answer = None, None, ""
    return then


def check_decider(retirement: Retirement, by: Any, at: dt.datetime) -> None:
    """Raises NotAllowed, naming the rule or who can, unless `by` may decide on it: an approver of the entry who did not ask for it."""
    if by.pk == retirement.asked_by_id:
        others = duties.names(duties.who_may("approve", retirement.service, except_ids=[by.pk]))
        nobody = "Nobody else holds that duty yet: an administrator can grant the role approver."
        raise NotAllowed(f"You asked for it, so somebody else decides on it. {f'{others} can.' if others else nobody}")
    duties.check(by=by, act="retire", on=retirement.service, at=at)


def _not_now(service: Service, at: dt.datetime) -> list[str]:
    if service.lifecycle == Service.Lifecycle.RETIRED:
        return [f"{service.code} is retired already."]
    found = open_of(service)
    return [f"The retirement of {service.code} is {found.get_state_display()} already. Call that off first."] if found else []


def _bad_day(ends_at: dt.datetime, at: dt.datetime) -> list[str]:
    if ends_at < at:
        return [f"{words_of(ends_at)} is over: until now it stood in the catalogue, and that stays."]
    if ends_at > at + LONGEST_AHEAD:
        return [f"{words_of(ends_at)} is more than two years ahead. Choose an earlier day."]
    return []


def _bad_successor(service: Service, successor: Service | None) -> list[str]:
    if successor is None:
        return []
    if successor.pk == service.pk:
        return ["An entry does not follow itself. Choose another one, or none."]
    if successor.lifecycle == Service.Lifecycle.RETIRED:
        return [f"{successor.code} is retired itself. Choose an entry that goes on, or none."]
    return []


def _dependants(service: Service, at: dt.datetime, reader: Any) -> Iterable[str]:
    """Entries in force that stop with it, then those of which only the backup does."""
    hard = Relation.objects.standing(at).filter(provider=service, strength="hard").exclude(kind=Relation.Kind.SUPERSEDES)
    stops = Exists(hard.exclude(kind__in=weave.ONLY_BACKUP).filter(consumer=OuterRef("service")))
    seen: Any = Value(True) if reader is None else Exists(Service.objects.visible_to(reader).filter(pk=OuterRef("service")))
    rows = ServiceVersion.objects.in_force(at).exclude(service=service).filter(service__in=hard.values("consumer"))
    involved = list(rows.annotate(seen=seen, stops=stops).order_by("name").values_list("name", "seen", "stops"))
    yield from _who([one[:2] for one in involved if one[2]], "stops with it", "stop with it")
    yield from _who([one[:2] for one in involved if not one[2]], "loses its backup with it", "lose their backup with it")


def _who(involved: Sequence[tuple[str, bool]], verb: str, verbs: str) -> Iterable[str]:
    """The sentence that names them, or counts those that the reader may not see; none where there is nobody."""
    named = [name for name, is_seen in involved if is_seen]
    told = [*named[:MOST_NAMED], *([f"{len(named) - MOST_NAMED} more"] if len(named) > MOST_NAMED else [])]
    if hidden := len(involved) - len(named):
        told.append(f"{'a service' if hidden == 1 else f'{hidden} services'} that you may not see")
    if told:
        who = " and ".join(filter(None, [", ".join(told[:-1]), told[-1]]))
        does, which = (verb, "that relation") if len(involved) == 1 else (verbs, "those relations")
        yield f"{who[0].upper()}{who[1:]} {does}: end or soften {which} first."


def _other_versions(service: Service, at: dt.datetime) -> Iterable[str]:
    ahead = Q(state="approved", effective__startswith__gt=at)
    for version in service.versions.filter(ahead | Q(state__in=("draft", "in_review"))).order_by("number"):
        if version.state == ServiceVersion.State.APPROVED:
            yield f"Version {version.number} takes force on {words_of(version.effective.lower)}: withdraw it first."
        else:
            yield f"Version {version.number} is {version.get_state_display()}: finish or cancel it first."


def _carry_out(row: Retirement, at: dt.datetime) -> None:
    """End its version and its relations, and retire it. The caller holds the row, inside because()."""
    for version in row.service.versions.approved().filter(effective__endswith=None):
        version.effective = DateTimeTZRange(version.effective.lower, at)
        version.save()
    ends = Relation.objects.standing(at).exclude(kind=Relation.Kind.SUPERSEDES)
    for relation in ends.filter(consumer=row.service) | ends.filter(provider=row.service):
        relation.valid_until = at
        relation.save()
    row.service.lifecycle = Service.Lifecycle.RETIRED
    row.service.save()
    row.state, row.over_at = State.DONE, at
    row.save()


def _concerned(service: Service, at: dt.datetime) -> list[Any]:
    """Owners and stewards of the entry and of all that need it directly, each once."""
    needing = Relation.objects.standing(at).filter(provider=service).exclude(kind=Relation.Kind.SUPERSEDES)
    versions = ServiceVersion.objects.in_force(at).filter(service__in=[service.pk, *needing.values_list("consumer", flat=True)])
    people = {person.pk: person for row in versions.select_related("owner", "steward") for person in (row.owner, row.steward) if person}
    return [person for person in people.values() if person.is_active]


def _tell(row: Retirement, people: Iterable[Any], what: str, subject: str, at: dt.datetime) -> None:
    name = ServiceVersion.objects.filter(service=row.service).approved().order_by("-number").values_list("name", flat=True).first()
    context = {
        "retirement": row, "what": what, "name": name or row.service.code, "organisation": settings.ORGANISATION,
        "ends": words_of(row.ends_at), "asker": duties.names([row.asked_by]),
        "decider": duties.names([row.decided_by]) if row.decided_by else "",
        "address": f"{settings.BASE_URL}/services/{row.service.code}/retirement/",
    }  # fmt: skip
    body = render_to_string("catalogue/email/retirement.txt", context)
    for person in people:
        if person.email:
            key = f"retirement/{row.pk}/{what}/{person.pk}"
            outbox.write(key=key, thread=f"retirement/{row.pk}/{person.pk}", recipient=person.email, subject=subject, body=body, at=at)


def _open(retirement: Retirement, *states: str) -> Retirement:
    Service.objects.select_for_update().get(pk=retirement.service_id)
    row: Retirement = (
        Retirement.objects.select_for_update(of=("self",)).select_related("service", "asked_by", "decided_by").get(pk=retirement.pk)
    )
    if row.state not in states:
        raise WrongState(f"The {row} is {row.get_state_display()} already. Nothing was changed; look at it again.")
    return row
