"""Whom an entry may name: nobody answers for it whose other duty forbids that."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import QuerySet

from catalogue import holding
from catalogue.duties import NEVER_TOGETHER, Conflict, names
from catalogue.models import DutyException

# What excludes the two duties that an entry names. An owner writes and measures nothing, but nobody audits what they answer for.
EXCLUDED: dict[str, tuple[Conflict, ...]] = {
    "steward": tuple(rule for rule in NEVER_TOGETHER if "steward" in (rule.one, rule.other)),
    "owner": (Conflict("auditor", "owner", "nobody audits their own work."),),
}


def unfit(at: dt.datetime) -> dict[str, dict[int, str]]:
    """Duty (owner, steward) → person → the rule by which an entry cannot name them for it at `at`; who is missing can be."""
    found = [
        (duty, person, rule)
        for person, held in holding.held().items()
        for duty, rules in EXCLUDED.items()
        for rule in rules
        if (rule.other if rule.one == duty else rule.one) in held
    ]
    excepted = {(row.person_id, row.pair) for row in DutyException.objects.holding(at)} if found else set()
    told: dict[str, dict[int, str]] = {duty: {} for duty in EXCLUDED}
    for duty, person, rule in found:
        if (person, frozenset((rule.one, rule.other))) not in excepted:
            told[duty].setdefault(person, f"{rule}")
    return told


def fit(people: QuerySet[Any], duty: str, at: dt.datetime) -> QuerySet[Any]:
    """Those of the people whom an entry may name for the duty."""
    return people.exclude(pk__in=list(unfit(at)[duty]))


def refusals(named: Mapping[str, Any], at: dt.datetime) -> list[str]:
    """One sentence for everybody named under `owner` and `steward` whom the entry cannot name so; empty when all is well."""
    wanted = {duty: person for duty, person in named.items() if duty in EXCLUDED and person is not None}
    barred = unfit(at) if wanted else {}
    return [sentence(names([person]), duty, barred[duty][person.pk]) for duty, person in wanted.items() if person.pk in barred[duty]]


def refusal(person: Any, duty: str, at: dt.datetime) -> str:
    """The same for one person; empty when the entry can name them."""
    return " ".join(refusals({duty: person}, at))


def sentence(name: str, duty: str, rule: str) -> str:
    return f"{name} cannot be its {duty}: {rule} Name somebody else."


def candidates(duty: str, at: dt.datetime) -> QuerySet[Any]:
    """Everybody with a live account whom an entry may name for the duty, by name."""
    return fit(get_user_model().objects.filter(is_active=True), duty, at).order_by("first_name", "last_name", "username")
