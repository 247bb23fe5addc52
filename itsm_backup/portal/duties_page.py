"""Evidence of separated duties: who holds what excludes each other, exceptions, the matrix, and rights given and taken."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils.safestring import SafeString

from catalogue import duties, excepting, holding
from catalogue.excepting import MAY_EXCEPT
from catalogue.models import Duty, DutyException, GrantEntry, LegalHold, Service
from itsm_backup.common.admin.right_words import right_words
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.words import instant, many, person

MAY_SEE, MAY_SEE_RECORD = "catalogue.view_dutyexception", "catalogue.view_grantentry"
RECORD_SHOWN, SOON = 50, dt.timedelta(days=30)


@dataclass(frozen=True, kw_only=True)
class Found:
    """One person who holds two duties that exclude each other, and by which ways."""

    person: str
    pair: str
    ways: tuple[str, ...]
    rule: str
    covered: str  # empty when no exception covers it
    href: str


@dataclass(frozen=True, kw_only=True)
class ExceptionRow:
    person: str
    pair: str
    reason: str
    owner: str
    approver: str
    approved: SafeString
    since: SafeString
    until: SafeString
    state: str
    verdict: str


@dataclass(frozen=True, kw_only=True)
class RecordRow:
    at: SafeString
    what: str
    by: str
    reason: str
    outside: bool


@dataclass(frozen=True, kw_only=True)
class HoldRow:
    service: Link
    reason: str
    owner: str
    since: SafeString
    until: SafeString | str


@dataclass(frozen=True, kw_only=True)
class DutiesPage:
    sentence: str
    conflicts: tuple[Found, ...]
    apart: tuple[Found, ...]  # two duties that may be held, but never used on the same object
    exceptions: tuple[ExceptionRow, ...]
    matrix: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]  # duty and (letter, rule) for each duty
    heads: tuple[str, ...]
    record: tuple[RecordRow, ...]
    record_href: str
    holds: tuple[HoldRow, ...]
    superusers: str
    add_href: str


def duties_page(*, user: Any, moment: Moment) -> DutiesPage:
    """The page; the number of queries does not grow with people or rights. Who holds what is told as of now only."""
    people = {one.pk: one for one in get_user_model().objects.filter(is_active=True)}
    exceptions = list(
        DutyException.objects.filter(approved_at__lte=moment.at)
        .select_related("person", "owner", "approver")
        .order_by("-valid_until")[:200]
    )
    if moment.past:
        ends = excepting.ends_known(exceptions, moment.at)
        for one in exceptions:
            one.valid_until = ends.get(one.pk, one.valid_until)
    found = ((), ()) if moment.past else _in_one_hand(people, exceptions, user, moment)
    conflicts, apart = found
    open_ones = [one for one in conflicts if not one.covered]
    return DutiesPage(
        sentence=_sentence(len(open_ones), len(conflicts) - len(open_ones), len({one.person for one in apart}), moment),
        conflicts=conflicts,
        apart=apart,
        exceptions=tuple(_exception(one, moment) for one in exceptions),
        matrix=tuple((one, tuple(_letter(one, other) for other in Duty.values)) for one in Duty.values),
        heads=tuple(Duty.values),
        record=tuple(_record(people, moment)) if user.has_perm(MAY_SEE_RECORD) else (),
        record_href=reverse("admin:catalogue_grantentry_changelist") if user.is_staff and user.has_perm(MAY_SEE_RECORD) else "",
        holds=tuple(_holds(user, moment)),
        superusers=", ".join(sorted(person(one) for one in people.values() if one.is_superuser)),
        add_href=reverse("admin:catalogue_dutyexception_add") if user.has_perm(MAY_EXCEPT) and not moment.past else "",
    )


def _in_one_hand(
    people: dict[int, Any], exceptions: list[DutyException], user: Any, moment: Moment
) -> tuple[tuple[Found, ...], tuple[Found, ...]]:
    """What no person may hold together and somebody does, and what somebody holds but may never use on the same object."""
    covered = {(one.person_id, one.pair): one for one in exceptions if one.valid_from <= moment.at < one.valid_until}
    never: list[Found] = []
    apart: list[Found] = []
    for pk, held in holding.held().items():
        for rules, found in ((duties.conflicts(held), never), (duties.together(held), apart)):
            for rule in rules if pk in people else ():
                exception = covered.get((pk, frozenset((rule.one, rule.other))))
                found.append(_found(people[pk], held, rule, exception, user))
    return tuple(sorted(never, key=_order)), tuple(sorted(apart, key=_order))


def _order(one: Found) -> tuple[bool, str, str]:
    return bool(one.covered), one.person, one.pair


def _found(who: Any, held: dict[str, list[str]], rule: duties.Conflict, exception: DutyException | None, user: Any) -> Found:
    until = f"Exception until {exception.valid_until:%d %b %Y}, {person(exception.owner)} answers for it" if exception else ""
    return Found(
        person=person(who), pair=f"{rule.one} and {rule.other}", rule=rule.rule, covered=until,
        ways=tuple(f"{duty}: {', '.join(held[duty][:4])}" for duty in (rule.one, rule.other)),
        href=reverse("admin:auth_user_change", args=[who.pk]) if user.is_superuser else "",
    )  # fmt: skip


def _sentence(open_ones: int, covered: int, apart: int, moment: Moment) -> str:
    if moment.past:
        return "Exceptions, holds and rights as they were then."
    told = f"{many(covered, 'exception covers', 'exceptions cover')} two duties in one hand." if covered else ""
    told = f"{told} {many(apart, 'person holds', 'people hold')} two that must not meet on one object.".strip() if apart else told
    if open_ones:
        return f"{many(open_ones, 'conflict')} of duties without an exception. {told}".strip()
    how = " without an exception" if covered else " altogether" if apart else ""
    return f"Nobody holds duties that exclude each other{how}. {told}".strip()


def _exception(one: DutyException, moment: Moment) -> ExceptionRow:
    over, begun = one.valid_until <= moment.at, one.valid_from <= moment.at
    soon = not over and one.valid_until <= moment.at + SOON
    state = "Over" if over else "Not yet" if not begun else "Ends soon" if soon else "In force"
    return ExceptionRow(
        person=person(one.person), pair=f"{one.one} and {one.other}", reason=one.reason, owner=person(one.owner),
        approver=person(one.approver), approved=instant(one.approved_at), since=instant(one.valid_from),
        until=instant(one.valid_until), state=state, verdict="held" if over or not begun else "at_risk",
    )  # fmt: skip


def _letter(one: str, other: str) -> tuple[str, str]:
    rule = duties.rule_between(one, other)
    if one == other or rule is None:
        return ("–" if one == other else "", "")
    return ("X" if rule in duties.NEVER_TOGETHER else "D"), rule.rule


def _record(people: dict[int, Any], moment: Moment) -> Iterable[RecordRow]:
    """The newest roles and rights that people got or lost."""
    names = {pk: person(one) for pk, one in people.items()}
    found = GrantEntry.objects.filter(at__lte=moment.at).exclude(kind=GrantEntry.Kind.ROLE_RIGHT).order_by("-at", "-pk")
    rows = list(found[:RECORD_SHOWN])
    codes = _codes(rows)
    for one in rows:
        role = one.kind == GrantEntry.Kind.ROLE
        right = f"role {one.what}" if role else f"the right to {right_words(one.what)}"
        if one.on in codes:  # "change services" on "catalogue.service 6": change SVC-005
            right = right.replace("a service" if "a service" in right else "services", codes[one.on])
        elif one.on:
            right += f", on {one.on} alone"
        what = f"{names.get(one.person, one.holder)} {'got' if one.given else 'lost'} {right}"
        by = names.get(one.by, "an account that is gone") if one.by else "outside the product's pages and acts"
        yield RecordRow(at=instant(one.at), what=what, by=by, reason=one.reason, outside=not one.by and not one.reason)


def _codes(rows: list[GrantEntry]) -> dict[str, str]:
    """What the record calls a row of a service → its code."""
    named = {one.on: int(one.on.rpartition(" ")[2]) for one in rows if one.on.startswith("catalogue.service ")}
    codes = dict(Service.objects.filter(pk__in=named.values()).values_list("pk", "code")) if named else {}
    return {on: codes[pk] for on, pk in named.items() if pk in codes}


def _holds(user: Any, moment: Moment) -> Iterable[HoldRow]:
    rows = LegalHold.objects.filter(service__in=Service.objects.visible_to(user), held_from__lte=moment.at).select_related(
        "service", "owner"
    )
    for one in rows.order_by("held_from"):
        ends = min(filter(None, (one.held_until, one.released_at)), default=None)
        if ends is None or ends > moment.at:
            yield HoldRow(
                service=Link(one.service.code, moment.href("service", one.service.code)), reason=one.reason, owner=person(one.owner),
                since=instant(one.held_from), until=instant(one.held_until) if one.held_until else "until released",
            )  # fmt: skip
