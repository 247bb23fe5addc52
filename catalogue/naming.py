"""Whom an entry may name: nobody answers for it whose other duty forbids that."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.db.models import CharField, QuerySet, Value
from guardian.models import GroupObjectPermission, UserObjectPermission

from catalogue import holding
from catalogue.duties import NEVER_TOGETHER, Conflict, names, who_may
from catalogue.models import DutyException, Service

# What excludes the two duties that an entry names. An owner writes and measures nothing, but nobody audits what they answer for.
EXCLUDED: dict[str, tuple[Conflict, ...]] = {
    "steward": tuple(rule for rule in NEVER_TOGETHER if "steward" in (rule.one, rule.other)),
    "owner": (Conflict("auditor", "owner", "nobody audits their own work."),),
}
# Who belongs to an operations team runs its backups, with or without the role.
RULES = {**EXCLUDED, "operator": tuple(rule for rule in NEVER_TOGETHER if "operator" in (rule.one, rule.other))}


def unfit(at: dt.datetime, *, of: Collection[str] = tuple(EXCLUDED)) -> dict[str, dict[int, str]]:
    """Duty → person → the rule by which they cannot have it at `at`; who is missing can.

    `of` are the duties that are asked about: owner and steward, whom an entry names; or operator, for the members of a team.
    """
    found = [
        (duty, person, rule)
        for person, held in holding.held().items()
        for duty in of
        for rule in RULES[duty]
        if (rule.other if rule.one == duty else rule.one) in held
    ]
    excepted = {(row.person_id, row.pair) for row in DutyException.objects.holding(at)} if found else set()
    told: dict[str, dict[int, str]] = {duty: {} for duty in of}
    for duty, person, rule in found:
        if (person, frozenset((rule.one, rule.other))) not in excepted:
            told[duty].setdefault(person, f"{rule}")
    return told


def fit(people: QuerySet[Any], duty: str, at: dt.datetime) -> QuerySet[Any]:
    """Those of the people whom an entry may name for the duty."""
    return people.exclude(pk__in=list(unfit(at, of=[duty])[duty]))


def refusals(named: Mapping[str, Any], at: dt.datetime) -> list[str]:
    """One sentence for everybody named under `owner` and `steward` whom the entry cannot name so; empty when all is well."""
    wanted = {duty: person for duty, person in named.items() if duty in EXCLUDED and person is not None}
    barred = unfit(at) if wanted else {}
    return [sentence(names([person]), duty, barred[duty][person.pk]) for duty, person in wanted.items() if person.pk in barred[duty]]


def refusal(person: Any, duty: str, at: dt.datetime) -> str:
    """The same for one person; empty when the entry can name them."""
    return " ".join(refusals({duty: person}, at))


def refusal_of_member(person: Any, at: dt.datetime) -> str:
    """Why this person cannot belong to a team that runs backups; empty when they can."""
    rule = unfit(at, of=["operator"])["operator"].get(person.pk)
    return f"{names([person])} cannot belong to a team that runs backups: {rule} Choose somebody else." if rule else ""


# What a duty takes on the entry, and the role that gives it.
_TAKES = {"owner": ("view", "see", "stakeholder"), "steward": ("change", "change", "steward")}


def lacking(person: Any, duty: str, service: Service) -> str:
    """Why the duty cannot be offered to this person: they may not do on the entry what it takes. Empty when they may."""
    right, words, role = _TAKES[duty]
    if Service.objects.visible_to(person, right).filter(pk=service.pk).exists():
        return ""
    name = names([person])
    return f"{name} may not {words} {service.code}: an administrator gives {name} the role {role} for it first."


def offerable(service: Service, duty: str, at: dt.datetime) -> QuerySet[Any]:
    """Those of the candidates who may do on the entry what the duty takes."""
    able = who_may(_TAKES[duty][0], service)
    return candidates(duty, at).filter(pk__in=[person.pk for person in able])


class Changing(NamedTuple):
    """Who may change every entry, and who may change which ones, as (person, entry)."""

    everywhere: frozenset[int]
    single: frozenset[tuple[int, int]]

    def may(self, person: int, service: int) -> bool:
        return person in self.everywhere or (person, service) in self.single


def changing() -> Changing:
    """Who may change entries; one query, whatever their number."""
    right = {"permission__codename": "change_service", "permission__content_type__app_label": "catalogue"}
    own = UserObjectPermission.objects.filter(**right).values_list("user", "object_pk")
    through = GroupObjectPermission.objects.filter(group__user__isnull=False, **right).values_list("group__user", "object_pk")
    by_role = get_user_model().objects.with_perm("catalogue.change_service", backend="django.contrib.auth.backends.ModelBackend")
    every = by_role.order_by().annotate(every=Value("", output_field=CharField())).values_list("pk", "every")
    found = set(every.union(own.order_by(), through.order_by()))
    single = frozenset((person, int(entry)) for person, entry in found if entry)
    return Changing(frozenset(person for person, entry in found if not entry), single)


def sentence(name: str, duty: str, rule: str) -> str:
    return f"{name} cannot be its {duty}: {rule} Name somebody else."


def candidates(duty: str, at: dt.datetime) -> QuerySet[Any]:
    """Everybody with a live account whom an entry may name for the duty, by name."""
    return fit(get_user_model().objects.filter(is_active=True), duty, at).order_by("first_name", "last_name", "username")
