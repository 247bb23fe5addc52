"""Whose duty is what: duties that exclude each other, and who may do something to a service."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import combinations
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from guardian.shortcuts import get_users_with_perms

from catalogue import holding


class Refused(Exception):
    """Something was not done; nothing was changed. The message says why and what to do."""


class NotAllowed(Refused):
    """This person may not do it; the message names who can."""


class Conflict(NamedTuple):
    """Two roles that no person may hold together, and the reason in words."""

    one: str
    other: str
    rule: str

    def __str__(self) -> str:
        return f"{self.one} and {self.other} exclude each other: {self.rule}"


# Roles that one person never holds together. Pairs that only exclude each other on the same object (an author never
# approves the version, a requester never the change) are guarded where the object is acted on.
NEVER_TOGETHER = (
    Conflict("monitoring-admin", "steward", "who measures a promise never writes it."),
    Conflict("monitoring-admin", "approver", "who measures a promise never approves it."),
    Conflict("operator", "approver", "who runs the backups never approves what they have to keep."),
    *(
        Conflict("auditor", other, "nobody audits their own work.")
        for other in ("monitoring-admin", "steward", "approver", "requester", "change-manager", "operator")
    ),
)
AUDITS = "An auditor changes nothing and is no administrator: nobody audits their own work."
_BY_PAIR = {frozenset((conflict.one, conflict.other)): conflict for conflict in NEVER_TOGETHER}


def conflicts(roles: Iterable[str]) -> list[Conflict]:
    """The pairs among these roles that no person may hold together, in stable order; empty when all go together."""
    pairs = combinations(sorted(set(roles)), 2)
    return [_BY_PAIR[frozenset(pair)] for pair in pairs if frozenset(pair) in _BY_PAIR]


# Duties that one person may hold, but never on the same object.
NEVER_ON_THE_SAME = (
    Conflict("steward", "approver", "an author never approves."),
    Conflict("steward", "operator", "who wrote the promise does not close by hand what breaks it."),
    Conflict("steward", "change-manager", "who writes the entry does not authorise the change of it."),
    Conflict("monitoring-admin", "operator", "who sets what is measured does not close by hand what was measured."),
    Conflict("monitoring-admin", "requester", "who sets what is measured does not ask for the change that it guards."),
    Conflict("monitoring-admin", "change-manager", "who sets what is measured does not authorise the change that it guards."),
    Conflict("approver", "requester", "who asks for a change does not approve its promise."),
    Conflict("requester", "change-manager", "nobody authorises what they asked for."),
    Conflict("change-manager", "operator", "who carries a change out does not authorise it."),
)
_ON_THE_SAME = {frozenset((conflict.one, conflict.other)): conflict for conflict in NEVER_ON_THE_SAME}


def rule_between(one: str, other: str) -> Conflict | None:
    """The rule by which the two duties exclude each other, altogether or on the same object; None when they go together."""
    pair = frozenset((one, other))
    return _BY_PAIR.get(pair) or _ON_THE_SAME.get(pair)


class Doing(NamedTuple):
    """What an act is: whose duty, the right on the service that it takes (empty where the door asks for another one), in words."""

    duty: str
    right: str
    words: str


ACTS = {
    "change": Doing("steward", "change", "change"),
    "relate": Doing("steward", "change", "change the relations of"),
    "scope": Doing("steward", "change", "decide the scope of"),
    "approve": Doing("approver", "approve", "approve versions of"),
    "grant": Doing("approver", "approve", "grant deviations of"),
    "analyse": Doing("approver", "approve", "approve impact analyses of"),
    "agree": Doing("approver", "", "approve versions of"),
    "rule": Doing("approver", "", "put rules in force for"),
    "retire": Doing("approver", "approve", "decide on the retirement of"),
    "hold": Doing("approver", "approve", "place a legal hold on"),
    "release": Doing("approver", "approve", "release the legal hold on"),
    "override": Doing("operator", "override", "set by hand the status of"),
    "test_restores": Doing("operator", "override", "plan restore tests of"),
    "resolve": Doing("operator", "", "resolve by hand an incident of"),
    "review": Doing("operator", "", "publish the review of an incident of"),
}
_TO_APPROVE = (
    "approve",
    "grant",
    "analyse",
    "agree",
    "rule",
    "retire",
    "hold",
    "release",
)  # in these a superuser's own deeds count like duties held


def _is_steward(*, by: Any, on: Any, at: dt.datetime) -> bool:
    """Whether the person wrote any part of what the entry promises or is named as its steward: by this version, or by the one in force."""
    if hasattr(on, "author_id"):  # a text with one author, such as an agreement
        return bool(by.pk == on.author_id)
    return any(by.pk in version.author_ids or by.pk == version.steward_id for version in _versions(on, at))


def _wrote(by: Any, on: Any, at: dt.datetime) -> bool:
    if hasattr(on, "author_id"):
        return bool(by.pk == on.author_id)
    return any(by.pk in version.author_ids for version in _versions(on, at))


def _versions(on: Any, at: dt.datetime) -> list[Any]:
    """The version in force, and the one that is acted on."""
    in_force = getattr(on, "service", on).version_at(at)
    return [version for version in (in_force, on if hasattr(on, "author_ids") else None) if version is not None]


# duty → whether this person has exercised it on this service or version; floors above add theirs
deeds: dict[str, list[Callable[..., bool]]] = {"steward": [_is_steward]}


def may(*, by: Any, act: str, on: Any, at: dt.datetime) -> bool:
    """The one question that every act asks: whether this person may do it to this service or version, at this time."""
    return not refusal(by=by, act=act, on=on, at=at)


def check(*, by: Any, act: str, on: Any, at: dt.datetime) -> None:
    """Raises NotAllowed with the refusal when there is one."""
    told = refusal(by=by, act=act, on=on, at=at)
    if told:
        raise NotAllowed(told)


def keep_apart(*, by: Any, act: str, on: Any, at: dt.datetime) -> None:
    """The same for acts whose door has asked for the right already: raises NotAllowed when duties exclude each other."""
    told = clash(by=by, act=act, on=on, at=at)
    if told:
        raise NotAllowed(told)


def check_duty(*, by: Any, duty: str, doing: str, at: dt.datetime) -> None:
    """Raises NotAllowed when a duty that the person holds excludes this one, which the `doing` ("ask for a deviation") takes."""
    told = _held_against(by, duty, doing, at)
    if told:
        raise NotAllowed(told)


def refusal(*, by: Any, act: str, on: Any, at: dt.datetime) -> str:
    """Why this person may not do the act, with the rule or with the names of who can; empty when they may."""
    return clash(by=by, act=act, on=on, at=at) or _without_right(by, ACTS[act], on)


def _without_right(by: Any, doing: Doing, on: Any) -> str:
    service = getattr(on, "service", on)
    if not doing.right or (by.is_active and type(service).objects.visible_to(by, doing.right).filter(pk=service.pk).exists()):
        return ""
    able = names(who_may(doing.right, service, except_ids=[by.pk, *getattr(on, "author_ids", ())]))
    nobody = f"Nobody else holds that duty for this service yet: an administrator can grant the role {doing.duty}."
    return f"You may not {doing.words} {service}. {f'{able} can.' if able else nobody}"


def clash(*, by: Any, act: str, on: Any, at: dt.datetime) -> str:
    """The rule of the duties that stands against it: two that nobody holds together, or that nobody has on the same object.

    Superusers obey too: theirs are the duties that they were given, and those that they have exercised on this object.
    """
    duty = ACTS[act].duty
    told = _held_against(by, duty, f"{ACTS[act].words} {_name(on)}", at)
    if told:
        return told
    tables = [_ON_THE_SAME, _BY_PAIR] if by.is_superuser and act in _TO_APPROVE else [_ON_THE_SAME]
    for conflict in (conflict for table in tables for pair, conflict in table.items() if duty in pair):
        other = conflict.other if conflict.one == duty else conflict.one
        if any(did(by=by, on=on, at=at) for did in deeds.get(other, ())) and not holding.excepted(by, conflict, at):
            how = "are named as steward of" if other == "steward" and not _wrote(by, on, at) else f"have acted as {other} on"
            return f"{_rule(conflict)} You {how} {_name(on)}, so somebody else must {ACTS[act].words} it."
    return ""


def _held_against(by: Any, duty: str, doing: str, at: dt.datetime) -> str:
    """The rule by which a duty that the person holds forbids the doing; empty when none does."""
    held = holding.duties_of(by)
    for conflict in conflicts([*held, duty]):
        other = conflict.other if conflict.one == duty else conflict.one
        if duty in (conflict.one, conflict.other) and other in held and not holding.excepted(by, conflict, at):
            return f"{_rule(conflict)} You hold {other} ({', '.join(held[other])}), so you may not {doing}. {_REMEDY}"
    return ""


_REMEDY = "An administrator takes one of the two away, or enters an exception with an end (Evidence, Duties)."


def _name(on: Any) -> str:
    return str(getattr(on, "service", on))


def objection(person: Any, model: Any, at: dt.datetime) -> str:
    """Why this person may change no row of this kind at all: a duty that they hold excludes the one that it takes, or is to audit."""
    meta = model._meta
    doing = f"change {meta.verbose_name_plural}"
    if duty := holding.POWERS.get(f"{meta.app_label}.change_{meta.model_name}", ""):
        return _held_against(person, duty, doing, at)
    ways = holding.duties_of(person).get("auditor", []) if person.is_superuser else []
    return f"{AUDITS} You hold auditor ({', '.join(ways)}), so you may not {doing}." if ways else ""


def objection_to_administration(person: Any) -> str:
    """Why this person cannot be made an administrator of the whole product; empty when they can."""
    return f"{AUDITS} Take the role auditor away from {names([person])} first." if "auditor" in holding.duties_of(person) else ""


def objection_to_rights(person: Any, rights: Iterable[str], at: dt.datetime) -> str:
    """Why these rights ("monitoring.change_tool") on one row cannot be given to the person; empty when they can."""
    wanted = holding.duties_of_rights(rights := set(rights))
    shared = [[objection_to_duties(person, {duty}, at) for duty in holding.SHARED[right]] for right in rights & set(holding.SHARED)]
    neither = " ".join(told[0] for told in shared if all(told))
    return objection_to_duties(person, wanted, at) or neither or _meeting_on_one(person, wanted, at)


def _meeting_on_one(person: Any, wanted: set[str], at: dt.datetime) -> str:
    """The rules that these duties break on one object, with each other or with what the person holds over the whole estate."""
    reaching = {duty for duty, ways in holding.duties_of(person).items() if any(holding.is_everywhere(way, duty) for way in ways)}
    against = [one for one in together(wanted | reaching) if {one.one, one.other} & wanted and not holding.excepted(person, one, at)]
    return " ".join(f"{_rule(one)} They must not meet on one object." for one in against)


def together(roles: Iterable[str]) -> list[Conflict]:
    """The pairs among these roles that one person may hold, but never use on the same object, in stable order."""
    pairs = combinations(sorted(set(roles)), 2)
    return [_ON_THE_SAME[frozenset(pair)] for pair in pairs if frozenset(pair) in _ON_THE_SAME]


def cautions(person: Any, gained: str) -> list[str]:
    """One sentence for each duty that the person holds beside the one just given and may never use on the same object."""
    pairs = [one for one in together(holding.duties_of(person)) if gained in (one.one, one.other)]
    return [f"Never on the same object: {one} Whichever they do second there is refused." for one in pairs]


def objection_to_duties(person: Any, gained: Iterable[str], at: dt.datetime) -> str:
    """The rules that stand against giving the person these duties beside those they hold, by whichever way."""
    held = holding.duties_of(person)
    wanted = set(gained)
    against = [one for one in conflicts([*held, *wanted]) if {one.one, one.other} & wanted and not holding.excepted(person, one, at)]
    return " ".join(map(_rule, against))


def _rule(conflict: Conflict) -> str:
    return f"{conflict}"[:1].upper() + f"{conflict}"[1:]


def who_may(action: str, service: Any, *, except_ids: Iterable[int | None] = ()) -> list[Any]:
    """Active people who may do `action` ("change", "approve" …) to the service, by role or by grant on it, ordered by name.

    Superusers are left out: they are not the ones to ask.
    """
    meta = service._meta
    codename = f"{action}_{meta.model_name}"
    by_role = get_user_model().objects.with_perm(
        f"{meta.app_label}.{codename}", backend="django.contrib.auth.backends.ModelBackend", include_superusers=False
    )
    by_grant: Any = get_users_with_perms(service, only_with_perms_in=[codename], with_group_users=True)
    able = {*by_role.values_list("pk", flat=True), *by_grant.values_list("pk", flat=True)} - set(except_ids)
    return list(get_user_model().objects.filter(pk__in=able, is_active=True, is_superuser=False).order_by("username"))


def names(people: Iterable[Any]) -> str:
    """`A. Berg, C. Diaz or E. Falk`; empty text for nobody. At most five are named; those of one name have their user names beside."""
    named = [(person, person.get_full_name() or person.get_username()) for person in dict.fromkeys(people)]
    often = Counter(name for _, name in named)
    shown = [f"{name} ({person.get_username()})" if often[name] > 1 else name for person, name in named]
    if more := len(shown[5:]):
        return f"{', '.join(shown[:5])} or {more} {'other' if more == 1 else 'others'}"
    return " or ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))
