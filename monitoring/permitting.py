"""Who may do what with a tool: the answers that its doors give, for all of them at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from guardian.models import GroupObjectPermission, UserObjectPermission

from monitoring.models import Tool


class Deed(NamedTuple):
    words: str
    right: str  # on the tool, or everywhere where it is a right to approve


DEEDS = (
    Deed("See it", "view_tool"),
    Deed("Have it asked, and its quarantine read again", "poll_tool"),
    Deed("Change its settings and jobs, and write its maps", "change_tool"),
    Deed("Approve what its words and numbers mean", "approve_statusmap"),
    Deed("Approve what its attributes are mapped to", "approve_attributemapping"),
)


def who_may(tool: Tool) -> list[tuple[Deed, list[Any]]]:
    """Every deed with the active people who may do it, ordered by name; superusers are left out, as in every door's refusal."""
    held: dict[str, set[int]] = {deed.right: set() for deed in DEEDS}
    for pk, right in _held_rights(tool, list(held)):
        held[right].add(pk)
    for deed in DEEDS[3:]:  # nobody approves what they may not see
        held[deed.right] &= held["view_tool"]
    people = get_user_model().objects.filter(is_active=True, is_superuser=False).order_by("username")
    known = {person.pk: person for person in people.filter(pk__in=set().union(*held.values()))}
    return [(deed, [person for pk, person in known.items() if pk in held[deed.right]]) for deed in DEEDS]


def _held_rights(tool: Tool, rights: list[str]) -> Iterable[tuple[int, str]]:
    """(person, right) by role or by a right of their own, everywhere or on this tool; one query."""
    users, wanted = get_user_model().objects, Permission.objects.filter(content_type__app_label="monitoring", codename__in=rights)
    here = {"object_pk": str(tool.pk), "permission__in": wanted, "content_type__app_label": "monitoring", "content_type__model": "tool"}
    by_role = users.filter(groups__permissions__in=wanted).values_list("pk", "groups__permissions__codename")
    return by_role.union(
        users.filter(user_permissions__in=wanted).values_list("pk", "user_permissions__codename"),
        UserObjectPermission.objects.filter(**here).values_list("user", "permission__codename"),
        GroupObjectPermission.objects.filter(**here, group__user__isnull=False).values_list("group__user", "permission__codename"),
    )
