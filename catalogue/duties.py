"""Whose duty is what: duties that exclude each other, and who may do something to a service."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from itertools import combinations
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from guardian.shortcuts import get_users_with_perms


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
_BY_PAIR = {frozenset((conflict.one, conflict.other)): conflict for conflict in NEVER_TOGETHER}


def conflicts(roles: Iterable[str]) -> list[Conflict]:
    """The pairs among these roles that no person may hold together, in stable order; empty when all go together."""
    pairs = combinations(sorted(set(roles)), 2)
    return [_BY_PAIR[frozenset(pair)] for pair in pairs if frozenset(pair) in _BY_PAIR]


# What people do, and the right on the service that it takes.
RIGHTS = {"relate": "change", "change": "change", "approve": "approve"}
_DOING = {"relate": "change the relations of", "change": "change", "approve": "approve versions of"}


def refusal(*, by: Any, act: str, on: Any, at: dt.datetime) -> str:
    """Why this person may not do the act to the service, with the names of who can; empty when they may."""
    action = RIGHTS[act]
    if by.is_active and type(on).objects.visible_to(by, action).filter(pk=on.pk).exists():
        return ""
    able = names(who_may(action, on, except_ids=[by.pk]))
    return f"You may not {_DOING[act]} {on}. {f'{able} can.' if able else 'An administrator can give you that duty.'}"


def check(*, by: Any, act: str, on: Any, at: dt.datetime) -> None:
    """Raises NotAllowed with the refusal when there is one."""
    told = refusal(by=by, act=act, on=on, at=at)
    if told:
        raise NotAllowed(told)


def who_may(action: str, service: Any, *, except_ids: Iterable[int] = ()) -> list[Any]:
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
    """`A. Berg, C. Diaz or E. Falk`; empty text for nobody. At most five are named."""
    shown = [person.get_full_name() or person.get_username() for person in people]
    if len(shown) > 5:
        return f"{', '.join(shown[:5])} or {len(shown) - 5} others"
    return " or ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))
