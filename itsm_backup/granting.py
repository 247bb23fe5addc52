"""Giving and taking roles: never two that exclude each other, never to oneself, always with a reason on record."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from guardian.models import GroupObjectPermission

from catalogue import duties, holding
from catalogue.models import Service, ServiceVersion
from itsm_backup.common.models import on_record
from itsm_backup.roles import ROLES, Scope, scope_of
from monitoring.models import BackupJob, Tool


class NotGranted(Exception):
    """The role was not given or taken; nothing was changed. The message says why and what to do."""


def ensure_roles(*, at: dt.datetime) -> None:
    """Every role's group, with exactly its permissions; limited roles reach exactly what they should at `at`."""
    for name, role in ROLES.items():
        group, _ = Group.objects.get_or_create(name=name)
        with on_record(by=None, reason="What the role may do comes with the product."):
            group.permissions.set(_rows(role.everywhere).values())
    refresh_scopes(at=at)


def held_by(user: Any) -> list[Scope]:
    """The roles of a person, whole and limited, in stable order."""
    scopes = (scope_of(name) for name in user.groups.order_by("name").values_list("name", flat=True))
    return [scope for scope in scopes if scope]


def grant(
    *,
    user: Any,
    role: str,
    by: Any,
    at: dt.datetime,
    reason: str,
    services: Iterable[Service] = (),
    tools: Iterable[Tool] = (),
    departments: Iterable[str] = (),
) -> list[Scope]:
    """Give the role, everywhere or limited to what is named; returns what is new. Raises NotGranted naming the rule."""
    wanted = scopes_of(role, services=services, tools=tools, departments=departments)
    if user.pk == by.pk:
        raise NotGranted("Nobody gives a role to themselves: ask another administrator.")
    if not reason.strip():
        raise NotGranted("Say why the role is given: a reason is kept with every change.")
    with transaction.atomic():
        _hold(user)
        held = held_by(user)
        excluded = duties.objection_to_duties(user, {role, *holding.duties_of_rights(ROLES[role].everywhere | ROLES[role].verbs)}, at)
        if role == "auditor" and user.is_superuser:
            raise NotGranted(f"{_name(user)} cannot be given the role auditor. {duties.AUDITS} Take the administration away first.")
        if excluded:
            remedy = "Take the other role away first, or have an exception approved."
            raise NotGranted(f"{_name(user)} cannot be given the role {role}. {excluded} {remedy}")
        new = [scope for scope in wanted if scope not in held]
        for scope in new:
            with on_record(by=by, reason=reason):
                user.groups.add(Group.objects.get_or_create(name=scope.group)[0])
            _record(user, f"Given the role {scope.group}: {reason}", by, at)
        if ROLES[role].uses_admin and not user.is_staff:
            user.is_staff = True
            user.save(update_fields=["is_staff"])
        if any(scope.kind for scope in new):
            refresh_scopes(at=at)
    return new


def revoke(*, user: Any, scope: Scope, by: Any, at: dt.datetime, reason: str) -> None:
    """Take a role away. Raises NotGranted when the person does not hold it."""
    with transaction.atomic():
        _hold(user)
        if scope not in held_by(user):
            raise NotGranted(f"{_name(user)} does not hold the role {scope.group}.")
        with on_record(by=by, reason=reason):
            user.groups.remove(Group.objects.get(name=scope.group))
        _record(user, f"The role {scope.group} taken away: {reason}", by, at)
        if user.is_staff and not user.is_superuser and not any(ROLES[held.role].uses_admin for held in held_by(user)):
            user.is_staff = False
            user.save(update_fields=["is_staff"])


def scopes_of(role: str, *, services: Iterable[Service] = (), tools: Iterable[Tool] = (), departments: Iterable[str] = ()) -> list[Scope]:
    """The role on each of these; everywhere when nothing is named. Raises NotGranted for a role that does not exist."""
    if role not in ROLES:
        raise NotGranted(f"There is no role {role}. Roles: {', '.join(ROLES)}.")
    limited = [
        *(Scope(role, "service", service.code) for service in services),
        *(Scope(role, "tool", tool.name) for tool in tools),
        *(Scope(role, "department", department) for department in departments),
    ]
    return limited or [Scope(role)]


def refresh_scopes(*, at: dt.datetime) -> int:
    """Bring the rights of all limited roles in line with services, tools, jobs and departments as they are; returns how many changed."""
    changed = 0
    for group in Group.objects.filter(name__contains=" "):
        scope = scope_of(group.name)
        if scope and scope.kind:
            with on_record(by=None, reason="What the role may do comes with the product."):
                group.permissions.set(_rows(ROLES[scope.role].verbs).values())
            changed += _align(group, _rights(scope, at))
    return changed


def _rights(scope: Scope, at: dt.datetime) -> dict[str, set[int]]:
    """Permission → ids of the rows that the limited role reaches."""
    role = ROLES[scope.role]
    services, named = Service.objects.none(), Tool.objects.none()
    if scope.kind == "service":
        services = Service.objects.filter(code=scope.name)
    elif scope.kind == "department":
        services = Service.objects.filter(pk__in=ServiceVersion.objects.in_force(at).filter(department=scope.name).values("service"))
    else:
        named = Tool.objects.filter(name=scope.name)
    jobs = BackupJob.objects.filter(service__in=services) | BackupJob.objects.filter(tool__in=named)
    reach = (
        (role.on_service if scope.kind != "tool" else (), services.values_list("pk", flat=True)),
        (role.on_tool, named.values_list("pk", flat=True)),
        (role.on_their_tools, BackupJob.objects.filter(service__in=services).values_list("tool", flat=True).distinct()),
        (role.on_jobs, jobs.values_list("pk", flat=True)),
    )
    rights: dict[str, set[int]] = {}
    for permissions, ids in reach:
        for permission in permissions:
            rights.setdefault(permission, set()).update(ids)
    return rights


def _align(group: Group, rights: dict[str, set[int]]) -> bool:
    permissions = _rows(rights)
    wanted = {(permissions[name].pk, str(pk)): permissions[name] for name, ids in rights.items() for pk in ids}
    held = {(row.permission_id, row.object_pk): row.pk for row in GroupObjectPermission.objects.filter(group=group)}
    surplus = [pk for key, pk in held.items() if key not in wanted]
    lacking = [
        GroupObjectPermission(group=group, permission=permission, content_type_id=permission.content_type_id, object_pk=object_pk)
        for (_, object_pk), permission in wanted.items()
        if (permission.pk, object_pk) not in held
    ]
    GroupObjectPermission.objects.filter(pk__in=surplus).delete()
    GroupObjectPermission.objects.bulk_create(lacking, ignore_conflicts=True)
    return bool(surplus or lacking)


def _rows(names: Iterable[str]) -> dict[str, Permission]:
    """The permissions of these names; raises LookupError for one that no model declares."""
    wanted = set(names)
    codenames = {name.split(".")[1] for name in wanted}
    found = Permission.objects.filter(codename__in=codenames).select_related("content_type")
    rows = {f"{row.content_type.app_label}.{row.codename}": row for row in found}
    missing = sorted(wanted - rows.keys())
    if missing:
        raise LookupError(f"No model declares {', '.join(missing)}. Run: manage.py migrate")
    return {name: rows[name] for name in wanted}


def _hold(user: Any) -> None:
    """Keep others from changing the person's roles until this transaction ends."""
    type(user).objects.select_for_update().get(pk=user.pk)


def _record(user: Any, text: str, by: Any, at: dt.datetime) -> None:
    LogEntry.objects.create(
        action_time=at, user=by, content_type=ContentType.objects.get_for_model(user), object_id=str(user.pk),
        object_repr=str(user)[:200], action_flag=CHANGE, change_message=text,
    )  # fmt: skip


def _name(user: Any) -> str:
    return str(user.get_full_name() or user.get_username())
